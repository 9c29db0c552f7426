using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Sim.Tasks;

namespace Robotics.Lab;

/// <summary>A task that can be demonstrated, learned and scored.</summary>
internal abstract class LabTask
{
    /// <summary>First start of evaluations; collections begin at a million, so that no evaluated start was trained on.</summary>
    public const ulong FirstEvaluation = 100_000;

    /// <summary>Name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>What is observed, what an action is, and when: one observation group, no networks.</summary>
    public abstract PolicyManifest Wiring { get; }

    /// <summary>How windows are cut unless told otherwise.</summary>
    public abstract (int ObservationSteps, int Horizon, int Executed) Windows { get; }

    /// <summary>Rows by which a window may reach past the end of an episode.</summary>
    public virtual int PaddedRows => Windows.Executed - 1;

    /// <summary>The robot it is done with.</summary>
    public abstract RobotSpec Robot { get; }

    /// <summary>By name.</summary>
    /// <exception cref="ConfigException">Unknown.</exception>
    public static LabTask Named(string name) => name switch
    {
        "push-t" => new PushTTask(),
        "detour" => new DetourTask(),
        _ => throw new ConfigException($"There is no task '{name}'; there are push-t and detour."),
    };

    /// <summary>Runs one episode.</summary>
    /// <param name="policy">Drives; reset by this call.</param>
    /// <param name="manifest">How it is wired.</param>
    /// <param name="seed">Of the start.</param>
    /// <param name="drawSeed">Of the policy's own draws.</param>
    /// <param name="watch">Told each step, before it is taken; null: nobody.</param>
    /// <param name="budget">Real time that each plan may take; null: all it wants.</param>
    public abstract EpisodeScore Run(IPolicy policy, PolicyManifest manifest, ulong seed, ulong drawSeed, StepWatch? watch = null, TimeSpan? budget = null);

    /// <summary>The one who shows how it is done.</summary>
    public abstract (IPolicy Policy, PolicyManifest Manifest) Demonstrator(int candidates);
}

/// <summary>Told before each step of an episode: signals seen, targets wanted; may change what is sent.</summary>
internal delegate void StepWatch(int step, ReadOnlySpan<float> signals, ReadOnlySpan<float> wanted, Span<float> sent);

/// <summary>How an episode went.</summary>
/// <param name="Best">Highest reward, 0 to 1: the published score.</param>
/// <param name="Success">Solved.</param>
/// <param name="Steps">Taken.</param>
/// <param name="Plans">Made.</param>
/// <param name="Calls">Network calls, all plans together.</param>
/// <param name="Late">Plans that missed their deadline, where they had one.</param>
/// <param name="PlanSeconds">Time spent planning.</param>
/// <param name="Side">+1 or -1 where the task has two ways; 0 otherwise.</param>
internal readonly record struct EpisodeScore(double Best, bool Success, int Steps, int Plans, int Calls, int Late, double PlanSeconds, int Side);

/// <summary>PushT, as published, in steps of 100 ms.</summary>
internal sealed class PushTTask : LabTask
{
    public override string Name => "push-t";

    public override (int ObservationSteps, int Horizon, int Executed) Windows => (2, 16, 8);

    public override RobotSpec Robot => PushT.Describe();

    public override PolicyManifest Wiring { get; } = new()
    {
        Name = "push-t",
        Description = "Pushes the T onto its goal.",
        Files = [],
        Models = [],
        Observations =
        [
            new()
            {
                Name = "state",
                Terms =
                [
                    new() { Name = "agent", Kind = "joint_position", Joints = ["x", "y"] },
                    new() { Name = "block", Kind = "signal", Signal = "block.keypoints" },
                ],
            },
        ],
        Action = new() { Joints = ["x", "y"], Rows = 8, RowPeriodMs = 100 },

        // An action 10 ms after its observation instead of the usual 4: a tenth of the period, and room for a slow plan.
        Timing = new() { PeriodMs = 100, PhysicsPeriodMs = 10, ActAfterMs = 10, LateTicks = 3 },
        Origin = "push-t (built in)",
    };

    public override (IPolicy Policy, PolicyManifest Manifest) Demonstrator(int candidates)
    {
        var policy = new PushTReference(new() { Candidates = candidates });
        return (policy, policy.Manifest);
    }

    public override EpisodeScore Run(IPolicy policy, PolicyManifest manifest, ulong seed, ulong drawSeed, StepWatch? watch, TimeSpan? budget)
    {
        using var table = new PushT();
        var drive = new Drive(policy, manifest, table.Robot, budget);
        float[] signals = new float[table.Robot.Layout.Length], sent = new float[2];
        table.Reset(seed, signals);
        drive.Reset(drawSeed);
        double best = PushT.RewardOf(table.World.Coverage);
        StepResult result = default;
        int step = 0;
        for (; !result.Terminated && !result.Truncated; step++)
        {
            if (!drive.Next(signals))
            {
                break; // a policy that refuses has lost the rest of its episode
            }

            drive.Target.CopyTo(sent);
            watch?.Invoke(step, signals, drive.Target, sent);
            result = table.Step(sent, signals);
            best = Math.Max(best, result.Reward);
        }

        return new(best, result.Terminated, step, drive.Plans, drive.Calls, drive.Late, drive.Seconds, 0);
    }
}

/// <summary>Detour: one observation, one chunk, a valid way round an obstacle or not.</summary>
internal sealed class DetourTask : LabTask
{
    private static readonly RobotSpec s_robot = new()
    {
        Name = "detour",
        Joints = [new() { Name = "x", Kind = JointKind.Prismatic, Lower = -3, Upper = 3, MaxSpeed = 100 }, new() { Name = "y", Kind = JointKind.Prismatic, Lower = -3, Upper = 3, MaxSpeed = 100 }],
        Signals = [new() { Name = "situation", Length = 2, Unit = "m", Frame = "table", Source = "task", Elements = ["offset", "goal"] }],
        StatePeriodMs = 100,
        ServoPeriodMs = 100,
        Origin = "detour (built in)",
    };

    public override string Name => "detour";

    public override (int ObservationSteps, int Horizon, int Executed) Windows => (1, Detour.Rows, Detour.Rows);

    // A path is one chunk: a window that begins half way along it has the observation of its beginning.
    public override int PaddedRows => 0;

    public override RobotSpec Robot => s_robot;

    public override PolicyManifest Wiring { get; } = new()
    {
        Name = "detour",
        Description = "Draws a path past an obstacle.",
        Files = [],
        Models = [],
        Observations = [new() { Name = "state", Terms = [new() { Name = "situation", Kind = "signal", Signal = "situation" }] }],
        Action = new() { Joints = ["x", "y"], Rows = Detour.Rows, RowPeriodMs = 100 },
        Timing = new() { PeriodMs = 100 },
        Origin = "detour (built in)",
    };

    public override (IPolicy Policy, PolicyManifest Manifest) Demonstrator(int candidates) => (new DetourExpert(), Wiring);

    public override EpisodeScore Run(IPolicy policy, PolicyManifest manifest, ulong seed, ulong drawSeed, StepWatch? watch, TimeSpan? budget)
    {
        float[] signals = new float[s_robot.Layout.Length], path = new float[2 * Detour.Rows], sent = new float[2];
        var situation = signals.AsSpan(s_robot.Layout.Find("situation")!.Offset, 2);
        Detour.Observe(new SeededRandom(seed), situation);
        var drive = new Drive(policy, manifest, s_robot, budget);
        drive.Reset(drawSeed);
        for (int step = 0; step < Detour.Rows; step++)
        {
            if (!drive.Next(signals))
            {
                return new(0, false, step, drive.Plans, drive.Calls, drive.Late, drive.Seconds, 0);
            }

            drive.Target.CopyTo(sent);
            watch?.Invoke(step, signals, drive.Target, sent);
            path[2 * step] = sent[0] / Detour.Scale;
            path[(2 * step) + 1] = sent[1] / Detour.Scale;
        }

        bool valid = Detour.IsValid(situation, path);
        return new(valid ? 1 : 0, valid, Detour.Rows, drive.Plans, drive.Calls, drive.Late, drive.Seconds, Detour.Side(situation, path));
    }

    /// <summary>The script, as a policy.</summary>
    private sealed class DetourExpert : IPolicy
    {
        private readonly SeededRandom _random = new(0);

        public PolicySpec Spec { get; } = new("detour-expert", [new("state", 0, 2)], Detour.Rows, 2, TimeSpan.FromMilliseconds(100));

        public string? LastFault => null;

        public void Reset(ulong seed) => _random.Reset(seed);

        public PlanResult Plan(ReadOnlySpan<float> observation, MonotonicTime deadline, Span<float> chunk)
        {
            Detour.Demonstrate(_random, observation, chunk);
            foreach (ref float value in chunk)
            {
                value *= Detour.Scale;
            }

            return new(PlanStatus.Planned, 0);
        }

        public void Dispose()
        {
        }
    }
}
