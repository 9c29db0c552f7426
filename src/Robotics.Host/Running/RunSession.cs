using System.Collections.Concurrent;
using System.Reflection;
using Robotics.Control;
using Robotics.Episodes;
using Robotics.Fleet;
using Robotics.Host.Commands;
using Robotics.Observations;
using Robotics.Packages;
using Robotics.Sim;

namespace Robotics.Host.Running;

/// <summary>What a person asked of <c>robotics run</c>.</summary>
internal sealed record RunRequest
{
    public required string Policy { get; init; }

    public required RobotChoice Robot { get; init; }

    public BrokerOptions? Broker { get; init; }

    public TimeSpan? Duration { get; init; }

    public ulong Seed { get; init; }

    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Route file; null: the manifest's, or the task's planner.</summary>
    public string? Route { get; init; }

    public IReadOnlyList<string>? Providers { get; init; }

    /// <summary>Record file; null: none.</summary>
    public string? Record { get; init; }

    /// <summary>Report page; null: none.</summary>
    public string? Report { get; init; }

    public bool Direct { get; init; }

    public bool LockStep { get; init; }

    public bool ExitOnHold { get; init; }

    public bool RealTime { get; init; } = true;

    public bool Json { get; init; }

    /// <summary>Looks at the newest signals about ten times a second; true ends the run. Null: nobody looks.</summary>
    public Func<ReadOnlyMemory<float>, ControlState, bool>? Watch { get; init; }
}

/// <summary>One run from the first check to the report: puts the rooms together and holds no logic of its own.</summary>
internal sealed class RunSession(RunRequest request)
{
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly StatusLine _line = new(request.Json, Console.Out);
    private readonly ConcurrentQueue<RobotEvent> _said = new(); // by the robot's own side

    /// <summary>Runs until the duration is over, a person stops it, or nothing more can happen.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> RunAsync(CancellationToken cancellation) => request.LockStep ? LockStep(cancellation) : InRealTime(cancellation);

    private async Task<int> InRealTime(CancellationToken cancellation)
    {
        if (request.RealTime && !ProcessPriority.Raise())
        {
            _line.Say("scheduling: the process keeps its ordinary priority; CAP_SYS_NICE would let link threads answer sooner");
        }

        var clock = TimeProvider.System;
        using var policy = PolicyChoice.Load(request.Policy, request.Providers, clock);
        Check(policy);

        await using var stage = await Stage.Set(request, TimeSpan.FromMilliseconds(policy.Manifest.Timing.PeriodMs), _line, clock, cancellation).ConfigureAwait(false);
        var robot = stage.Robot;
        var assembler = new ObservationAssembler(policy.Manifest, robot.Spec);
        var actions = new ActionMap(policy.Manifest, robot.Spec);
        Fit(policy, assembler, actions);
        using var recorder = OpenRecord(policy, robot, assembler.CommandElements.Count, clock, background: true);
        var plan = ControlLoop.Rehearse(policy.Manifest, robot.Spec, policy.Policy);
        var scheduling = new SchedulingOptions { RealTime = request.RealTime, PlannerPriority = SchedulingOptions.PriorityOf(policy.Policy.Spec, plan) };
        var loop = new ControlLoop(policy.Manifest, robot, policy.Policy, assembler, actions,
            new ControlOptions { Seed = request.Seed, Duration = request.Duration, Settle = s_settle, Scheduling = scheduling }, clock, recorder);
        using var route = RouteWatch.Open(request, policy, robot.Spec, loop, recorder, clock, () => _ = stage.ResumeAsync(loop));
        int code;
        try
        {
            var operatorCommand = new CommandVector(policy.Manifest.Commands);
            operatorCommand.Set(request.Command, "command line");
            loop.SetCommand(operatorCommand.Values);
            stage.OnOperator(asked => Obey(loop, stage, operatorCommand, route, asked));
            stage.OnRobot(said =>
            {
                var state = loop.State;
                recorder?.Note(new(MonotonicTime.Now(clock), state, state, said.Reason, $"robot '{robot.Spec.Name}' ({Words.Of(said.Mode)}): {said.Text}"));
                _said.Enqueue(said);
            });
            foreach (var report in loop.Scheduling.Where(report => !report.Complete))
            {
                _line.Say("scheduling: " + report);
            }

            _line.Say($"{policy.Manifest.Name} drives {robot.Spec.Name}: {policy.Serves}");
            loop.Start();
            await loop.ArmAsync(cancellation).ConfigureAwait(false);
            loop.Run();
            await Watch(loop, stage, operatorCommand, route, cancellation).ConfigureAwait(false);
            code = CodeOf(loop);
        }
        finally
        {
            // Whatever happened above: the robot first, then the program.
            await loop.StopAsync(CancellationToken.None).ConfigureAwait(false);
            loop.Dispose();
            Drain(loop);
            route?.Say(_line);
        }

        return Finish(loop, recorder, code);
    }

    private Task<int> LockStep(CancellationToken cancellation)
    {
        var clock = new ManualClock();
        using var policy = PolicyChoice.Load(request.Policy, request.Providers, clock);
        Check(policy);
        var duration = request.Duration
            ?? throw new ConfigException("command line", ["--lock-step needs --duration SECONDS: simulated time has no other end"]);
        using var robot = new SimulatedRobot(request.Robot.Simulate(), request.Seed, clock);
        var assembler = new ObservationAssembler(policy.Manifest, robot.Spec);
        var actions = new ActionMap(policy.Manifest, robot.Spec);
        Fit(policy, assembler, actions);
        using var recorder = OpenRecord(policy, robot, assembler.CommandElements.Count, clock, background: false);
        using var loop = new ControlLoop(policy.Manifest, robot, policy.Policy, assembler, actions,
            new ControlOptions { Seed = request.Seed, Duration = request.Duration, Planner = PlannerMode.Inline }, clock, recorder);
        using var route = RouteWatch.Open(request, policy, robot.Spec, loop, recorder, clock, resume: null);
        float[] signals = new float[robot.Spec.Layout.Length];
        var operatorCommand = new CommandVector(policy.Manifest.Commands);
        operatorCommand.Set(request.Command, "command line");
        loop.SetCommand(operatorCommand.Values);
        loop.ArmAsync(cancellation).GetAwaiter().GetResult(); // a simulated robot answers at once
        loop.Run();
        long ticks = (long)(duration / loop.Timing.Period) + 2; // arming and the end take a tick each
        for (long k = 0; k < ticks && loop.State != ControlState.Stopped && !cancellation.IsCancellationRequested; k++)
        {
            loop.Tick(MonotonicTime.Now(clock));
            robot.Advance(loop.Timing.Period, clock);
            route?.Look(loop.TryReadSignals(signals) ? signals : [], wait: true);
            recorder?.Drain();
            Drain(loop);
            route?.Say(_line);
        }

        int code = CodeOf(loop);
        loop.Stop();
        loop.Tick(MonotonicTime.Now(clock));
        Drain(loop);
        return Task.FromResult(Finish(loop, recorder, code));
    }

    // Everything that can be said before a robot is touched.
    private void Check(PolicyChoice policy)
    {
        var manifest = policy.Manifest;
        var commands = new CommandVector(manifest.Commands);
        commands.Set(request.Command, "command line");
        RouteWatch.Given(request.Route, policy);
        if (request.Robot.IsSimulated)
        {
            var robot = request.Robot.Describe();
            var check = PolicyCheck.Run(manifest, robot);
            if (!check.Ok)
            {
                throw new ConfigException($"Policy '{manifest.Name}' cannot drive robot '{robot.Name}'", check.Problems);
            }
        }
    }

    // Before a record is begun: a run that cannot be leaves none behind.
    private static void Fit(PolicyChoice policy, ObservationAssembler assembler, ActionMap actions)
    {
        var check = new ConfigCheck(policy.Manifest.Origin);
        ControlLoop.Fit(policy.Manifest, policy.Policy.Spec, assembler, actions, check);
        check.Throw();
    }

    private async Task Watch(ControlLoop loop, Stage stage, CommandVector command, RouteWatch? route, CancellationToken cancellation)
    {
        using var keys = new Keys(loop, stage, request.Broker, command, _line);
        var next = MonotonicTime.SystemNow();
        // A run that never began has no end of its own.
        var giveUp = request.Duration is { } duration ? next + duration + s_patience : new MonotonicTime(long.MaxValue);
        bool started = false;
        float[] signals = new float[stage.Robot.Spec.Layout.Length];
        while (!cancellation.IsCancellationRequested)
        {
            Drain(loop);
            keys.Poll();
            if (loop.State == ControlState.Stopped || keys.Quit || MonotonicTime.SystemNow() > giveUp)
            {
                return;
            }

            started |= loop.State == ControlState.Running;
            if (request.ExitOnHold && started && loop.State is ControlState.Holding or ControlState.EmergencyStop)
            {
                return;
            }

            bool measured = loop.TryReadSignals(signals);
            if (request.Watch is { } watch && measured && watch(signals, loop.State))
            {
                loop.Finish();
            }

            route?.Look(measured ? signals : [], wait: false);
            route?.Say(_line);

            if (MonotonicTime.SystemNow() >= next)
            {
                next += TimeSpan.FromSeconds(1);
                _line.Status(loop.Snapshot());
            }

            await Task.Delay(20, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static void Obey(ControlLoop loop, Stage stage, CommandVector command, RouteWatch? route, OperatorRequest asked)
    {
        switch (asked.Do)
        {
            case "hold":
                loop.Hold();
                break;
            case "resume":
                _ = stage.ResumeAsync(loop);
                break;
            case "stop":
                loop.Stop();
                break;
            case "command" when asked.Values is { } values && command.TrySet(values):
                loop.SetCommand(command.Values);
                break;
            case "route" when asked.Route is { } text:
                route?.Offer(text);
                break;
            default:
                break; // anybody's bytes: what is not understood changes nothing
        }
    }

    private Recorder? OpenRecord(PolicyChoice policy, IRobot robot, int commands, TimeProvider clock, bool background)
    {
        if (request.Record is not { } path)
        {
            return null;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var header = new EpisodeHeader
        {
            Program = "robotics " + (Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? ""),
            StartedUtc = clock.GetUtcNow(),
            StartedAt = MonotonicTime.Now(clock),
            Robot = RobotFile.Write(robot.Spec),
            Policy = policy.Text,
            PolicySha256 = policy.Sha256,
            Properties = new Dictionary<string, string>
            {
                ["policy"] = policy.Manifest.Name,
                ["robot"] = request.Robot.Text,
                ["seed"] = request.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture),
                ["serves"] = policy.Serves,
                ["command"] = string.Join(',', request.Command),
            },
        };
        var stream = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read);
        return new Recorder(stream, header, robot, policy.Policy.Spec, commands, new RecorderOptions { Background = background }, clock);
    }

    private MonotonicTime? _firstEvent;

    private void Drain(ControlLoop loop)
    {
        while (_said.TryDequeue(out var said))
        {
            _line.Robot(said);
        }

        while (loop.TryReadEvent(out var happened))
        {
            _firstEvent ??= happened.Time;
            _line.Event(in happened, happened.Time.NanosecondsSince(_firstEvent.Value) / 1e9);
        }
    }

    private static int CodeOf(ControlLoop loop) => loop.State switch
    {
        ControlState.EmergencyStop => ExitCode.EmergencyStop,
        ControlState.Holding when loop.Reason is not (HoldReason.OperatorStop or HoldReason.RouteDone) => ExitCode.Failed,
        ControlState.Stopped when loop.Snapshot() is { Holds: > 0, FirstReason: not (HoldReason.EndOfRun or HoldReason.OperatorStop or HoldReason.RouteDone) } => ExitCode.Failed,
        _ => ExitCode.Done,
    };

    private int Finish(ControlLoop loop, Recorder? recorder, int code)
    {
        recorder?.Dispose();
        var status = loop.Snapshot();
        _line.Status(status);
        _line.Close();
        if (recorder is { Failed: true })
        {
            Console.Error.WriteLine($"robotics: the record {request.Record} ends early: {recorder.Failure}");
            code = ExitCode.Failed;
        }

        string? report = null;
        if (recorder is not null && request.Report is { } page)
        {
            ReportCommand.Write(request.Record!, page);
            report = page;
        }

        if (recorder is not null)
        {
            _line.Say($"record {request.Record}" + (report is null ? "" : $"  report {report}"));
        }

        _line.Summary(status, code, recorder is null ? null : request.Record, report);
        return code;
    }
}
