namespace Robotics.Observations.Terms;

/// <summary>An operator command.</summary>
internal sealed class CommandTerm(int offset, (string Name, string Unit)[] elements) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements => elements;

    public void Sample(in TermInput input, Span<float> into) => input.Command.Slice(offset, elements.Length).CopyTo(into);

    public void Reset()
    {
    }
}

/// <summary>What the network said last.</summary>
internal sealed class RawActionTerm((string Name, string Unit)[] elements) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements => elements;

    public void Sample(in TermInput input, Span<float> into) => input.RawAction.CopyTo(into);

    public void Reset()
    {
    }
}

/// <summary>The joint targets it became, in the order of the action.</summary>
internal sealed class TargetTerm(int[] joints, (string Name, string Unit)[] elements) : ITerm
{
    public IReadOnlyList<(string Name, string Unit)> Elements => elements;

    public void Sample(in TermInput input, Span<float> into)
    {
        for (int i = 0; i < joints.Length; i++)
        {
            into[i] = input.Target[joints[i]];
        }
    }

    public void Reset()
    {
    }
}
