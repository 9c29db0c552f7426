using System.Reflection;
using static Robotics.Tests.Policies.TestPolicies;

namespace Robotics.Tests.Policies;

/// <summary>A way to make one <see cref="IPolicy"/> for the contract; found by its type. Every implementation outside the tests has
/// at least one.</summary>
internal interface IPolicyFixture
{
    /// <summary>The implementation it makes.</summary>
    Type Policy { get; }

    /// <summary>A fresh policy that plans from <see cref="Observation"/>.</summary>
    IPolicy Create();

    /// <summary>An observation of step <paramref name="step"/> of an episode, of the right length.</summary>
    float[] Observation(IPolicy policy, int step) =>
        [.. Enumerable.Range(0, policy.Spec.ObservationLength).Select(i => 0.01f * (i + step))];
}

/// <summary>What every policy promises, whoever wrote it.</summary>
public sealed class PolicyContract
{
    public static TheoryData<string> Fixtures => [.. All.Select(fixture => fixture.GetType().Name)];

    private static IEnumerable<IPolicyFixture> All => typeof(PolicyContract).Assembly.GetTypes()
        .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IPolicyFixture)))
        .Select(type => (IPolicyFixture)Activator.CreateInstance(type)!);

    [Fact]
    public void EveryPolicyHasAFixture()
    {
        var covered = All.Select(fixture => fixture.Policy).ToHashSet();
        var missing =
            from file in Directory.EnumerateFiles(AppContext.BaseDirectory, "Robotics.*.dll")
            where !Path.GetFileName(file).StartsWith("Robotics.Tests", StringComparison.Ordinal)
            from type in Assembly.LoadFrom(file).GetTypes()
            where type.IsClass && !type.IsAbstract && type.IsAssignableTo(typeof(IPolicy)) && !covered.Contains(type)
            select $"{type} has no {nameof(IPolicyFixture)} in the tests";
        Assert.Empty(missing);
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Plan_WhenABufferLengthIsWrong_Throws(string name)
    {
        var fixture = Named(name);
        using var policy = fixture.Create();
        float[] observation = fixture.Observation(policy, 0);
        float[] chunk = Chunk(policy);
        Assert.Throws<ArgumentException>(() => policy.Plan(observation.AsSpan(1), Whenever, chunk));
        Assert.Throws<ArgumentException>(() => policy.Plan([.. observation, 0], Whenever, chunk));
        Assert.Throws<ArgumentException>(() => policy.Plan(observation, Whenever, chunk.AsSpan(1)));
        Assert.Throws<ArgumentException>(() => policy.Plan(observation, Whenever, [.. chunk, 0]));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Plan_WhenNotPlanned_LeavesTheChunkAlone(string name)
    {
        var fixture = Named(name);
        using var policy = fixture.Create();
        float[] observation = fixture.Observation(policy, 0);
        float[] chunk = Chunk(policy);
        chunk.AsSpan().Fill(7);
        policy.Reset(1);
        Assert.Equal(PlanStatus.Late, policy.Plan(observation, new(long.MinValue), chunk).Status);
        observation[0] = float.NaN;
        Assert.NotEqual(PlanStatus.Planned, policy.Plan(observation, Whenever, chunk).Status);
        Assert.All(chunk, value => Assert.Equal(7, value));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Reset_WithTheSameSeed_RepeatsTheSameBytes(string name)
    {
        var fixture = Named(name);
        using var policy = fixture.Create();
        Assert.Equal(Episode(), Episode());

        float[] Episode()
        {
            policy.Reset(42);
            return [.. Enumerable.Range(0, 20).SelectMany(step => Plan(policy, fixture.Observation(policy, step)))];
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Plan_GivesFiniteActionsAndAllocatesNothing(string name)
    {
        var fixture = Named(name);
        using var policy = fixture.Create();
        float[] observation = fixture.Observation(policy, 0);
        float[] chunk = Chunk(policy);
        policy.Reset(1);
        policy.Plan(observation, Whenever, chunk);
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                policy.Plan(observation, Whenever, chunk);
            }
        }));
        Assert.All(chunk, value => Assert.True(float.IsFinite(value)));
    }

    private static IPolicyFixture Named(string name) => All.Single(fixture => fixture.GetType().Name == name);

    private static float[] Chunk(IPolicy policy) => new float[policy.Spec.Rows * policy.Spec.ActionLength];
}

internal sealed class MlpFixture : IPolicyFixture
{
    public Type Policy => typeof(Robotics.Policies.Onnx.OnnxPolicy);

    public IPolicy Create() => Load(Manifest(Simple()), TinyOnnx.Mlp(3, 8, 16, 4));
}

internal sealed class RecurrentFixture : IPolicyFixture
{
    public Type Policy => typeof(Robotics.Policies.Onnx.OnnxPolicy);

    public IPolicy Create() => Load(RecurrentManifest(0.1), Recurrent(TinyOnnx.Half));
}
