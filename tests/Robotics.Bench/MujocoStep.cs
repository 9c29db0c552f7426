using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Sim.Mujoco;

namespace Robotics.Bench;

/// <summary>Control steps per second through IEnvironment beside a C program doing the same work on the same model.</summary>
internal sealed class MujocoStep : IBenchmark
{
    private const int Pairs = 11;

    public string Name => "mujoco-step";

    public string Claim => "MuJoCo through IEnvironment: 0 bytes per step and at least 0.90 of a C program's steps per second";

    public int Run(string[] args)
    {
        string peer = Bench.CompilePeer("mujoco_step.c", "-lmujoco", "-lm");
        var text = new StringBuilder($"Median of {Pairs} interleaved pairs; control steps per second, one thread. The C peer writes the same ctrl, reads the same\n"
            + "signals as floats and watches the same warnings; equal checksums mean equal trajectories.\n\n"
            + "| model | substeps | C# /s | C /s | C#/C median (min..max) | bytes per step | checksums |\n|---|---|---|---|---|---|---|\n");
        string folder = Path.Combine(Bench.Root, "tests", "Robotics.Bench", "peers");
        bool holds = Measure(text, peer, "runner", Path.Combine(folder, "runner.xml"), null, 1, 5, 60_000, 10, false,
            ["rear_hip", "rear_knee", "front_hip", "front_knee"], "torso");
        string go1 = Path.GetFullPath(Path.Combine(Bench.Root, "..", "shared", "cases", "go1-joystick", "scene.xml"));
        if (File.Exists(go1))
        {
            string[] joints = [.. from leg in new[] { "FR", "FL", "RR", "RL" } from part in new[] { "hip", "thigh", "calf" } select $"{leg}_{part}_joint"];
            holds &= Measure(text, peer, "go1", go1, "home", 5, 4, 4_000, 0.05, true, joints, "trunk");
        }
        else
        {
            text.AppendLine("\ngo1 was not measured: ../shared/cases/go1-joystick is absent.");
        }

        Bench.Report(Name, args, text.ToString());
        return holds ? 0 : 1;
    }

    private static bool Measure(StringBuilder text, string peer, string name, string model, string? key, int substeps, double timestepMs,
        int steps, double amplitude, bool drives, string[] joints, string body)
    {
        var robot = new RobotSpec
        {
            Name = name,
            Joints = [.. joints.Select(joint => new JointSpec { Name = joint, Command = drives ? TargetKind.Position : TargetKind.Effort, Lower = -9, Upper = 9, MaxSpeed = 100 })],
            Signals =
            [
                new() { Name = "position", Length = 3, Source = "body_position:" + body },
                new() { Name = "orientation", Length = 4, Source = "body_orientation:" + body },
            ],
            StatePeriodMs = timestepMs * substeps,
            ServoPeriodMs = timestepMs,
            Simulator = new() { Kind = "mujoco", Model = Path.GetFileName(model), Keyframe = key },
            Origin = model,
        };
        using var environment = new MujocoEnvironment(robot, TimeSpan.FromMilliseconds(timestepMs * substeps));
        Play(environment, steps / 10, amplitude, drives, out _, out _);
        var ours = new List<double>();
        var theirs = new List<double>();
        double sum = 0, peerSum = 0;
        long bytes = 0;
        for (int pair = 0; pair < Pairs; pair++)
        {
            ours.Add(Play(environment, steps, amplitude, drives, out sum, out long allocated));
            bytes = Math.Max(bytes, allocated);
            string[] said = Bench.Capture(peer, model, key is null ? "-1" : "0", $"{steps}", $"{substeps}",
                amplitude.ToString(CultureInfo.InvariantCulture), drives ? "1" : "0").Split(' ');
            theirs.Add(double.Parse(said[0], CultureInfo.InvariantCulture));
            peerSum = double.Parse(said[1], CultureInfo.InvariantCulture);
        }

        double[] ratios = [.. ours.Zip(theirs, (a, b) => a / b)];
        bool same = Math.Abs(sum - peerSum) <= 1e-6 * Math.Max(1, Math.Abs(peerSum));
        text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {substeps} | {Bench.Median(ours):F0} | {Bench.Median(theirs):F0} | "
            + $"{Bench.Median(ratios):F3} ({ratios.Min():F3}..{ratios.Max():F3}) | {(double)bytes / steps} | {(same ? "equal" : $"differ: {sum:G9}, {peerSum:G9}")} |");
        return Bench.Median(ratios) >= 0.90 && bytes == 0 && same;
    }

    private static double Play(MujocoEnvironment environment, int steps, double amplitude, bool drives, out double sum, out long allocated)
    {
        int joints = environment.Robot.Joints.Count;
        float[] frame = new float[environment.Robot.Layout.Length];
        float[] target = new float[joints];
        float[] start = new float[joints];
        environment.Reset(0, frame);
        if (drives)
        {
            frame.AsSpan(0, joints).CopyTo(start);
        }

        sum = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        long begin = Stopwatch.GetTimestamp();
        for (int k = 0; k < steps; k++)
        {
            for (int u = 0; u < joints; u++)
            {
                target[u] = start[u] + (float)(amplitude * ((((k / 10) + u) % 3) - 1));
            }

            environment.Step(target, frame);
            sum += frame[0] + frame[(3 * joints) + 2];
        }

        double rate = steps / Stopwatch.GetElapsedTime(begin).TotalSeconds;
        allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return rate;
    }
}
