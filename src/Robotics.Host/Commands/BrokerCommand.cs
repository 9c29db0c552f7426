using System.CommandLine;
using System.Net;
using Robotics.Fleet;

namespace Robotics.Host.Commands;

/// <summary><c>robotics broker</c>: the embedded broker in a process of its own.</summary>
internal static class BrokerCommand
{
    public static Command Create()
    {
        var port = new Option<int>("--port", "-p") { Description = "TCP port; 0 takes a free one and says which", HelpName = "N", DefaultValueFactory = _ => 1883 };
        var bind = new Option<string>("--bind") { Description = "address to listen on; 0.0.0.0 opens it to the network", HelpName = "IP", DefaultValueFactory = _ => "127.0.0.1" };
        var certificate = new Option<string?>("--cert") { Description = "certificate with its key (PEM or PFX): TLS only", HelpName = "FILE" };
        var user = new Option<string?>("--user") { Description = "only this user may connect; password from ROBOTICS_MQTT_PASSWORD", HelpName = "NAME" };
        var json = new Option<bool>("--json") { Description = "one JSON object a line instead of text" };
        var command = new Command("broker", """
            Runs the embedded MQTT broker (5 and 3.1.1) until Ctrl-C. Listens on this machine only unless --bind says otherwise.

            Example:
              robotics broker --bind 0.0.0.0 --cert broker.pem --user robot
            """)
        { port, bind, certificate, user, json };
        command.SetGuardedAction(async (parsed, cancellation) =>
        {
            var check = new ConfigCheck("command line");
            check.Range(parsed.GetValue(port), 0, 65535, "--port");
            check.That(IPAddress.TryParse(parsed.GetRequiredValue(bind), out var address), "--bind", $"'{parsed.GetValue(bind)}' is no IP address");
            check.Throw();
            await using var broker = new EmbeddedBroker(new EmbeddedBrokerOptions
            {
                Port = parsed.GetValue(port),
                Bind = address!,
                Certificate = parsed.GetValue(certificate),
                User = parsed.GetValue(user),
                Password = Environment.GetEnvironmentVariable("ROBOTICS_MQTT_PASSWORD"),
            });
            await broker.StartAsync(cancellation).ConfigureAwait(false);
            Console.WriteLine(parsed.GetValue(json)
                ? JsonText.Object(writer =>
                {
                    writer.WriteString("type", "ready");
                    writer.WriteNumber("port", broker.Port);
                }, indented: false)
                : $"broker at {address}:{broker.Port}; Ctrl-C ends it");
            try
            {
                await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // Ctrl-C is the ordinary end.
            }

            return ExitCode.Done;
        });
        return command;
    }
}
