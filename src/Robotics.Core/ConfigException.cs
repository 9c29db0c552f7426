namespace Robotics;

/// <summary>Something a person wrote is wrong: a manifest, a robot file, an option. Carries every problem at once; programs
/// exit with code 2.</summary>
public sealed class ConfigException : Exception
{
    /// <summary>Creates the error from its parts.</summary>
    /// <param name="source">What was read: a file path, a topic, or "command line".</param>
    /// <param name="problems">One sentence each, starting with the path of the value; at least one.</param>
    public ConfigException(string source, IReadOnlyList<string> problems)
        : base(problems is [var only] ? $"{source}: {only}" : $"{source}: {problems?.Count} problems\n  " + string.Join("\n  ", problems ?? []))
    {
        Origin = source;
        Problems = problems ?? [];
    }

    /// <summary>Creates the error from one message.</summary>
    public ConfigException(string message)
        : base(message)
    {
        Origin = "";
        Problems = [message];
    }

    /// <summary>Creates the error from one message and its cause.</summary>
    public ConfigException(string message, Exception inner)
        : base(message, inner)
    {
        Origin = "";
        Problems = [message];
    }

    /// <summary>Creates an unexplained error.</summary>
    public ConfigException()
        : this("The configuration is wrong.")
    {
    }

    /// <summary>What was read.</summary>
    public string Origin { get; }

    /// <summary>Every problem, one sentence each.</summary>
    public IReadOnlyList<string> Problems { get; }
}

/// <summary>Collects everything wrong with one configuration, then throws once.</summary>
/// <param name="source">Where the values came from, for the message: a file path or "code".</param>
public sealed class ConfigCheck(string source)
{
    private readonly List<string> _problems = [];

    /// <summary>True while nothing is wrong.</summary>
    public bool Ok => _problems.Count == 0;

    /// <summary>Problems so far.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Adds a problem at <paramref name="path"/> (a JSON path such as <c>action.scale</c>).</summary>
    public void Add(string path, string problem) => _problems.Add(path.Length == 0 ? problem : $"{path} {problem}");

    /// <summary>Adds a problem unless <paramref name="holds"/>.</summary>
    public void That(bool holds, string path, string problem)
    {
        if (!holds)
        {
            Add(path, problem);
        }
    }

    /// <summary>Adds a problem unless the value lies in [<paramref name="low"/>, <paramref name="high"/>].</summary>
    public void Range(double value, double low, double high, string path) =>
        That(value >= low && value <= high, path, FormattableString.Invariant($"is {value}, expected {low} to {high}"));

    /// <summary>Throws when anything is wrong.</summary>
    /// <exception cref="ConfigException">Everything that was added.</exception>
    public void Throw()
    {
        if (_problems.Count > 0)
        {
            throw new ConfigException(source, _problems);
        }
    }
}
