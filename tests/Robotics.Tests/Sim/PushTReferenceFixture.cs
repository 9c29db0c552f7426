using Robotics.Sim.Tasks;
using Robotics.Tests.Policies;

namespace Robotics.Tests.Sim;

/// <summary>The built-in PushT controller for the policies' contract; few futures, so that it is quick.</summary>
internal sealed class PushTReferenceFixture : IPolicyFixture
{
    public Type Policy => typeof(PushTReference);

    public IPolicy Create() => new PushTReference(new() { Candidates = 10 });

    public float[] Observation(IPolicy policy, int step) => [0.25f + (0.001f * step), 0.4f, 0, 0, 0.25f, 0.3f, 0.1f];
}
