using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Robotics.Tests.Host;

/// <summary>The <c>robotics</c> program in a process of its own, as a user starts it.</summary>
internal sealed class RoboticsProcess : IDisposable
{
    private readonly Process _process;
    private readonly BlockingCollection<string> _lines = [];
    private readonly ConcurrentQueue<string> _errors = new();

    private RoboticsProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, e) =>
        {
            if (e.Data is null)
            {
                _lines.CompleteAdding();
            }
            else
            {
                All.Enqueue(e.Data);
                _lines.Add(e.Data);
            }
        };
        process.ErrorDataReceived += (_, e) =>
        {
            if (e.Data is not null)
            {
                _errors.Enqueue(e.Data);
            }
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Everything it printed to standard output so far.</summary>
    public ConcurrentQueue<string> All { get; } = new();

    /// <summary>Everything it printed to standard error so far.</summary>
    public string Errors => string.Join('\n', _errors);

    public static RoboticsProcess Start(params string[] args)
    {
        // The configuration under test is the one these tests were built in.
        string configuration = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/')).Name;
        string program = Path.Combine(Repository.Root, "artifacts", "bin", "Robotics.Host", configuration, "robotics");
        var start = new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        return new(Process.Start(start)!);
    }

    /// <summary>Runs to the end.</summary>
    public static (int Code, string Output, string Errors) Run(params string[] args)
    {
        using var process = Start(args);
        int code = process.WaitForExit(TimeSpan.FromSeconds(60));
        return (code, string.Join('\n', process.All), process.Errors);
    }

    /// <summary>Waits for a line that contains <paramref name="text"/> and returns it.</summary>
    public string WaitFor(string text, double seconds = 20)
    {
        var until = Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency);
        while (Stopwatch.GetTimestamp() < until && _lines.TryTake(out string? line, 200) | !_lines.IsCompleted)
        {
            if (line?.Contains(text, StringComparison.Ordinal) == true)
            {
                return line;
            }
        }

        throw new TimeoutException($"No line with '{text}' within {seconds} s. Output:\n{string.Join('\n', All)}\nErrors:\n{Errors}");
    }

    /// <summary>The last line of JSON output whose "type" is <paramref name="type"/>.</summary>
    public JsonNode Last(string type) => All.Select(line => JsonNode.Parse(line)!).Last(node => (string?)node["type"] == type);

    /// <summary>Ctrl-C.</summary>
    public void Interrupt() => Signal("-INT");

    /// <summary>kill -9.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Sends a signal by its kill(1) name, for example <c>-STOP</c>.</summary>
    public void Signal(string name) => Signal(_process, name);

    /// <summary>Sends a signal to any process.</summary>
    public static void Signal(Process process, string name)
    {
        using var kill = Process.Start("kill", [name, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public int WaitForExit(TimeSpan patience)
    {
        if (!_process.WaitForExit(patience))
        {
            throw new TimeoutException($"Still running after {patience}. Last output:\n{string.Join('\n', All.TakeLast(3))}\nErrors:\n{Errors}");
        }

        _process.WaitForExit(); // the readers too
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _lines.Dispose();
    }
}
