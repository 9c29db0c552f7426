using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Robotics.Host;

/// <summary>Help with examples: the first paragraph of a command's description stands in lists, the rest under its own
/// <c>--help</c>.</summary>
internal sealed class LongHelp : SynchronousCommandLineAction
{
    private readonly Dictionary<Command, string> _rest = [];
    private readonly HelpAction _usual;

    private LongHelp(HelpAction usual, Command root)
    {
        _usual = usual;
        foreach (var command in Below(root))
        {
            string[] parts = (command.Description ?? "").Split("\n\n", 2);
            command.Description = parts[0].ReplaceLineEndings(" ");
            _rest[command] = parts.Length == 2 ? parts[1] : "";
        }
    }

    private static IEnumerable<Command> Below(Command command) => command.Subcommands.SelectMany(Below).Prepend(command);

    /// <summary>Takes over the help of <paramref name="root"/> and its commands.</summary>
    public static void Install(RootCommand root)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        option.Action = new LongHelp((HelpAction)option.Action!, root);
    }

    /// <inheritdoc/>
    /// <remarks>Who asks for help need not have given what is required.</remarks>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int code = _usual.Invoke(parseResult);
        if (_rest.TryGetValue(parseResult.CommandResult.Command, out string? rest) && rest.Length > 0)
        {
            parseResult.InvocationConfiguration.Output.WriteLine(rest);
            parseResult.InvocationConfiguration.Output.WriteLine();
        }

        return code;
    }
}
