using System.Globalization;
using Robotics.Fleet;

namespace Robotics.Host.Running;

/// <summary>A robot that this program puts on MQTT, simulated or on a wire, until it is told to stop.</summary>
/// <param name="robot">Stays the caller's.</param>
/// <param name="description">Its robot.json.</param>
/// <param name="broker">Where to.</param>
/// <param name="json">One JSON object a line instead of text.</param>
internal sealed class RobotSide(IRobot robot, string description, BrokerOptions broker, bool json)
{
    /// <summary>How strict the server is.</summary>
    public RobotServerOptions Options { get; init; } = new();

    /// <summary>Why the robot will never work again; null while it does.</summary>
    public Func<string?> Broken { get; init; } = () => null;

    /// <summary>Something that a person should know and that may pass; null: nothing. Said when it changes.</summary>
    public Func<string?> Trouble { get; init; } = () => null;

    /// <summary>Serves until cancelled, or for <paramref name="seconds"/>.</summary>
    /// <exception cref="SimulationDivergedException">The simulated robot broke.</exception>
    public async Task RunAsync(double? seconds, CancellationToken cancellation)
    {
        await using var server = new RobotServer(robot, description, broker, Options);
        server.Raised = happened => Say("event", $"{Episodes.Words.Of(happened.Mode)}: {happened.Text}");
        var connected = server.StartAsync(cancellation);
        if (await Task.WhenAny(connected, Task.Delay(TimeSpan.FromSeconds(2), cancellation)).ConfigureAwait(false) != connected)
        {
            Console.Error.WriteLine($"robotics: no broker at {broker} yet ({server.LinkFailure}); still trying. 'robotics broker' starts one.");
        }

        await connected.ConfigureAwait(false);
        Say("ready", $"robot '{robot.Spec.Name}' is on {broker}; Ctrl-C ends it");
        var end = seconds is { } limit ? MonotonicTime.SystemNow() + TimeSpan.FromSeconds(limit) : new MonotonicTime(long.MaxValue);
        string? said = null;
        while (!cancellation.IsCancellationRequested && MonotonicTime.SystemNow() < end)
        {
            if (Broken() is { } broken)
            {
                throw new SimulationDivergedException(broken);
            }

            if (Trouble() is var trouble && trouble != said)
            {
                said = trouble;
                Say("trouble", trouble ?? "all is well again");
            }

            await Task.Delay(50, CancellationToken.None).ConfigureAwait(false);
        }

        var status = server.Status;
        Say("end", string.Create(CultureInfo.InvariantCulture,
            $"{status.StatesSent} states sent, {status.Accepted} commands taken, {status.DeadManHolds} dead-man holds, dropped: {Dropped(status)}"));
    }

    private static string Dropped(RobotServerStatus status)
    {
        var reasons = Enum.GetValues<CommandDrop>().Where(why => status.DroppedFor(why) > 0).Select(why => $"{status.DroppedFor(why)} {Episodes.Words.Of(why)}");
        return status.DroppedInAll == 0 ? "none" : string.Join(", ", reasons);
    }

    private void Say(string type, string text) => Console.WriteLine(json
        ? JsonText.Object(writer =>
        {
            writer.WriteString("type", type);
            writer.WriteString("text", text);
        }, indented: false)
        : text);
}
