using MQTTnet;

namespace Robotics.Fleet;

/// <summary>Where the broker is and how to get in.</summary>
public sealed record BrokerOptions
{
    /// <summary>Host name or address.</summary>
    public string Host { get; init; } = "localhost";

    /// <summary>TCP port.</summary>
    public int Port { get; init; } = 1883;

    /// <summary>Speak MQTT 3.1.1.</summary>
    public bool Version311 { get; init; }

    internal MqttClientOptionsBuilder Client(string clientId) =>
        new MqttClientOptionsBuilder().WithTcpServer(Host, Port).WithClientId(clientId).WithCleanSession();
}
