using Robotics.Learning.Dense;
using Robotics.Learning.Hybrid;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.Offline;
using Robotics.Learning.Tests.Training;
using Robotics.Learning.Training;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests.Offline;

/// <summary>What all methods that learn from a record have in common, and the losses of the offline ones against autograd.</summary>
public sealed class OfflineTests : IDisposable
{
    private static readonly int[] s_hidden = [12];
    private static readonly RunOptions _run = new() { Steps = 200, LogEvery = 20, EvaluateEvery = 100, EvaluationEpisodes = 2, CheckpointEvery = 80 };

    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-offline-").FullName;

    public static TheoryData<string> Methods => ["bc", "bc-gaussian", "td3bc", "iql", "rlpd", "rlpd-naive", "h2o"];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Run_CutOffAndResumed_GivesTheSameMetrics(string method)
    {
        string whole = Path.Combine(_folder, "whole"), cut = Path.Combine(_folder, "cut");
        float[] expected = Train(method, whole, long.MaxValue);
        foreach (long until in new long[] { 30, 100, 170, 171 }) // before the first checkpoint, between two, after the last, at once
        {
            Train(method, cut, until);
            File.AppendAllText(Path.Combine(cut, "metrics.csv"), "299,0.1"); // a line that the kill tore
        }

        Assert.Equal(expected, Train(method, cut, long.MaxValue));
        foreach (string file in new[] { "metrics.csv", "evaluation.csv" })
        {
            Assert.Equal(File.ReadAllText(Path.Combine(whole, file)), File.ReadAllText(Path.Combine(cut, file)));
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Run_WithAnotherSeed_IsAnotherRun(string method)
    {
        Assert.Equal(Train(method, null, 60), Train(method, null, 60));
        Assert.NotEqual(Train(method, null, 60), Train(method, null, 60, seed: 2));
    }

    // The record's actions are uniform and the best is 0.5: cloning finds their mean, the others the better ones.
    [Theory]
    [InlineData("bc", -0.1, 0.1)]
    [InlineData("bc-gaussian", -0.1, 0.1)]
    [InlineData("td3bc", 0.25, 0.47)] // value and imitation in balance: λ·0.5/(1 + λ) = 0.36
    [InlineData("iql", 0.2, 0.6)]
    public void Action_LearnedFromUniformActions_IsTheBetterOne(string method, float low, float high)
    {
        var data = Recorded.Bandit(2000);
        using IReinforcement learner = method switch
        {
            "bc" => new BehaviourCloning(data, new() { Hidden = s_hidden, LearningRate = 3e-3 }),
            "bc-gaussian" => new GaussianCloning(data, new() { Hidden = s_hidden, LearningRate = 3e-3 }),
            "td3bc" => new Td3Bc(data, new() { Hidden = [24], LearningRate = 3e-3 }),
            _ => new Iql(data, new() { Hidden = [24], LearningRate = 3e-3, Beta = 10 }),
        };
        for (int i = 0; i < 1500; i++)
        {
            learner.Advance();
        }

        float[] action = new float[1];
        learner.Actor.Act([1], action, null);
        Assert.InRange(action[0], low, high);
    }

    [Fact]
    public void ExpectileLoss_HasAutogradsGradient()
    {
        const int rows = 9;
        float[] targets = Graphs.Normal(1, rows), values = Graphs.Normal(2, rows);
        var pass = new MlpPass(new MlpSpec(1, [], 1), rows);
        pass.Output.Fill(values);
        double loss = Iql.ExpectileLoss(pass, rows, targets, 0.7f);

        using var scope = NewDisposeScope();
        var v = tensor(values, requires_grad: true);
        var u = tensor(targets) - v;
        var expected = ((0.7f - (u < 0).to_type(ScalarType.Float32)).abs() * u.square()).mean();
        expected.backward();
        Assert.Equal(expected.item<float>(), loss, 1e-5);
        Assert.True(Graphs.Difference(Graphs.Floats(v.grad!), Rows(pass.OutputGradient, rows)) < 1e-6);
    }

    [Fact]
    public void LikelihoodLoss_HasAutogradsGradients()
    {
        const int rows = 7, width = 3;
        float[] heads = Graphs.Normal(1, rows * width), actions = [.. Graphs.Normal(2, rows * width).Select(MathF.Tanh)], logs = Graphs.Normal(3, width, 0.5);
        float[] weights = [.. Graphs.Normal(4, rows).Select(MathF.Exp)];
        var spec = new MlpSpec(1, [], width, Free: width);
        var policy = new Mlp(spec, 1, new SeededRandom(1));
        var pass = new MlpPass(spec, rows);
        logs.CopyTo(policy.Free());
        pass.Output.Fill(heads);
        var sent = new Matrix(rows, width);
        sent.Fill(actions);
        double loss = Iql.LikelihoodLoss(policy, pass, rows, sent, weights);

        using var scope = NewDisposeScope();
        Tensor mu = tensor(heads, rows, width, requires_grad: true), log = tensor(logs, requires_grad: true);
        var z = (tensor(actions, rows, width) - mu.tanh()) / log.exp();
        var density = ((-0.5 * z.square()) - log - (0.5 * Math.Log(2 * Math.PI))).sum(1);
        var expected = -(tensor(weights) * density).mean();
        expected.backward();
        Assert.Equal(expected.item<float>(), loss, 1e-3 * Math.Max(1, Math.Abs(loss)));
        Assert.True(Graphs.Difference(Graphs.Floats(mu.grad!), Rows(pass.OutputGradient, rows)) < 1e-4);
        Assert.True(Graphs.Difference(Graphs.Floats(log.grad!), [.. policy.FreeGradient()]) < 1e-3);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void MixtureLoss_HasAutogradsGradient(int components)
    {
        const int rows = 5, width = 2;
        var mixture = new GaussianMixture(components, width);
        float[] heads = Graphs.Normal(1, rows * mixture.Outputs, 0.5), actions = [.. Graphs.Normal(2, rows * width).Select(MathF.Tanh)], gradient = new float[heads.Length];
        (heads[0], heads[components * width]) = (MathF.Atanh(actions[0]), -9); // log σ is below its range and would go lower: no gradient
        double loss = 0;
        for (int i = 0; i < rows; i++)
        {
            loss += mixture.Loss(heads.AsSpan(i * mixture.Outputs, mixture.Outputs), actions.AsSpan(i * width, width), 1f / rows, gradient.AsSpan(i * mixture.Outputs, mixture.Outputs)) / rows;
        }

        using var scope = NewDisposeScope();
        var head = tensor(heads, rows, mixture.Outputs, requires_grad: true);
        int each = components * width;
        var mean = head.narrow(1, 0, each).reshape(rows, components, width).tanh();
        var log = head.narrow(1, each, each).reshape(rows, components, width).clamp(GaussianMixture.LeastLog, GaussianMixture.GreatestLog);
        var weight = nn.functional.log_softmax(head.narrow(1, 2 * each, components), 1);
        var z = (tensor(actions, rows, 1, width) - mean) / log.exp();
        var expected = -(weight + ((-0.5 * z.square()) - log - (0.5 * Math.Log(2 * Math.PI))).sum(2)).logsumexp(1).mean();
        expected.backward();
        Assert.Equal(expected.item<float>(), loss, 1e-3 * Math.Max(1, Math.Abs(loss)));
        Assert.True(Graphs.Difference(Graphs.Floats(head.grad!), gradient) < 1e-3 * Math.Max(1, gradient.Max(Math.Abs)));
    }

    [Fact]
    public void MixtureLoss_OfADeviationBelowItsRangeThatShouldGrow_PullsItBack()
    {
        float[] gradient = new float[3];
        new GaussianMixture(1, 1).Loss([0, -9, 0], [0.5f], 1, gradient);
        Assert.True(gradient[1] < 0); // descent adds to it
    }

    // Two authors, one of whom acts at -0.6 three times as often as the other at 0.6.
    [Fact]
    public void GaussianCloning_OfTwoAuthors_FindsBothAndTheirShares()
    {
        var random = new SeededRandom(3);
        var builder = new Robotics.Learning.Data.TransitionSetBuilder(1, 1);
        for (int i = 0; i < 1000; i++)
        {
            builder.Add([1], [(i % 4 == 0 ? 0.6f : -0.6f) + (0.05f * (float)random.NextGaussian())], 0, [1], terminated: true);
        }

        using var cloning = new GaussianCloning(builder.Build(), new() { Hidden = s_hidden, LearningRate = 3e-3, Components = 2 });
        for (int i = 0; i < 1500; i++)
        {
            cloning.Advance();
        }

        float[] drawn = new float[400], middle = new float[1];
        cloning.Actor.Act([1], middle, null);
        cloning.Actor.Act([.. Enumerable.Repeat(1f, drawn.Length)], drawn, random);
        Assert.InRange(middle[0], -0.65, -0.55); // the heavier one, not the mean of -0.3
        Assert.InRange(drawn.Count(a => Math.Abs(a - 0.6) < 0.2) / (double)drawn.Length, 0.18, 0.32);
        Assert.InRange(drawn.Count(a => Math.Abs(Math.Abs(a) - 0.6) < 0.2) / (double)drawn.Length, 0.99, 1);
    }

    [Fact]
    public void Ascend_OfEachKind_HasAutogradsGradient()
    {
        const int rows = 6;
        var critics = new Critics(3, 2, [8], layerNorm: false, copies: 3, rows, new SeededRandom(2));
        Matrix observations = new(rows, 3), actions = new(rows, 2);
        float[] s = Graphs.Normal(1, rows * 3), a = Graphs.Normal(2, rows * 2);
        observations.Fill(s);
        actions.Fill(a);
        foreach (var ascent in Enum.GetValues<Ascent>())
        {
            double value = critics.Ascend(observations, actions, rows, ascent);
            using var scope = NewDisposeScope();
            var action = tensor(a, rows, 2, requires_grad: true);
            var input = cat([tensor(s, rows, 3), action], 1);
            var q = cat([.. critics.All.Select(copy =>
            {
                var (w0, b0) = critics.Network.LayerValues(copy, 0);
                var (w1, b1) = critics.Network.LayerValues(copy, 1);
                return (input.matmul(tensor(w0, 5, 8)) + tensor(b0)).relu().matmul(tensor(w1, 8, 1)) + tensor(b1);
            })], 1);
            var chosen = ascent switch { Ascent.Lowest => q.min(1).values, Ascent.Mean => q.mean([1]), _ => q[TensorIndex.Colon, 0] };
            var loss = -chosen.mean();
            loss.backward();
            Assert.Equal(-loss.item<float>(), value, 1e-5);
            Assert.True(Graphs.Difference(Graphs.Floats(action.grad!), Rows(critics.ActionGradient, rows)) < 1e-6, ascent.ToString());
        }
    }

    [Fact]
    public void Evaluate_OfACritic_NormalisesAsTheActorDoes()
    {
        var data = Recorded.Pendulum();
        using var iql = new Iql(data, new() { Hidden = s_hidden, Critics = 3 });
        float[] q = new float[6], v = new float[2], one = new float[3];
        iql.Q.Evaluate(data.Observations[..6], data.Actions[..2], q);
        iql.V.Evaluate(data.Observations[..6], [], v);
        iql.Q.Evaluate(data.Observation(1), data.Action(1), one);
        Assert.Equal(q[3..], one);
        Assert.Equal((3, 0, 1), (iql.Q.ObservationSize, iql.V.ActionSize, iql.V.Copies));
        Assert.NotEqual(v[0], v[1]);
    }

    [Fact]
    public void Constructor_OnARecordOfAnotherRobot_SaysBothSides()
    {
        using var environment = new TinyPendulum(1);
        var data = Recorded.Bandit(10);
        string expected = "The record has 1 observations and 1 actions, task 'tiny-pendulum' 3 and 1: they are of different tasks or robots.";
        Assert.Equal(expected, Assert.Throws<ConfigException>(() => new Rlpd(environment, data, new())).Message);
        Assert.Equal(expected, Assert.Throws<ConfigException>(() => new H2o(environment, data, new())).Message);
    }

    [Fact]
    public void Checked_WithSeveralBadOptions_ReportsAllOfThem()
    {
        Assert.Equal(3, Problems(() => new BehaviourCloningOptions { Hidden = [], LearningRate = 0, Batch = 0 }.Checked("x")));
        Assert.Equal(2, Problems(() => new GaussianCloningOptions { Batch = 0, Components = 33 }.Checked("x")));
        Assert.Equal(4, Problems(() => new Td3BcOptions { Alpha = 0, PolicyNoise = -1, Delay = 0, Gamma = 1 }.Checked("x")));
        Assert.Equal(4, Problems(() => new IqlOptions { Expectile = 1, Beta = 0, CosineOver = 0, Critics = 0 }.Checked("x")));
        Assert.Equal(3, Problems(() => new RlpdOptions { Batch = 7, Subset = 11, StartSteps = 0 }.Checked("x")));
        Assert.Equal(4, Problems(() => new H2oOptions { Batch = 7, Penalty = -1, GapDraws = 0, Temperature = 0 }.Checked("x")));

        static int Problems(Action check) => Assert.Throws<ConfigException>(check).Problems.Count;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static float[] Train(string method, string? folder, long until, ulong seed = 1)
    {
        using TinyPendulum environment = new(1, limit: 30), evaluation = new(2, limit: 30);
        using var learner = Create(method, environment, folder, seed);
        using var cut = new CutShort(learner, until);
        new ReinforcementTrainer(cut, evaluation, _run, folder).Run(cancellation: cut.Token);
        return [.. learner.Actor.Network.Values];
    }

    private static IReinforcement Create(string method, IVectorEnvironment environment, string? folder, ulong seed)
    {
        var data = Recorded.Pendulum();
        return method switch
        {
            "bc" => new BehaviourCloning(data, new() { Hidden = s_hidden, Batch = 16, Seed = seed }),
            "bc-gaussian" => new GaussianCloning(data, new() { Hidden = s_hidden, Batch = 16, Seed = seed, Components = 3 }),
            "td3bc" => new Td3Bc(data, new() { Hidden = s_hidden, Batch = 16, Seed = seed }),
            "iql" => new Iql(data, new() { Hidden = s_hidden, Batch = 16, Seed = seed, CosineOver = 200 }),
            "rlpd" => new Rlpd(environment, data, new() { Hidden = s_hidden, Batch = 16, Seed = seed, Ensemble = 4, UpdatesPerStep = 1, StartSteps = 20, Replay = 90 }, folder, _run.CheckpointEvery),
            "rlpd-naive" => new Rlpd(environment, data, RlpdOptions.Naive with { Hidden = s_hidden, Batch = 16, Seed = seed, StartSteps = 20, Normalize = true }, folder, _run.CheckpointEvery),
            _ => new H2o(environment, data, new() { Hidden = s_hidden, Batch = 16, Seed = seed, StartSteps = 20, Replay = 90, GapDraws = 3 }, folder, _run.CheckpointEvery),
        };
    }

    private static float[] Rows(Matrix matrix, int rows) => [.. Enumerable.Range(0, rows).SelectMany(i => matrix[i].ToArray())];
}
