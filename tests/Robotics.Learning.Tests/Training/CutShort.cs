using Robotics.Learning.Networks;
using Robotics.Learning.Training;

namespace Robotics.Learning.Tests.Training;

/// <summary>A learner whose run is cancelled after so many steps, as a kill would: without a word to its folder.</summary>
internal sealed class CutShort(IReinforcement inner, long until) : IReinforcement
{
    private readonly CancellationTokenSource _stop = new();

    /// <summary>For the run.</summary>
    public CancellationToken Token => _stop.Token;

    public string Name => inner.Name;

    public string Fingerprint => inner.Fingerprint;

    public IReadOnlyList<string> Columns => inner.Columns;

    public long Steps => inner.Steps;

    public Actor Actor => inner.Actor;

    public void Begin() => inner.Begin();

    public void Advance()
    {
        inner.Advance();
        if (inner.Steps >= until)
        {
            _stop.Cancel();
        }
    }

    public void Report(Span<double> line) => inner.Report(line);

    public void Write(BinaryWriter writer) => inner.Write(writer);

    public void Read(BinaryReader reader) => inner.Read(reader);

    public void Dispose() => _stop.Dispose();
}
