using System.Diagnostics;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary>The <c>robotics-lab</c> program in a process of its own, as a user starts it.</summary>
internal static class LabProcess
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    /// <summary>Starts it in a folder.</summary>
    public static Process Start(string folder, params string[] args)
    {
        // The configuration under test is the one these tests were built in.
        string configuration = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/')).Name;
        string program = Path.Combine(Repository.Root, "artifacts", "bin", "Robotics.Lab", configuration, "robotics-lab");
        return Process.Start(new ProcessStartInfo(program, args) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    /// <summary>Runs it to the end.</summary>
    public static (int Code, string Output, string Errors) Run(string folder, params string[] args)
    {
        using var process = Start(folder, args);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(_patience))
        {
            process.Kill();
            throw new TimeoutException($"robotics-lab {string.Join(' ', args)} still runs after {_patience}.");
        }

        return (process.ExitCode, output.GetAwaiter().GetResult(), errors.GetAwaiter().GetResult());
    }
}
