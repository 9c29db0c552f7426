using System.Globalization;
using Robotics.Fleet;

namespace Robotics.Host.Running;

/// <summary>Keeps a local robot on a broker and tells a person about it, whether it is simulated or at the end of a wire.</summary>
internal static class RobotOnBroker
{
    /// <summary>Serves until the time is over or <paramref name="cancellation"/>.</summary>
    /// <param name="server">Not started yet; stays the caller's.</param>
    /// <param name="at">The broker.</param>
    /// <param name="json">One JSON object a line instead of text.</param>
    /// <param name="seconds">How long; null: until stopped.</param>
    /// <param name="look">Called every 50 ms with the way to say something (kind, text); what it throws ends the service.</param>
    /// <param name="cancellation">Ctrl-C.</param>
    /// <returns>The program's exit code.</returns>
    public static async Task<int> ServeAsync(
        RobotServer server, BrokerOptions at, bool json, double? seconds, Action<Action<string, string>> look, CancellationToken cancellation)
    {
        server.Raised = happened => Say("event", $"{Episodes.Words.Of(happened.Mode)}: {happened.Text}");
        var connected = server.StartAsync(cancellation);
        if (await Task.WhenAny(connected, Task.Delay(TimeSpan.FromSeconds(2), cancellation)).ConfigureAwait(false) != connected)
        {
            Console.Error.WriteLine($"robotics: no broker at {at} yet ({server.LinkFailure}); still trying. 'robotics broker' starts one.");
        }

        await connected.ConfigureAwait(false);
        Say("ready", $"robot '{server.Topics.Robot}' is on {at}; Ctrl-C ends it");
        var end = seconds is { } length ? MonotonicTime.SystemNow() + TimeSpan.FromSeconds(length) : new MonotonicTime(long.MaxValue);
        while (!cancellation.IsCancellationRequested && MonotonicTime.SystemNow() < end)
        {
            look(Say);
            await Task.Delay(50, CancellationToken.None).ConfigureAwait(false);
        }

        var status = server.Status;
        Say("end", string.Create(CultureInfo.InvariantCulture,
            $"{status.StatesSent} states sent, {status.Accepted} commands taken, {status.DeadManHolds} dead-man holds, dropped: {Dropped(status)}"));
        return ExitCode.Done;

        void Say(string type, string text) => Console.WriteLine(json
            ? JsonText.Object(writer =>
            {
                writer.WriteString("type", type);
                writer.WriteString("text", text);
            }, indented: false)
            : text);
    }

    private static string Dropped(RobotServerStatus status)
    {
        var reasons = Enum.GetValues<CommandDrop>().Where(why => status.DroppedFor(why) > 0).Select(why => $"{status.DroppedFor(why)} {Episodes.Words.Of(why)}");
        return status.DroppedInAll == 0 ? "none" : string.Join(", ", reasons);
    }
}
