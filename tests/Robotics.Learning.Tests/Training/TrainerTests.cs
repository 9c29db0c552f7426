using Robotics.Learning.Data;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Learning.Training;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests.Training;

public sealed class TrainerTests : IDisposable
{
    private static readonly ResidualMlp _spec = new()
    {
        Horizon = 4, ActionSize = 2, ConditionSize = 3, Width = 16, Layers = 2, Time = TimeSignal.Continuous, TimeScale = 100,
    };

    private static readonly TrainingOptions _options = new()
    {
        Steps = 60, Batch = 8, WarmUp = 5, LogEvery = 10, CheckpointEvery = 20, Seed = 3,
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("robotics-trainer-").FullName;

    [Fact]
    public void Step_OfAveragedAdamW_MatchesTorchsOwn()
    {
        using var scope = NewDisposeScope();
        using var ours = new Network(_spec, 1);
        using var theirs = new Network(_spec, 1);
        var options = new TrainingOptions { WeightDecay = 0.01, GradientClip = 0.5 };
        using var optimizer = new AveragedAdamW(ours, options);
        using var reference = optim.AdamW(theirs.parameters(), 1e-3, options.Beta1, options.Beta2, 1e-8, options.WeightDecay);
        double clipped = 0;
        for (int i = 0; i < 20; i++)
        {
            var (x, t, c) = (randn(8, 4, 2), rand(8), randn(8, 3));
            (ours.forward(x, t, c) * 3).square().mean().backward();
            (theirs.forward(x, t, c) * 3).square().mean().backward();
            double expected = nn.utils.clip_grad_norm_(theirs.parameters(), options.GradientClip);
            clipped = Math.Max(clipped, expected);
            Assert.Equal(expected, optimizer.Step(1e-3).item<float>(), 1e-5);
            reference.step();
            theirs.FlatGradient.zero_();
        }

        Assert.True(clipped > 0.5, "no gradient was long enough to be clipped");
        Assert.InRange((ours.Flat - theirs.Flat).abs().max().item<float>(), 0, 2e-6f);
    }

    [Fact]
    public void Average_FollowsTheDecayOfEveryUpdate()
    {
        using var scope = NewDisposeScope();
        using var network = new Network(_spec, 1);
        using var optimizer = new AveragedAdamW(network, new TrainingOptions());
        double average = 0;
        for (int k = 0; k < 6; k++)
        {
            network.FlatGradient.fill_(1);
            optimizer.Step(0.01);
            double decay = AverageDecay.At(k);
            average = (decay * average) + ((1 - decay) * network.Flat[7].item<float>());
            Assert.Equal(average, optimizer.Average[7].item<float>(), 1e-6);
        }
    }

    [Theory]
    [InlineData(0, 0)] // the policy cards' appendix, A.5
    [InlineData(1, 0)]
    [InlineData(2, .4053964)]
    [InlineData(3, .5613087)]
    [InlineData(10, .8221721)]
    [InlineData(100, .9683772)]
    [InlineData(1000, .9943766)]
    [InlineData(10000, .9990)]
    [InlineData(220000, .9999)]
    public void AverageDecay_MatchesTheTable(long update, double expected) => Assert.Equal(expected, AverageDecay.At(update), 1e-6);

    [Theory]
    [InlineData(0, 0)]
    [InlineData(50, 0.5)]
    [InlineData(100, 1)]
    [InlineData(600, 0.5)]
    [InlineData(1100, 0)]
    public void LearningRate_WarmsUpAndFollowsTheCosine(long step, double expected) =>
        Assert.Equal(expected, LearningRate.Factor(step, 100, 1100), 1e-12);

    [Fact]
    public void Run_WithTheSameSeed_RepeatsAndLearns()
    {
        var (first, lines) = Train(_options, folder: null);
        var (again, _) = Train(_options, folder: null);
        var (other, _) = Train(_options with { Seed = 4 }, folder: null);
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
        Assert.Equal([10, 20, 30, 40, 50, 60], lines.Select(l => l.Step));
        Assert.True(lines[^1].Loss < lines[0].Loss);
    }

    [Theory]
    [InlineData(7)]  // before the first checkpoint: everything again
    [InlineData(33)] // between checkpoints and lines
    [InlineData(40)] // on one
    public void Run_CutOffAndResumed_EndsAsIfNothingHappened(int cutAt)
    {
        string whole = Path.Combine(_folder, "whole"), cut = Path.Combine(_folder, "cut");
        var (expected, _) = Train(_options, whole);
        TrainUntil(cutAt, cut);
        File.AppendAllText(Path.Combine(cut, "metrics.csv"), "41,0.1"); // a line that the kill tore
        var (resumed, _) = Train(_options, cut);
        Assert.Equal(expected, resumed);
        Assert.Equal(File.ReadAllText(Path.Combine(whole, "metrics.csv")), File.ReadAllText(Path.Combine(cut, "metrics.csv")));
    }

    [Fact]
    public void Run_WhenTheLossIsNoNumber_StopsWithoutTouchingTheCheckpoint()
    {
        using var network = new Network(_spec, 1);
        var method = new Wrapped(new FlowMatching(network, FlowTime.Uniform), (call, loss) => call == 25 ? loss * float.NaN : loss);
        using var trainer = new Trainer(method, Data(), _options, _folder);
        var error = Assert.Throws<InvalidOperationException>(
            () => trainer.Run(cancellation: TestContext.Current.CancellationToken));
        Assert.StartsWith("The loss is NaN after 30 updates of flow_matching(Uniform).", error.Message, StringComparison.Ordinal);
        using var again = new Network(_spec, 1);
        using var resumed = new Trainer(new FlowMatching(again, FlowTime.Uniform), Data(), _options, _folder);
        Assert.Equal(20, resumed.Step);
    }

    [Fact]
    public void Constructor_OverAnotherRunsCheckpoint_Refuses()
    {
        Train(_options, _folder);
        var error = Assert.Throws<ConfigException>(() => Train(_options with { Batch = 9 }, _folder));
        Assert.Contains("belongs to another run", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(200)]
    public void Constructor_OverACheckpointCutShort_SaysSo(int length)
    {
        Train(_options, _folder);
        string path = Path.Combine(_folder, "checkpoint.bin");
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..length]);
        var error = Assert.Throws<ConfigException>(() => Train(_options, _folder));
        Assert.EndsWith("checkpoint.bin is cut short. Train into an empty folder, or restore the file.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_WithDataOfAnotherSize_NamesBothSides()
    {
        using var network = new Network(_spec, 1);
        var data = new ChunkSet(new float[2], new float[8], null, 1, 4, 1, "demos");
        var error = Assert.Throws<ConfigException>(() => new Trainer(new FlowMatching(network, FlowTime.Uniform), data, _options, null));
        Assert.Equal(
            "demos has conditions of 1 and chunks of 4 x 1; the network takes 3 and 4 x 2. Change the network's sizes or the dataset's windows.",
            error.Message);
    }

    [Fact]
    public void Checked_WithSeveralBadOptions_ReportsAllOfThem()
    {
        var error = Assert.Throws<ConfigException>(
            () => (_options with { Steps = 0, Batch = 0, Beta1 = 1, CheckpointEvery = 25 }).Checked("train.json"));
        Assert.Equal(5, error.Problems.Count); // warm_up no longer fits either
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static ChunkSet Data() => new(Graphs.Normal(1, 40 * 3), Graphs.Normal(2, 40 * 8, 0.3), null, 3, 4, 2, "demos");

    private static (float[] Weights, List<TrainingProgress> Lines) Train(TrainingOptions options, string? folder)
    {
        using var network = new Network(_spec, 1);
        using var trainer = new Trainer(new FlowMatching(network, FlowTime.Uniform), Data(), options, folder);
        var lines = new Collected();
        trainer.Run(lines);
        using var average = trainer.Averaged();
        return (Graphs.Floats(average.Flat), lines.Lines);
    }

    // Stops as a kill does: after an update, without a word to the folder.
    private static void TrainUntil(int step, string folder)
    {
        using var network = new Network(_spec, 1);
        using var stop = new CancellationTokenSource();
        var method = new Wrapped(new FlowMatching(network, FlowTime.Uniform), (call, loss) =>
        {
            if (call == step)
            {
                stop.Cancel();
            }

            return loss;
        });
        using var trainer = new Trainer(method, Data(), _options, folder);
        trainer.Run(null, stop.Token);
        Assert.Equal(step, trainer.Step);
    }

    private sealed class Collected : IProgress<TrainingProgress>
    {
        public List<TrainingProgress> Lines { get; } = [];

        public void Report(TrainingProgress value) => Lines.Add(value);
    }

    private sealed class Wrapped(IImitation inner, Func<int, Tensor, Tensor> change) : IImitation
    {
        private int _calls;

        public string Name => inner.Name;

        public Network Network => inner.Network;

        public Tensor Loss(Tensor condition, Tensor chunk, Tensor valid, Generator random) =>
            change(++_calls, inner.Loss(condition, chunk, valid, random));
    }
}
