using System.CommandLine;
using System.CommandLine.Parsing;

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

    /// <summary>What the program is called: the beginning of every line it says about something wrong. Set once, before anything is parsed.</summary>
    public static string Program { get; set; } = "robotics";

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
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return Interrupted;
            }
            catch (Exception error) when (Known(First(error)) is { } code)
            {
                return Say(First(error).Message, code);
            }
        });
    }

    /// <summary>Says what is wrong with a command line, and where help is.</summary>
    public static int WrongUsage(ParseResult parsed)
    {
        ArgumentNullException.ThrowIfNull(parsed);
        foreach (var error in parsed.Errors)
        {
            Console.Error.WriteLine($"{Program}: {error.Message}");
        }

        string path = "";
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Command: not RootCommand } command; at = at.Parent)
        {
            path = $"{command.Command.Name} {path}";
        }

        Console.Error.WriteLine($"See '{Program} {path}--help'.");
        return BadInput;
    }

    // What several threads ran into at once is one error to a person.
    private static Exception First(Exception error) => error is AggregateException { InnerException: { } first } ? first : error;

    private static int? Known(Exception error) => error switch
    {
        ConfigException or RobotRefusedException => BadInput,
        IOException or UnauthorizedAccessException or TimeoutException or SimulationDivergedException or SimulatorFailedException => Failed,
        _ => null,
    };

    private static int Say(string message, int code)
    {
        Console.Error.WriteLine($"{Program}: {message}");
        return code;
    }
}
