using Robotics.Learning.Data;
using Robotics.Learning.Dense;
using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Sim;

namespace Robotics.Learning.Tests.Export;

/// <summary>Actors and critics through ONNX Runtime against the learner's own arithmetic, in a built-in task's wiring.</summary>
public sealed class ActorWriterTests : IDisposable
{
    private const double Tolerance = 1e-5;

    private static readonly PolicyManifest s_wiring = LearningTasks.Named("cart-pole").Wiring;

    private readonly string _folder = Directory.CreateTempSubdirectory("actor-").FullName;

    [Theory]
    [InlineData("Tanh", HiddenActivation.Relu, false)]
    [InlineData("TanhGaussian", HiddenActivation.Relu, false)]
    [InlineData("TanhGaussian", HiddenActivation.Relu, true)]
    [InlineData("Gaussian", HiddenActivation.Tanh, false)]
    [InlineData("Gaussian", HiddenActivation.Tanh, true)]
    [InlineData("TanhMean", HiddenActivation.Relu, false)]
    [InlineData("TanhMean", HiddenActivation.Relu, true)]
    [InlineData("Mixture", HiddenActivation.Relu, false)]
    public void Write_LoadedByTheRuntime_ActsAsTheLearner(string head, HiddenActivation activation, bool drawn)
    {
        var actor = Actor(Enum.Parse<ActorHead>(head), activation);
        ActorWriter.Write(_folder, actor, Contents, drawn);

        // Loading already compares the golden vectors; here the policy is driven as the controller drives it.
        using var policy = OnnxPolicy.Load(PolicyPackage.Load(_folder), new());
        var random = new SeededRandom(5);
        float[] observation = new float[4], expected = new float[1], found = new float[1];
        for (int i = 0; i < 20; i++)
        {
            random.FillGaussian(observation);
            policy.Reset((ulong)i);
            Assert.Equal(PlanStatus.Planned, policy.Plan(observation, new MonotonicTime(long.MaxValue), found).Status);
            actor.Act(observation, expected, drawn ? new SeededRandom((ulong)i) : null);
            Assert.InRange(Math.Abs(found[0] - expected[0]), 0, Tolerance);
        }
    }

    [Fact]
    public void Write_OfAMixture_GivesEveryComponentsDensity()
    {
        var actor = Actor(ActorHead.Mixture, HiddenActivation.Relu);
        ActorWriter.Write(_folder, actor, Contents);
        float[] observation = [0.3f, -0.2f, 0.5f, 1], normal = new float[4], action = [0.25f], log = new float[1];
        actor.Normalizer.Apply(observation, normal);
        var found = Graphs.Run(File.ReadAllBytes(Path.Combine(_folder, "policy.onnx")), ("observation", normal, [1, 4]));
        new ActionDensity(actor, null).Log(observation, action, log);
        double all = found["log_weight"].Sum(w => Math.Exp(w)), density = Enumerable.Range(0, 3).Sum(m =>
            Math.Exp(found["log_weight"][m]) / all * Math.Exp(-0.5 * Math.Pow((0.25 - found["action"][m]) / Math.Exp(found["log_std"][m]), 2) - found["log_std"][m]) / Math.Sqrt(2 * Math.PI));
        Assert.Equal(Math.Log(density), log[0], 1e-4);
        Assert.Contains("is a mixture: only its deterministic action can be exported", Assert.Throws<ConfigException>(() => ActorWriter.Write(_folder, actor, Contents, drawn: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_OfAFlow_CarriesTheMiddleOfTheNoiseAsTheLearner()
    {
        var random = new SeededRandom(11);
        var network = new Mlp(VelocityField.Spec(4, 1, [16]), 1, random);
        var actor = new Actor(network, ActorHead.Flow, Normalizer(random), 1, field: new VelocityField(network, 4, 1, 5, 0.1, 0.5));
        ActorWriter.Write(_folder, actor, Contents);
        using var policy = OnnxPolicy.Load(PolicyPackage.Load(_folder), new()); // compares the golden vectors
        Assert.Equal(1, policy.Spec.ActionLength);
    }

    [Fact]
    public void Write_InTheWiringOfEveryTask_IsAPackage()
    {
        foreach (var task in LearningTasks.All)
        {
            int observations = new TaskSpaces(task).ObservationSize, actions = new TaskSpaces(task).ActionSize;
            var actor = new Actor(new Mlp(new MlpSpec(observations, [4], actions), 1, new SeededRandom(1)), ActorHead.Tanh, new RunningNormalizer(observations), actions);
            string folder = Path.Combine(_folder, task.Name);
            ActorWriter.Write(folder, actor, new() { Name = task.Name, Wiring = task.Wiring, Trained = new(), Examples = [new float[observations]] });
            Assert.Equal(task.Name, PolicyPackage.Load(folder).Manifest.Name);
        }
    }

    [Fact]
    public void Write_DrawnFromADeterministicActor_SaysThatThereIsNothingToDraw()
    {
        var error = Assert.Throws<ConfigException>(() => ActorWriter.Write(_folder, Actor(ActorHead.Tanh, HiddenActivation.Relu), Contents, drawn: true));
        Assert.Contains("there is nothing to draw", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Write_OfACritic_LoadedByTheRuntime_JudgesAsTheLearner(bool layerNorm)
    {
        var random = new SeededRandom(3);
        var critics = new Critics(4, 1, [16, 16], layerNorm, copies: 3, capacity: 8, random);
        var normalizer = Normalizer(random);
        ActorWriter.Write(_folder, new Critic(critics.Network, normalizer, 1), Contents);

        using (var loaded = Robotics.Policies.Steering.Critic.Load(PolicyPackage.Load(_folder), new(), candidates: 8))
        {
            Assert.Equal(3, loaded.Members);
            Assert.True(loaded.HasGradient);
        }

        float[] observations = new float[8 * 4], actions = new float[8], normal = new float[8 * 4];
        random.FillGaussian(observations);
        random.FillGaussian(actions);
        for (int i = 0; i < 8; i++)
        {
            normalizer.Apply(observations.AsSpan(4 * i, 4), normal.AsSpan(4 * i, 4));
        }

        var found = Graphs.Run(File.ReadAllBytes(Path.Combine(_folder, "critic.onnx")), ("observation", normal, [8, 4]), ("action", actions, [8, 1]));
        Matrix states = new(8, 4), acts = new(8, 1);
        for (int i = 0; i < 8; i++)
        {
            normal.AsSpan(4 * i, 4).CopyTo(states[i]);
            acts[i][0] = actions[i];
        }

        critics.Ascend(states, acts, 8, Ascent.Mean);
        for (int i = 0; i < 8; i++)
        {
            foreach (int copy in critics.All)
            {
                Assert.InRange(Math.Abs(found["q"][(8 * copy) + i] - critics.Value(copy, i)), 0, Tolerance);
            }

            // The learner's gradient is of minus the mean over rows.
            Assert.InRange(Math.Abs(found["gradient"][i] + (8 * critics.ActionGradient[i][0])), 0, Tolerance);
        }
    }

    [Fact]
    public void Write_OfACriticOfSeveralRows_JudgesThemAsOneLongAction()
    {
        var random = new SeededRandom(4);
        var critic = new Critic(new Critics(4, 6, [16, 16], layerNorm: false, copies: 2, capacity: 8, random).Network, Normalizer(random), 6);
        float[] observations = new float[3 * 4], actions = new float[3 * 6];
        random.FillGaussian(observations);
        random.FillGaussian(actions);
        var flat = Graphs.Run(ActorGraph.Write(critic), ("observation", observations, [3, 4]), ("action", actions, [3, 6]));
        var rows = Graphs.Run(ActorGraph.Write(critic, rows: 3), ("observation", observations, [3, 4]), ("action", actions, [3, 3, 2]));
        Assert.Equal(flat["q"], rows["q"]);
        Assert.Equal(flat["gradient"], rows["gradient"]);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static ActorContents Contents => new()
    {
        Name = "test",
        Wiring = s_wiring,
        Trained = new(),
        Examples = [[0.1f, -0.2f, 0.3f, -0.4f], [1, 2, -3, 4], [0, 0, 0, 0]],
    };

    private static Actor Actor(ActorHead head, HiddenActivation activation)
    {
        var random = new SeededRandom(7);
        bool free = head is ActorHead.Gaussian or ActorHead.TanhMean;
        var network = new Mlp(new MlpSpec(4, [16, 16], head == ActorHead.TanhGaussian ? 2 : head == ActorHead.Mixture ? 9 : 1, activation, Free: free ? 1 : 0), 1, random);
        if (free)
        {
            network.Free()[0] = -0.7f;
        }

        return new Actor(network, head, Normalizer(random), 1, head == ActorHead.TanhGaussian ? -1 : 0);
    }

    private static RunningNormalizer Normalizer(SeededRandom random)
    {
        var normalizer = new RunningNormalizer(4, clip: 10);
        var rows = new float[400];
        random.FillGaussian(rows);
        normalizer.Update(rows);
        return normalizer;
    }
}
