using System.Diagnostics;
using System.Globalization;
using System.Text;
using Robotics.Control;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Routes;
using Robotics.Sim;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>Rows of targets that a policy follows, on the gates: card 7. Everything through packages, the control loop and its desk.</summary>
/// <remarks>
/// The recipe is not the judged seeds' and starts': a first one (pushes of up to 0.7 m in half of the demonstrations, 2500 updates) was
/// tried on training seed 100 and starts from 900,000 on, where re-anchoring passed 0.96, 0.81 and 0.69 at the three kicks; pushes and
/// updates were then raised, and seeds 1 to 3 on starts from 100,000 on are judged with what stands here. "By the clock" is a planner
/// that writes the rows that are left whenever a row's time is over: its length at full speed and a tenth more; the follower itself is
/// kept from advancing and from anchoring.
/// </remarks>
internal sealed class DetourGates : IBenchmark
{
    private const int Seeds = 3, Ticks = 72, Demonstrations = 2000, Width = 64, Updates = 5000;
    private const ulong JudgedStart = 100_000, PilotStart = 900_000, PilotSeed = 100;
    private const double ClockSlack = 1.1;

    private static readonly double[] s_kicks = [0, 0.3, 0.6];
    private static readonly RouteSpec s_anchoring = new() { Position = new() { Signal = "joint.position", Select = [0, 1] } };
    private static readonly RouteSpec s_plain = s_anchoring with { DeviationEnterM = 100, DeviationExitM = 99, ProgressTicks = 10_000 };

    public string Name => "detour-gates";

    public string Claim => "at a kick of 0.6 m rows with re-anchoring pass the gates at least 0.15 more often than rows by the clock, and at least 0.95";

    private enum Mode
    {
        Monolithic,
        Clock,
        Tolerance,
        Anchoring,
    }

    private sealed record Score(double Passed, double Replans, double Rejected);

    public int Run(string[] args)
    {
        TorchSharp.torch.set_num_threads(1);
        using var policies = new GatesPolicies();
        bool pilot = args is ["--pilot"];
        int runs = pilot ? 100 : 500;
        ulong[] seeds = pilot ? [PilotSeed] : [.. Enumerable.Range(1, Seeds).Select(seed => (ulong)seed)];
        ulong first = pilot ? PilotStart : JudgedStart;
        var scores = new Dictionary<(Mode, double), List<Score>>();
        var infeasible = new List<(int Runs, int Refused, int Commands)>();
        foreach (ulong seed in seeds)
        {
            long began = Stopwatch.GetTimestamp();
            Prepare(policies, seed);
            Console.Error.WriteLine(FormattableString.Invariant($"seed {seed} trained: {Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s"));
            foreach (var mode in Enum.GetValues<Mode>())
            {
                // What stage 2 adds to rows that merely wait for being achieved is asked at the hardest kick alone.
                foreach (double kick in s_kicks.Where(kick => mode != Mode.Tolerance || kick == s_kicks[^1]))
                {
                    var score = Judge(policies, mode, kick, runs, first);
                    scores.TryAdd((mode, kick), []);
                    scores[(mode, kick)].Add(score);
                    Console.Error.WriteLine(FormattableString.Invariant($"seed {seed}, {Words(mode)}, kick {kick}: {score.Passed:F3}, {score.Replans:F3} replans a run, {score.Rejected:F3} routes refused, {Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s"));
                }
            }

            infeasible.Add(Infeasible(policies, 100, first));
            Console.Error.WriteLine($"seed {seed}, infeasible: {infeasible[^1]}");
        }

        if (pilot)
        {
            return 0;
        }

        string table = Table(scores, infeasible, runs, out bool holds);
        Bench.Report(Name, args, table);
        return holds ? 0 : 1;
    }

    private static void Prepare(GatesPolicies policies, ulong seed)
    {
        var shown = GatesPolicies.Demonstrate(seed, Demonstrations);
        using var whole = GatesPolicies.Train(shown.Whole, shown.Chunks, 8, (10 * seed) + 1, Width, Updates);
        using var rows = GatesPolicies.Train(shown.Rows, shown.Chunks, 4, (10 * seed) + 2, Width, Updates);
        policies.Whole("monolithic", whole);
        policies.Rows("anchoring", rows, s_anchoring);
        policies.Rows("plain", rows, s_plain);
    }

    private static Score Judge(GatesPolicies policies, Mode mode, double kick, int runs, ulong first)
    {
        string package = mode switch
        {
            Mode.Monolithic => "monolithic",
            Mode.Anchoring => "anchoring",
            _ => "plain",
        };
        var clock = new ManualClock();
        var time = new ManualClock();
        var manifest = policies.Manifest(package);
        using var policy = policies.Load(package, clock);
        using var copy = policies.Load(package, time);
        var rehearsal = mode == Mode.Anchoring ? new RouteRehearsal(manifest, new Gates().Robot, copy.Policy, time, 0) : null;
        int passed = 0, replans = 0, rejected = 0;
        for (int i = 0; i < runs; i++)
        {
            using var robot = new SimulatedRobot(new TaskEnvironment(new Gates(kick), new() { AsRobot = true }), first + (ulong)i, clock);
            var (done, anchored, refused, _) = Drive(mode, manifest, policy.Policy, robot, clock, rehearsal, new Gates().Routes, first + (ulong)i);
            passed += done ? 1 : 0;
            replans += anchored;
            rejected += refused;
        }

        return new((double)passed / runs, (double)replans / runs, (double)rejected / runs);
    }

    // One run: 72 ticks from the first that may act.
    private static (bool Passed, int Replans, int Rejected, int Commands) Drive(Mode mode, PolicyManifest manifest, IPolicy policy, SimulatedRobot robot, ManualClock clock, RouteRehearsal? rehearsal, IRoutePlanner planner, ulong seed)
    {
        var assembler = new ObservationAssembler(manifest, robot.Spec);
        using var counted = new Counted(robot);
        using var loop = new ControlLoop(manifest, counted, policy, assembler, new ActionMap(manifest, robot.Spec), new() { Planner = PlannerMode.Inline, Seed = seed }, clock);
        float[] signals = new float[robot.Spec.Layout.Length];
        robot.Stepped = frame => frame.CopyTo(signals);
        loop.Tick(MonotonicTime.Now(clock)); // idle: it looks
        robot.Advance(loop.Timing.Period, clock);
        int replans = 0, rejected = 0, asks = 0;
        var desk = mode is Mode.Monolithic or Mode.Clock ? null
            : new RouteDesk(loop, manifest.Route!, new RouteGround(manifest.Route!, robot.Spec), planner, rehearsal, null, clock)
            {
                Told = note =>
                {
                    rejected += note.Kind == Episodes.RouteNoteKind.Rejected ? 1 : 0;
                    asks += note.Kind == Episodes.RouteNoteKind.Asked ? 1 : 0;
                },
            };
        var byClock = mode == Mode.Clock ? new Schedule(signals, manifest.Route!) : null;
        loop.ArmAsync(CancellationToken.None).GetAwaiter().GetResult();
        loop.Run();
        bool passed = false;
        for (int tick = 0; tick < Ticks && !passed; tick++)
        {
            byClock?.Tell(loop, tick);
            desk?.Attend(signals);
            loop.Tick(MonotonicTime.Now(clock));
            robot.Advance(loop.Timing.Period, clock);
            passed = Gates.Passed(signals) >= Gates.Marks;
            while (loop.TryReadRouteEvent(out var happened))
            {
                replans += happened.Kind is Episodes.RouteNoteKind.Strayed or Episodes.RouteNoteKind.Stalled ? 1 : 0;
            }
        }

        return (passed, replans + Math.Max(0, asks - 1), rejected, counted.Commands);
    }

    /// <summary>The robot, with everything counted that would move it.</summary>
    private sealed class Counted(IRobot inner) : IRobot
    {
        public int Commands { get; private set; }

        public RobotSpec Spec => inner.Spec;

        public LinkStatus Link => inner.Link;

        public Task ClaimAsync(CommandMode mode, CancellationToken cancellation) => inner.ClaimAsync(mode, cancellation);

        public Task ReleaseAsync(CancellationToken cancellation) => inner.ReleaseAsync(cancellation);

        public ReadStatus Read(Observation into) => inner.Read(into);

        public void Send(in Safety.SafeCommand command)
        {
            Commands += command.IsHold ? 0 : 1;
            inner.Send(in command);
        }

        public void EmergencyStop() => inner.EmergencyStop();

        public void Dispose()
        {
            // The robot belongs to the caller.
        }
    }

    // The planner that goes by the clock.
    private sealed class Schedule
    {
        private readonly List<(int Tick, RouteTable Table)> _due = [];
        private ulong _number;

        public Schedule(float[] signals, RouteSpec spec)
        {
            var rows = Enumerable.Range(0, Gates.Marks).Select(mark => Gates.Mark(signals, mark)).Select(at => new RouteRow("move", new(at.X, at.Y, 0), 0.001f, 600)).ToArray();
            var from = new System.Numerics.Vector3(signals[0], signals[1], 0);
            double ticks = 0;
            for (int row = 0; row < rows.Length; row++)
            {
                _due.Add(((int)Math.Round(ticks), new RouteTable(rows[row..], "the clock", spec)));
                ticks += ClockSlack * System.Numerics.Vector3.Distance(from, rows[row].Target) / Gates.Reach;
                from = rows[row].Target;
            }
        }

        public void Tell(ControlLoop loop, int tick)
        {
            if (_due.Find(entry => entry.Tick == tick) is { Table: { } table })
            {
                loop.SetRoute(table, ++_number);
            }
        }
    }

    // A planner whose last row is out of time, and one that leads out of the room: not one command.
    private static (int Runs, int Refused, int Commands) Infeasible(GatesPolicies policies, int runs, ulong first)
    {
        var clock = new ManualClock();
        var time = new ManualClock();
        var manifest = policies.Manifest("anchoring");
        using var policy = policies.Load("anchoring", clock);
        using var copy = policies.Load("anchoring", time);
        var rehearsal = new RouteRehearsal(manifest, new Gates().Robot, copy.Policy, time, 0);
        int refused = 0, sent = 0;
        for (int i = 0; i < runs; i++)
        {
            using var robot = new SimulatedRobot(new TaskEnvironment(new Gates(), new() { AsRobot = true }), first + (ulong)i, clock);
            RouteRow bad = i % 2 == 0 ? new("move", new(0, 1, 0), 0.1f, 0.5f) : new("move", new(3, 0, 0), 0.1f, 10);
            var (_, _, rejected, commands) = Drive(Mode.Anchoring, manifest, policy.Policy, robot, clock, rehearsal, new Fixed(new RouteTable([bad], "a bad planner", manifest.Route!)), (ulong)i);
            refused += rejected == 1 + RouteDesk.MostReplans ? 1 : 0;
            sent += commands;
        }

        return (runs, refused, sent);
    }

    private sealed class Fixed(RouteTable table) : IRoutePlanner
    {
        public string Name => table.Source;

        public RouteTable? Write(in RouteRequest request, RouteSpec spec) => table;
    }

    private static string Words(Mode mode) => mode switch
    {
        Mode.Monolithic => "monolithic (sees position, gates, goal)",
        Mode.Clock => "rows by the clock",
        Mode.Tolerance => "rows by tolerance, no stage 2",
        _ => "rows + re-anchoring (stages 1 and 2)",
    };

    private static string Table(Dictionary<(Mode Mode, double Kick), List<Score>> scores, List<(int Runs, int Refused, int Commands)> infeasible, int runs, out bool holds)
    {
        string[] cards = [".272 / .200 / .182", ".872 / .816 / .744", "not measured", "1.000 / 1.000 / 1.000"];
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Both gates and the goal passed within {Ticks} ticks; {runs} starts from seed {JudgedStart}, one sideways kick of so many m between ticks 6 and 30, {Seeds} training seeds (each figure one of them). Flow of 3 x {Width} (the card: 3 x 256), {Updates} (3000) updates of {GatesPolicies.Batch} on {Demonstrations} demonstrations (a push of up to {GatesPolicies.Push} m in each), Euler 5, chunks of {GatesPolicies.Horizon}, {GatesPolicies.Executed} executed. A first recipe with fewer pushes and 2500 updates gave, on other seeds and starts (`--pilot`), .96 / .81 / .69 with re-anchoring; this one was judged once. One standard error is at most 0.022.");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| execution | card, kick 0 / .3 / .6 | {string.Join(" | ", s_kicks.Select(kick => $"kick {kick.ToString(CultureInfo.InvariantCulture)}"))} |");
        text.AppendLine("|---|---|---|---|---|");
        foreach (var mode in Enum.GetValues<Mode>())
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {Words(mode)} | {cards[(int)mode]} | {string.Join(" | ", s_kicks.Select(kick => string.Join(", ", scores.GetValueOrDefault((mode, kick), []).Select(score => score.Passed.ToString("F3", CultureInfo.InvariantCulture)))))} |");
        }

        text.AppendLine(CultureInfo.InvariantCulture, $"| replans a run, with re-anchoring | 0 at kick 0 (target) | {string.Join(" | ", s_kicks.Select(kick => string.Join(", ", scores[(Mode.Anchoring, kick)].Select(score => score.Replans.ToString("F3", CultureInfo.InvariantCulture)))))} |");
        text.AppendLine(CultureInfo.InvariantCulture, $"| feasible routes that stage 1 refused, a run | | {string.Join(" | ", s_kicks.Select(kick => string.Join(", ", scores[(Mode.Anchoring, kick)].Select(score => score.Rejected.ToString("F3", CultureInfo.InvariantCulture)))))} |");
        text.AppendLine();
        var anchored = scores[(Mode.Anchoring, 0.6)];
        double[] gains = [.. anchored.Zip(scores[(Mode.Clock, 0.6)], (a, b) => a.Passed - b.Passed)];
        bool gain = gains.All(over => over >= 0.15), enough = anchored.All(score => score.Passed >= 0.95);
        bool quiet = scores[(Mode.Anchoring, 0)].All(score => score.Replans == 0), refused = infeasible.All(one => one.Commands == 0 && one.Refused == one.Runs);
        text.AppendLine("| acceptance | required | measured, by seed | |");
        text.AppendLine("|---|---|---|---|");
        Line("kick 0.6: re-anchoring over the clock", "at least 0.15", gains.Select(over => over.ToString("F3", CultureInfo.InvariantCulture)), gain);
        Line("kick 0.6: re-anchoring", "at least 0.95", anchored.Select(score => score.Passed.ToString("F3", CultureInfo.InvariantCulture)), enough);
        Line("kick 0: replans a run (the card's target)", "0", scores[(Mode.Anchoring, 0)].Select(score => score.Replans.ToString("F3", CultureInfo.InvariantCulture)), quiet);
        Line("routes out of reach or out of time: commands sent (the card's target)", "0, all refused", infeasible.Select(one => $"{one.Commands} in {one.Runs} runs, {one.Refused} refused"), refused);
        text.AppendLine();
        holds = gain && enough && quiet && refused;
        text.AppendLine(holds ? "Every line holds." : "At least one line falls short.");
        return text.ToString();

        void Line(string what, string required, IEnumerable<string> measured, bool held) =>
            text.AppendLine(CultureInfo.InvariantCulture, $"| {what} | {required} | {string.Join(", ", measured)} | {(held ? "holds" : "**short**")} |");
    }
}
