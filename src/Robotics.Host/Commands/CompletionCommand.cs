using System.CommandLine;

namespace Robotics.Host.Commands;

/// <summary><c>robotics completion SHELL</c>: prints the script that completes commands and options.</summary>
internal static class CompletionCommand
{
    public static Command Create()
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", """
            Prints a script that completes commands and options in your shell.

            Example:
              source <(robotics completion bash)
            """)
        { shell };
        command.SetAction(parsed =>
        {
            Console.Write(Script(parsed.GetRequiredValue(shell)));
            return ExitCode.Done;
        });
        return command;
    }

    // The parser answers "[suggest:POSITION] LINE" with one candidate per line.
    private static string Script(string shell) => shell switch
    {
        "bash" => """
            _robotics_complete() {
                local IFS=$'\n'
                COMPREPLY=($(robotics "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null))
            }
            complete -o default -F _robotics_complete robotics

            """,
        "zsh" => """
            _robotics() { compadd -- ${(f)"$(robotics "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)"} }
            compdef _robotics robotics

            """,
        _ => """
            complete -c robotics -a '(robotics "[suggest:"(commandline -C)"]" (commandline -b) 2>/dev/null)'

            """,
    };
}
