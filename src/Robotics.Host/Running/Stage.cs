using Robotics.Control;
using Robotics.Fleet;
using Robotics.Packages;
using Robotics.Sim;

namespace Robotics.Host.Running;

/// <summary>The robot of a run and everything that had to be started to reach it: for a simulated robot an embedded broker and
/// the robot side as well, so that the whole stack is used even in one process.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _started = [];
    private MqttRobot? _link;
    private SimulatedRobot? _direct;
    private BrokerOptions? _embedded;

    private Stage()
    {
    }

    public IRobot Robot => (IRobot?)_link ?? _direct!;

    public static async Task<Stage> Set(RunRequest request, TimeSpan period, StatusLine line, TimeProvider clock, CancellationToken cancellation)
    {
        var stage = new Stage();
        try
        {
            await stage.Build(request, line, clock, cancellation).ConfigureAwait(false);
            if (stage._link is { } link)
            {
                link.CommandPeriod = period;
            }

            return stage;
        }
        catch
        {
            await stage.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Operator requests that come over the broker.</summary>
    public void OnOperator(Action<OperatorRequest> obey)
    {
        if (_link is not null)
        {
            _link.OperatorAsked = obey;
        }
    }

    /// <summary>What the robot's own side says, from the link's receiver: must not wait.</summary>
    public void OnRobot(Action<RobotEvent> hear)
    {
        if (_link is not null)
        {
            _link.Said = hear;
        }
    }

    /// <summary>Ends a hold: across MQTT the robot's own side must be claimed anew first, because its dead-man latches.</summary>
    public async Task ResumeAsync(ControlLoop loop)
    {
        try
        {
            if (_link is not null)
            {
                await loop.ArmAsync(CancellationToken.None).ConfigureAwait(false);
            }

            loop.Resume();
        }
        catch (RobotRefusedException refused)
        {
            await Console.Error.WriteLineAsync($"robotics: {refused.Message}").ConfigureAwait(false);
        }
    }

    /// <summary>Releases an emergency stop on both sides; the robot then holds.</summary>
    public async Task ClearAsync(ControlLoop loop, BrokerOptions? broker)
    {
        _direct?.ClearEmergencyStop();
        if (_link is not null && (broker ?? _embedded) is { } at)
        {
            await OperatorClient.AskRobotAsync(at, Robot.Spec.Name, "clear", CancellationToken.None).ConfigureAwait(false);
        }

        loop.ClearEmergencyStop();
    }

    public async ValueTask DisposeAsync()
    {
        _link?.Dispose();
        _direct?.Dispose();
        for (int i = _started.Count - 1; i >= 0; i--)
        {
            await _started[i].DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task Build(RunRequest request, StatusLine line, TimeProvider clock, CancellationToken cancellation)
    {
        if (request.Robot.MqttName is { } name)
        {
            var broker = request.Broker ?? BrokerOptions.Parse("mqtt://127.0.0.1:1883");
            _link = await MqttRobot.ConnectAsync(broker, name, new MqttRobotOptions(), clock, cancellation).ConfigureAwait(false);
            line.Say($"robot {name} at {broker}");
            return;
        }

        var robot = new SimulatedRobot(request.Robot.Simulate(), request.Seed, clock);
        robot.StartRealTime();
        if (request.Direct)
        {
            _direct = robot;
            return;
        }

        var at = request.Broker;
        if (at is null)
        {
            var embedded = new EmbeddedBroker(new EmbeddedBrokerOptions { Port = 0 });
            _started.Add(embedded);
            await embedded.StartAsync(cancellation).ConfigureAwait(false);
            at = _embedded = new BrokerOptions { Port = embedded.Port };
            line.Say($"embedded broker at 127.0.0.1:{embedded.Port}, simulated robot '{robot.Spec.Name}'");
        }

        var server = new RobotServer(robot, RobotFile.Write(robot.Spec), at, new RobotServerOptions { ClearEmergencyStop = robot.ClearEmergencyStop }, clock);
        _started.Add(new Owned(robot));
        _started.Add(server);
        await server.StartAsync(cancellation).ConfigureAwait(false);
        _link = await MqttRobot.ConnectAsync(at, robot.Spec.Name, new MqttRobotOptions(), clock, cancellation).ConfigureAwait(false);
    }

    private sealed class Owned(IDisposable inner) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            inner.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
