namespace Robotics.Bench;

/// <summary>One claim and the run that shows it.</summary>
internal interface IBenchmark
{
    /// <summary>Name on the command line.</summary>
    string Name { get; }

    /// <summary>The claim, in one line with its limit.</summary>
    string Claim { get; }

    /// <summary>Measures, prints, writes <c>results/NAME.md</c>; 0 when the claim holds, 1 when it falls short.</summary>
    int Run(string[] args);
}

/// <summary>What every benchmark needs: repeatable statistics, a C peer, and a results file.</summary>
internal static class Bench
{
    /// <summary>The folder of Robotics.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The middle value.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// <summary>The value below which <paramref name="fraction"/> of the (sorted in place) samples lie.</summary>
    public static double Percentile(double[] samples, double fraction)
    {
        Array.Sort(samples);
        return samples[Math.Clamp((int)Math.Ceiling(fraction * samples.Length) - 1, 0, samples.Length - 1)];
    }

    /// <summary>Compiles a C peer that lies beside the benchmarks (<c>peers/FILE.c</c>) with cc -O2; returns its path.</summary>
    public static string CompilePeer(string file, params string[] flags)
    {
        string output = Path.Combine(Root, "artifacts", "peers", Path.GetFileNameWithoutExtension(file));
        Directory.CreateDirectory(Path.GetDirectoryName(output)!);
        string source = Path.Combine(Root, "tests", "Robotics.Bench", "peers", file);
        var start = new System.Diagnostics.ProcessStartInfo("cc", ["-O2", "-o", output, source, .. flags]);
        using var compiler = System.Diagnostics.Process.Start(start)!;
        compiler.WaitForExit();
        return compiler.ExitCode == 0 ? output : throw new InvalidOperationException($"cc failed on {source}.");
    }

    /// <summary>Runs a program to its end and returns what it printed.</summary>
    public static string Capture(string program, params string[] args)
    {
        var start = new System.Diagnostics.ProcessStartInfo(program, args) { RedirectStandardOutput = true };
        using var process = System.Diagnostics.Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"{program} ended with {process.ExitCode}.");
    }

    /// <summary>Prints <paramref name="markdown"/> and writes it to <c>results/NAME.md</c>, or to another file there, with the command that made it.</summary>
    public static void Report(string name, string[] args, string markdown, string? file = null)
    {
        string command = $"dotnet run -c Release --project tests/Robotics.Bench -- {name} {string.Join(' ', args)}".TrimEnd();
        string text = $"# {name}\n\n`{command}`\n\n{markdown.TrimEnd()}\n";
        Console.WriteLine(text);
        string folder = Path.Combine(Root, "tests", "Robotics.Bench", "results");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, (file ?? name) + ".md"), text);
    }

    private static string FindRoot()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "Robotics.sln")))
        {
            at = at.Parent;
        }

        return at?.FullName ?? throw new InvalidOperationException($"No Robotics.sln above {AppContext.BaseDirectory}.");
    }
}
