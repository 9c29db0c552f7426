namespace Robotics.Packages;

/// <summary>Which of a joint model's chunks is executed.</summary>
public enum JointSelection
{
    /// <summary>The one whose futures are worth most, by value passes of their own: the model is asked three times.</summary>
    Planned,

    /// <summary>The one with the largest value that was denoised together with the chunk: no further call, and a poor judge where the
    /// demonstrations show only success.</summary>
    Joint,

    /// <summary>The first: the bare policy. No other is drawn.</summary>
    Single,
}

/// <summary>One denoiser of an action chunk, the future it leads to and the value of that, for <see cref="PolicyKind.Joint"/>.</summary>
/// <remarks>
/// The graph works on z = [chunk Tp·Da | future | value], normalised, and is told which blocks are given (flags for chunk, future,
/// value). Nothing given: a policy. Chunk given: a world model. Chunk and future given: a value function.
/// A plan draws <see cref="SamplerSpec.Candidates"/> chunks with <see cref="SamplerSpec.Flow"/>, then <see cref="Futures"/> of each,
/// then <see cref="Values"/> of each of those, every stage in one batch, and executes the chunk with the largest mean value. A stage
/// that does not fit before the deadline is left out, and with it the choice: the first chunk is executed.
/// <para>Source: "Cosmos Policy" (NVlabs/cosmos-policy), with a multilayer perceptron in the place of the video model.</para>
/// </remarks>
public sealed record JointModelSpec
{
    /// <summary>Elements of the future block, 1 to 256.</summary>
    public required int Future { get; init; }

    /// <summary>Elements of the value block, whose mean is the value in [-1, 1]; 1 to 16.</summary>
    public int Value { get; init; } = 1;

    /// <summary>Futures sampled of each chunk, 1 to 64.</summary>
    public int Futures { get; init; } = 3;

    /// <summary>Values sampled of each future, 1 to 64.</summary>
    public int Values { get; init; } = 5;

    /// <summary>Euler steps of a future, one call each, 1 to 100.</summary>
    public int FutureSteps { get; init; } = 5;

    /// <summary>Euler steps of a value, one call each, 1 to 100.</summary>
    public int ValueSteps { get; init; } = 1;

    /// <summary>How the executed chunk is chosen.</summary>
    public JointSelection Selection { get; init; } = JointSelection.Planned;

    /// <summary>For people and records: elements of one observation frame, from 0, whose change over the chunk the future block is.
    /// Null: not stated.</summary>
    public IReadOnlyList<int>? Outcome { get; init; }

    /// <summary>For people and records: what the future block was normalised with. Null: not stated.</summary>
    public NormalizationSpec? Normalization { get; init; }
}
