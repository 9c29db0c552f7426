namespace Robotics.Routes;

/// <summary>That a policy follows a route, and when it has left it: the <c>route</c> section of the manifest.</summary>
public sealed record RouteSpec
{
    /// <summary>Farthest coordinate of a target, m.</summary>
    public const float Farthest = 1000;

    /// <summary>Which measurement says where the robot is.</summary>
    public required RoutePosition Position { get; init; }

    /// <summary>Words that a row may begin with; a policy sees them as a one-hot vector in this order.</summary>
    public IReadOnlyList<string> Verbs { get; init; } = ["move"];

    /// <summary>A route file of the package, the first route of every run; null: none.</summary>
    public string? File { get; init; }

    /// <summary>[3] m: targets lie above this; null: the joints' limits where <see cref="Position"/> reads prismatic joints, else none.</summary>
    public IReadOnlyList<float>? ReachLowerM { get; init; }

    /// <summary>[3] m: targets lie below this; null as for <see cref="ReachLowerM"/>.</summary>
    public IReadOnlyList<float>? ReachUpperM { get; init; }

    /// <summary>Boxes that neither the way between two rows nor the robot may enter.</summary>
    public IReadOnlyList<KeepOutBox> KeepOut { get; init; } = [];

    /// <summary>m from the straight way at which the robot has left it; above <see cref="DeviationExitM"/>.</summary>
    public float DeviationEnterM { get; init; } = 0.15f;

    /// <summary>m from the straight way at which it counts as back on it.</summary>
    public float DeviationExitM { get; init; } = 0.075f;

    /// <summary>m nearer to the target that count as progress.</summary>
    public float ProgressM { get; init; } = 0.01f;

    /// <summary>Ticks without progress that count as a deviation, 2 to 10,000.</summary>
    public int ProgressTicks { get; init; } = 20;

    /// <summary>Least time from one re-anchoring to the next, s; at least 0.3.</summary>
    public double ReplanGapS { get; init; } = 0.3;

    /// <summary>How old the check of a route may be when it starts to move the robot, s; 0.1 to 600.</summary>
    public double MaxAgeS { get; init; } = 10;

    /// <summary>Whether a route is played with a copy of the policy on a kinematic model before anything moves, which needs a
    /// <see cref="Position"/> that reads joints; null: where that is so.</summary>
    public bool? Rehearse { get; init; }
}

/// <summary>Elements of one robot signal that are x, y and z of the robot.</summary>
public sealed record RoutePosition
{
    /// <summary>Name of the signal, in m and in the world: <c>joint.position</c> of a robot that slides, <c>base.position</c>.</summary>
    public required string Signal { get; init; }

    /// <summary>Elements of the signal that are x, y and z: 1 to 3 of them; null: the first three, or all of a shorter signal. What is
    /// missing is 0, as it then must be in every target.</summary>
    public IReadOnlyList<int>? Select { get; init; }
}

/// <summary>A box that is kept out of.</summary>
public sealed record KeepOutBox
{
    /// <summary>For messages.</summary>
    public required string Name { get; init; }

    /// <summary>[3] m, lower corner.</summary>
    public required IReadOnlyList<float> LowerM { get; init; }

    /// <summary>[3] m, upper corner.</summary>
    public required IReadOnlyList<float> UpperM { get; init; }
}

/// <summary>Why somebody is asked for a route.</summary>
/// <param name="reason">What stands in the way; <see cref="HoldReason.RouteRejected"/>: the check of the last answer.</param>
/// <param name="text">The same in a sentence, with the figures.</param>
/// <param name="attempt">Counts from 1; back to 1 once a row was achieved.</param>
/// <param name="signals">[frame] the robot's newest measurement.</param>
public readonly ref struct RouteRequest(HoldReason reason, string text, int attempt, ReadOnlySpan<float> signals)
{
    /// <summary>What stands in the way.</summary>
    public HoldReason Reason { get; } = reason;

    /// <summary>The same in a sentence, with the figures.</summary>
    public string Text { get; } = text;

    /// <summary>Counts from 1.</summary>
    public int Attempt { get; } = attempt;

    /// <summary>[frame].</summary>
    public ReadOnlySpan<float> Signals { get; } = signals;
}

/// <summary>Anything that writes routes when it is asked: a file, a script, a search, a program that asks a language model.</summary>
public interface IRoutePlanner
{
    /// <summary>Where its routes come from, in a few words.</summary>
    string Name { get; }

    /// <summary>Writes a route from where the robot is now; null when it has none (any more). May take its time: the robot holds.</summary>
    /// <exception cref="ConfigException">What it wrote is no route.</exception>
    RouteTable? Write(in RouteRequest request, RouteSpec spec);
}
