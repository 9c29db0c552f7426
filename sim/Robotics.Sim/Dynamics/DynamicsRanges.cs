using System.Globalization;
using Robotics.Numerics;

namespace Robotics.Sim;

/// <summary>What is known about one parameter.</summary>
/// <param name="Parameter">Which.</param>
/// <param name="Name">Its word on command lines and in records.</param>
/// <param name="Nominal">Value that changes nothing.</param>
/// <param name="Lowest">Least allowed value.</param>
/// <param name="Highest">Greatest allowed value.</param>
/// <param name="ScaleLike">A factor: drawn evenly on a logarithmic scale.</param>
public sealed record KnownDynamics(DynamicsParameter Parameter, string Name, double Nominal, double Lowest, double Highest, bool ScaleLike);

/// <summary>The interval one parameter is drawn from in every episode; a single value where both ends are equal.</summary>
/// <param name="Parameter">Which.</param>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end, included for <see cref="DynamicsParameter.Latency"/>.</param>
public readonly record struct DynamicsRange(DynamicsParameter Parameter, double Low, double High);

/// <summary>How the dynamics of a task differ from nominal: fixed values (a gap, <c>gravity=2,friction=0.3</c>) and ranges that every
/// episode draws from (randomisation, <c>mass=0.8..1.2,latency=0..2</c>). Immutable.</summary>
/// <remarks>Factors are drawn evenly in their logarithm, so that halving is as likely as doubling; latency evenly over whole steps;
/// everything else evenly.</remarks>
public sealed class DynamicsRanges
{
    private readonly DynamicsRange[] _ranges; // in the order of the parameters

    private DynamicsRanges(IEnumerable<DynamicsRange> ranges) => _ranges = [.. ranges.OrderBy(range => range.Parameter)];

    /// <summary>Every parameter, in the order of <see cref="DynamicsParameter"/>.</summary>
    public static IReadOnlyList<KnownDynamics> Parameters { get; } =
    [
        new(DynamicsParameter.Gravity, "gravity", 1, 0, 10, true),
        new(DynamicsParameter.Friction, "friction", 1, 0.01, 10, true),
        new(DynamicsParameter.Mass, "mass", 1, 0.05, 20, true),
        new(DynamicsParameter.Damping, "damping", 1, 0, 20, true),
        new(DynamicsParameter.Motor, "motor", 1, 0, 10, true),
        new(DynamicsParameter.Latency, "latency", 0, 0, 20, false),
        new(DynamicsParameter.Noise, "noise", 0, 0, 1, false),
        new(DynamicsParameter.Bias, "bias", 0, 0, 1, false),
    ];

    /// <summary>Nothing differs.</summary>
    public static DynamicsRanges Nominal { get; } = new([]);

    /// <summary>The usual randomisation: gravity ±10 %, mass ±20 %, friction 0.5 to 1.25, damping ±30 %, motors ±10 %, latency 0 to 2
    /// steps, noise up to 0.01.</summary>
    public static DynamicsRanges Usual { get; } = new(
    [
        new(DynamicsParameter.Gravity, 0.9, 1.1), new(DynamicsParameter.Friction, 0.5, 1.25), new(DynamicsParameter.Mass, 0.8, 1.2),
        new(DynamicsParameter.Damping, 0.7, 1.3), new(DynamicsParameter.Motor, 0.9, 1.1), new(DynamicsParameter.Latency, 0, 2),
        new(DynamicsParameter.Noise, 0, 0.01),
    ]);

    /// <summary>What differs, in the order of the parameters.</summary>
    public IReadOnlyList<DynamicsRange> Ranges => _ranges;

    /// <summary>Greatest latency that a draw can have, control steps.</summary>
    public int GreatestLatency => (int)_ranges.Where(range => range.Parameter == DynamicsParameter.Latency).Select(range => range.High).FirstOrDefault();

    /// <summary>Reads <c>NAME=VALUE</c> and <c>NAME=LOW..HIGH</c>, separated by commas; empty: nothing differs.</summary>
    /// <param name="text">What a person wrote.</param>
    /// <param name="source">Where, for the message: <c>--gap</c>.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static DynamicsRanges Parse(string text, string source)
    {
        ArgumentNullException.ThrowIfNull(text);
        var check = new ConfigCheck(source);
        var ranges = new List<DynamicsRange>();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] sides = part.Split('=', 2, StringSplitOptions.TrimEntries);
            var known = Parameters.FirstOrDefault(parameter => parameter.Name == sides[0]);
            string[] ends = sides.Length == 2 ? sides[1].Split("..", 2) : [];
            if (known is null || ends.Length == 0)
            {
                check.Add("", $"'{part}' is not NAME=VALUE or NAME=LOW..HIGH with NAME one of {string.Join(", ", Parameters.Select(parameter => parameter.Name))}");
                continue;
            }

            if (!Number(ends[0], out double low) || !Number(ends[^1], out double high))
            {
                check.Add(known.Name, $"is '{sides[1]}', expected a number or LOW..HIGH");
                continue;
            }

            check.That(low <= high, known.Name, $"runs from {ends[0]} down to {ends[^1]}; write the lower end first");
            check.That(low >= known.Lowest && high <= known.Highest, known.Name, FormattableString.Invariant($"is {sides[1]}, expected {known.Lowest} to {known.Highest}"));
            check.That(known.Parameter != DynamicsParameter.Latency || (low == Math.Floor(low) && high == Math.Floor(high)), known.Name, $"is {sides[1]}, expected whole control steps");
            check.That(ranges.All(range => range.Parameter != known.Parameter), known.Name, "is given twice");
            ranges.Add(new(known.Parameter, low, high));
        }

        check.Throw();
        return new(ranges);

        static bool Number(string text, out double value) =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
    }

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => string.Join(',', _ranges.Select(range => range.Low == range.High
        ? FormattableString.Invariant($"{Parameters[(int)range.Parameter].Name}={range.Low}")
        : FormattableString.Invariant($"{Parameters[(int)range.Parameter].Name}={range.Low}..{range.High}")));

    /// <summary>Only what <paramref name="task"/> has: for <see cref="Usual"/>, where a missing parameter is no mistake.</summary>
    public DynamicsRanges Restricted(ILearningTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return new(_ranges.Where(range => Has(task, range.Parameter)));
    }

    /// <summary>Returns these ranges, or says what <paramref name="task"/> does not have.</summary>
    /// <exception cref="ConfigException">A parameter without meaning for the task.</exception>
    public DynamicsRanges CheckedFor(ILearningTask task, string source)
    {
        ArgumentNullException.ThrowIfNull(task);
        var check = new ConfigCheck(source);
        foreach (var range in _ranges.Where(range => !Has(task, range.Parameter)))
        {
            check.Add(Parameters[(int)range.Parameter].Name, $"means nothing to task '{task.Name}'; it has: "
                + string.Join(", ", Parameters.Where(known => Has(task, known.Parameter)).Select(known => known.Name)));
        }

        check.Throw();
        return this;
    }

    /// <summary>Draws the dynamics of one episode. Allocation-free.</summary>
    /// <param name="random">Draws one number for every range, in their order.</param>
    /// <param name="into">Receives a value for every parameter.</param>
    public void Draw(SeededRandom random, Dynamics into)
    {
        ArgumentNullException.ThrowIfNull(random);
        ArgumentNullException.ThrowIfNull(into);
        into.SetNominal();
        foreach (var (parameter, low, high) in _ranges)
        {
            double at = random.NextDouble();
            into[parameter] = low == high ? low
                : parameter == DynamicsParameter.Latency ? Math.Floor(low + (at * (high - low + 1)))
                : Parameters[(int)parameter].ScaleLike && low > 0 ? low * Math.Pow(high / low, at)
                : low + (at * (high - low));
        }
    }

    // What happens between task and learner: latency, noise and bias need no simulator's help.
    private static bool Has(ILearningTask task, DynamicsParameter parameter) => parameter >= DynamicsParameter.Latency || task.Dynamics.Contains(parameter);
}
