using System.Text.Json.Serialization;
using MQTTnet;
using MQTTnet.Protocol;

namespace Robotics.Fleet;

/// <summary>An operator's word to the controller that drives a robot.</summary>
/// <param name="Do"><c>hold</c>, <c>resume</c>, <c>stop</c>, <c>command</c> or <c>route</c>.</param>
/// <param name="Values">For <c>command</c>: operator command elements by name.</param>
/// <param name="Route">For <c>route</c>: the rows, as <see cref="Routes.RouteText"/> reads them.</param>
public sealed record OperatorRequest(string Do, IReadOnlyDictionary<string, float>? Values = null, string? Route = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OperatorRequest))]
internal sealed partial class OperatorContext : JsonSerializerContext;

/// <summary>Short visits to a broker by a person's command: one word said, one answer heard, gone.</summary>
public static class OperatorClient
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    /// <summary>Tells whoever drives <paramref name="robot"/>; nobody may be there.</summary>
    /// <exception cref="BrokerException">No broker.</exception>
    public static async Task TellControllerAsync(BrokerOptions broker, string robot, OperatorRequest request, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(broker);
        broker.Check();
        using var client = new MqttClientFactory().CreateMqttClient();
        await broker.ConnectAsync(client, NewName(), null, cancellation).ConfigureAwait(false);
        await client.PublishAsync(new MqttApplicationMessageBuilder()
            .WithTopic(new Topics(robot).Operator)
            .WithPayload(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(request, OperatorContext.Default.OperatorRequest))
            .WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce)
            .Build(), cancellation).ConfigureAwait(false);
        await client.DisconnectAsync(new MqttClientDisconnectOptions(), cancellation).ConfigureAwait(false);
    }

    /// <summary>Asks the robot side itself: <c>estop</c>, <c>clear</c> or <c>hold</c>.</summary>
    /// <exception cref="BrokerException">No broker.</exception>
    /// <exception cref="TimeoutException">The robot side did not answer.</exception>
    public static async Task<ControlReply> AskRobotAsync(BrokerOptions broker, string robot, string word, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(broker);
        broker.Check();
        var topics = new Topics(robot);
        string name = NewName();
        var request = new ControlRequest { Do = word, Id = name, Client = name };
        var answered = new TaskCompletionSource<ControlReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var client = new MqttClientFactory().CreateMqttClient();
        client.ApplicationMessageReceivedAsync += received =>
        {
            if (Documents.ReadReply(MqttRobot.Bytes(received.ApplicationMessage)) is { } reply && reply.Id == name)
            {
                answered.TrySetResult(reply);
            }

            return Task.CompletedTask;
        };
        await broker.ConnectAsync(client, name, null, cancellation).ConfigureAwait(false);
        await client.SubscribeAsync(topics.Reply(name), MqttQualityOfServiceLevel.AtLeastOnce, cancellation).ConfigureAwait(false);
        await client.PublishAsync(new MqttApplicationMessageBuilder()
            .WithTopic(topics.Control).WithPayload(Documents.Write(request)).WithQualityOfServiceLevel(MqttQualityOfServiceLevel.AtLeastOnce)
            .Build(), cancellation).ConfigureAwait(false);
        try
        {
            return await answered.Task.WaitAsync(s_patience, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"Robot '{robot}' did not answer at {broker} within {s_patience.TotalSeconds} s; is its robot side running there?", late);
        }
    }

    // A name of its own on the broker and in topics; nothing about control repeats it.
    internal static string NewName() => "controller-" + Guid.NewGuid().ToString("N")[..12];
}
