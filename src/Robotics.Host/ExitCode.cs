using System.CommandLine;

namespace Robotics.Host;

/// <summary>How the program ends; documented in <c>robotics --help</c> and the README.</summary>
public static class ExitCode
{
    /// <summary>Done as asked.</summary>
    public const int Done = 0;

    /// <summary>The run failed or ended in a hold.</summary>
    public const int Failed = 1;

    /// <summary>Something a person wrote is wrong; nothing moved.</summary>
    public const int BadInput = 2;

    /// <summary>Ended in an emergency stop.</summary>
    public const int EmergencyStop = 3;

    /// <summary>Interrupted before anything was running.</summary>
    public const int Interrupted = 130;

    /// <summary>Gives a command its action: what a person got wrong becomes one message and code 2, what the world got wrong
    /// one message and code 1.</summary>
    public static void SetGuardedAction(this Command command, Func<ParseResult, CancellationToken, Task<int>> action)
    {
        ArgumentNullException.ThrowIfNull(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            try
            {
                return await action(parsed, cancellation).ConfigureAwait(false);
            }
            catch (ConfigException wrong)
            {
                return Say(wrong.Message, BadInput);
            }
            catch (RobotRefusedException refused)
            {
                return Say(refused.Message, BadInput);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return Interrupted;
            }
            catch (Exception failed) when (failed is IOException or UnauthorizedAccessException or TimeoutException or SimulationDivergedException)
            {
                return Say(failed.Message, Failed);
            }
        });
    }

    private static int Say(string message, int code)
    {
        Console.Error.WriteLine("robotics: " + message);
        return code;
    }
}
