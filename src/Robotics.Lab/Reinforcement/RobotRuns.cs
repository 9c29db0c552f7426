using System.Diagnostics;
using System.Globalization;

namespace Robotics.Lab.Reinforcement;

/// <summary>Lets the <c>robotics</c> program drive a robot with a package and record it, as often as it takes.</summary>
/// <param name="Program">Path of <c>robotics</c>.</param>
/// <param name="Robot">Its arguments that name the robot: <c>--robot sim:runner --gap gravity=2</c>, or <c>--robot mqtt:NAME --broker URL</c>.</param>
internal sealed record RobotRuns(string Program, IReadOnlyList<string> Robot)
{
    private const int MostRuns = 50; // that end in a hold before somebody has to look

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60); // for starting and stopping
    private static readonly TimeSpan s_shortest = TimeSpan.FromSeconds(5);

    /// <summary>The program beside this one, or where a build of the sources puts it.</summary>
    /// <exception cref="ConfigException">It is in neither place.</exception>
    public static string FindProgram()
    {
        string here = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar), name = OperatingSystem.IsWindows() ? "robotics.exe" : "robotics";
        string[] places = [Path.Combine(here, name), Path.Combine(here, "..", "..", "Robotics.Host", Path.GetFileName(here), name)];
        return places.FirstOrDefault(File.Exists) is { } found ? Path.GetFullPath(found)
            : throw new ConfigException($"The program 'robotics', which drives the robot, is neither in {here} nor among the builds beside it: build src/Robotics.Host in the same configuration, or name it with --program.");
    }

    /// <summary>Drives and records until so much has been driven. A run that holds is ended and begun again; what was recorded before counts.</summary>
    /// <param name="package">The policy.</param>
    /// <param name="folder">Of the records; those that are there count, so that an interrupted call goes on.</param>
    /// <param name="total">How long.</param>
    /// <param name="seed">Of the first run; the next ones count on.</param>
    /// <param name="what">For progress.</param>
    /// <param name="cancellation">Stops the robot first.</param>
    /// <returns>Runs that ended early.</returns>
    /// <exception cref="ConfigException">The program will not drive this robot with this package; its words.</exception>
    /// <exception cref="IOException">It holds again and again.</exception>
    public async Task<int> Record(string package, string folder, TimeSpan total, ulong seed, string what, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        string done = Path.Combine(folder, "seconds.txt");
        double driven = File.Exists(done) ? double.Parse(File.ReadAllText(done), CultureInfo.InvariantCulture) : 0;
        int number = Directory.EnumerateFiles(folder, "*.mcap").Count(), early = 0;
        using var line = new ProgressLine($"{what}, seconds driven", (long)total.TotalSeconds);
        while (total.TotalSeconds - driven > s_shortest.TotalSeconds)
        {
            if (early >= MostRuns)
            {
                throw new IOException($"{what}: {early} runs ended in a hold after {driven:F0} of {total.TotalSeconds:F0} seconds; see the reports in {folder}.");
            }

            double left = total.TotalSeconds - driven;
            string record = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{number:D3}.mcap"));
            string[] args = ["run", package, .. Robot, "--duration", left.ToString("F1", CultureInfo.InvariantCulture), "--record", record, "--seed", (seed + (ulong)number + 1).ToString(CultureInfo.InvariantCulture), "--exit-on-hold", "--json"];
            var start = new ProcessStartInfo(Program, args) { RedirectStandardOutput = true, RedirectStandardError = true };
            using var process = Process.Start(start)!;
            var words = process.StandardError.ReadToEndAsync(CancellationToken.None);
            var silent = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            var watch = Stopwatch.StartNew();
            try
            {
                while (!process.HasExited && watch.Elapsed.TotalSeconds < left + s_patience.TotalSeconds)
                {
                    await Task.Delay(500, cancellation).ConfigureAwait(false);
                    line.Report((long)Math.Min(driven + watch.Elapsed.TotalSeconds, total.TotalSeconds - 1), early == 0 ? "" : $"{early} holds");
                }
            }
            finally
            {
                if (!process.HasExited)
                {
                    Interrupt(process);
                }
            }

            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
            if (process.ExitCode == 2)
            {
                throw new ConfigException($"robotics {string.Join(' ', args)}: {(await words.ConfigureAwait(false)).Trim()}");
            }

            _ = await silent.ConfigureAwait(false);
            early += process.ExitCode == 0 ? 0 : 1;
            driven += process.ExitCode == 0 ? left : Driven(record);
            number++;
            await File.WriteAllTextAsync(done, driven.ToString("F1", CultureInfo.InvariantCulture), cancellation).ConfigureAwait(false);
        }

        return early;
    }

    private static double Driven(string record)
    {
        if (!File.Exists(record))
        {
            return 0;
        }

        using var reader = new Episodes.EpisodeReader(record);
        MonotonicTime? first = null, last = null;
        foreach (var tick in reader.Ticks().Where(tick => tick.State == ControlState.Running))
        {
            first ??= tick.Due;
            last = tick.Due;
        }

        return first is { } from ? (last!.Value - from).TotalSeconds : 0;
    }

    // As Ctrl-C does: the robot is brought to rest first.
    private static void Interrupt(Process process)
    {
        using var kill = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill?.WaitForExit();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(); // the robot's own dead-man timer brakes it
        }
    }
}
