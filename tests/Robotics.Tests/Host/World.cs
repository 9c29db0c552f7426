using System.Globalization;
using System.Text.Json.Nodes;

namespace Robotics.Tests.Host;

/// <summary>A broker and a simulated robot, each its own process.</summary>
internal sealed class World : IDisposable
{
    public World(string robot, params string[] robotArgs)
    {
        Broker = RoboticsProcess.Start("broker", "--port", "0", "--json");
        Port = (int)JsonNode.Parse(Broker.WaitFor("ready"))!["port"]!;
        Robot = RoboticsProcess.Start(["sim-robot", robot, "--broker", Url, "--json", .. robotArgs]);
        Robot.WaitFor("ready");
    }

    public RoboticsProcess Broker { get; private set; }

    public RoboticsProcess Robot { get; }

    public int Port { get; }

    public string Url => $"mqtt://127.0.0.1:{Port}";

    /// <summary>Starts a controller in a third process.</summary>
    public RoboticsProcess Run(string policy, string robot, string record, params string[] args) => RoboticsProcess.Start(
        ["run", policy, "--robot", "mqtt:" + robot, "--broker", Url, "--json", "--record", record, .. args]);

    /// <summary>Starts the broker again on the same port.</summary>
    public void RestartBroker()
    {
        Broker.Dispose();
        Broker = RoboticsProcess.Start("broker", "--port", Port.ToString(CultureInfo.InvariantCulture), "--json");
        Broker.WaitFor("ready");
    }

    public void Dispose()
    {
        Robot.Dispose();
        Broker.Dispose();
    }
}
