using Robotics.Control;

namespace Robotics.Host.Running;

/// <summary>The keys of an operator who sits before a terminal; silent when there is none.</summary>
internal sealed class Keys(ControlLoop loop, CommandVector command, StatusLine line) : IDisposable
{
    private readonly bool _there = Console.IsInputRedirected is false;
    private bool _said;

    /// <summary>True after q.</summary>
    public bool Quit { get; private set; }

    public void Poll()
    {
        if (!_there)
        {
            return;
        }

        if (!_said)
        {
            _said = true;
            line.Say("keys: space hold, r resume, e emergency stop, c clear it, q quit" + (command.Values.Length == 0 ? "" : "; commands with 'robotics control'"));
        }

        while (Console.KeyAvailable)
        {
            switch (Console.ReadKey(intercept: true).KeyChar)
            {
                case ' ':
                    loop.Hold();
                    break;
                case 'r':
                    loop.Resume();
                    break;
                case 'e':
                    loop.EmergencyStop();
                    break;
                case 'c':
                    loop.ClearEmergencyStop();
                    break;
                case 'q':
                    Quit = true;
                    break;
                default:
                    break;
            }
        }
    }

    public void Dispose() => line.Close();
}
