using System.Globalization;
using Robotics.Packages;

namespace Robotics.Host.Running;

/// <summary>A policy's operator commands as one vector that people set by element name.</summary>
internal sealed class CommandVector
{
    private readonly string[] _names;

    public CommandVector(IReadOnlyList<CommandSpec> commands)
    {
        _names = [.. commands.SelectMany(command => command.Elements)];
        Values = [.. commands.SelectMany(command => command.Default)];
    }

    /// <summary>All commands of the policy one after another.</summary>
    public float[] Values { get; }

    /// <summary>Applies <c>name=value</c> settings.</summary>
    /// <exception cref="ConfigException">An element the policy does not have, or no number.</exception>
    public void Set(IReadOnlyList<string> settings, string source)
    {
        var check = new ConfigCheck(source);
        foreach (string setting in settings)
        {
            string[] parts = setting.Split('=', 2, StringSplitOptions.TrimEntries);
            int at = Array.IndexOf(_names, parts[0]);
            float value = 0;
            check.That(parts.Length == 2 && float.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out value) && float.IsFinite(value),
                "--command", $"'{setting}' is not NAME=NUMBER");
            check.That(at >= 0, "--command", $"sets '{parts[0]}', the policy's commands are: {(_names.Length == 0 ? "none" : string.Join(", ", _names))}");
            if (at >= 0)
            {
                Values[at] = value;
            }
        }

        check.Throw();
    }

    /// <summary>Applies values from a program; false, and nothing changed, when a name or number is wrong.</summary>
    public bool TrySet(IReadOnlyDictionary<string, float> values)
    {
        if (values.Any(pair => !_names.Contains(pair.Key) || !float.IsFinite(pair.Value)))
        {
            return false;
        }

        foreach (var (name, value) in values)
        {
            Values[Array.IndexOf(_names, name)] = value;
        }

        return true;
    }
}
