using System.Text.Json;
using Robotics.Learning.Export;
using Robotics.Learning.Networks;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests.Networks;

public sealed class NetworkTests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, NetworkSpec> _specs = new()
    {
        ["mlp denoiser"] = new ResidualMlp { Horizon = 16, ActionSize = 2, ConditionSize = 40 },
        ["mlp velocity"] = new ResidualMlp
        {
            Horizon = 16, ActionSize = 2, ConditionSize = 2, Time = TimeSignal.Continuous, TimeScale = 100, Residual = false,
        },
        ["mlp energy"] = new ResidualMlp
        {
            Horizon = 16, ActionSize = 2, ConditionSize = 2, Width = 160, Activation = Activation.Silu, Time = TimeSignal.None,
            Output = NetworkOutput.Energy, OutputGain = 10,
        },
        ["mlp energy mish residual"] = new ResidualMlp
        {
            Horizon = 8, ActionSize = 3, ConditionSize = 5, Time = TimeSignal.None, Output = NetworkOutput.Energy,
        },
        ["mlp velocity to an action"] = new ResidualMlp
        {
            Horizon = 16, ActionSize = 2, ConditionSize = 40, Time = TimeSignal.Continuous, TimeScale = 100, Head = NetworkHead.Action,
        },
        ["mlp distance to an action"] = new ResidualMlp
        {
            Horizon = 16, ActionSize = 2, ConditionSize = 40, Time = TimeSignal.None, Output = NetworkOutput.Energy, Head = NetworkHead.Action,
            Activation = Activation.Silu,
        },
        ["unet denoiser"] = new UNet1d { Horizon = 16, ActionSize = 2, ConditionSize = 40, Channels = [32, 64, 128] },
        ["unet velocity"] = new UNet1d
        {
            Horizon = 8, ActionSize = 7, ConditionSize = 10, Channels = [16, 32], Time = TimeSignal.Continuous, TimeScale = 100,
        },
        ["unet energy"] = new UNet1d
        {
            Horizon = 16, ActionSize = 2, ConditionSize = 10, Channels = [16, 32], Time = TimeSignal.None, Output = NetworkOutput.Energy,
        },
        ["transformer denoiser"] = new ActionTransformer { Horizon = 16, ActionSize = 2, ConditionSize = 40, ObservationSteps = 2 },
        ["transformer velocity"] = new ActionTransformer
        {
            Horizon = 12, ActionSize = 3, ConditionSize = 9, Width = 64, Layers = 2, Causal = false, Time = TimeSignal.Continuous, TimeScale = 100,
        },
        ["transformer energy"] = new ActionTransformer
        {
            Horizon = 16, ActionSize = 2, ConditionSize = 40, ObservationSteps = 2, Layers = 2, Causal = false,
            Time = TimeSignal.None, Output = NetworkOutput.Energy,
        },
    };

    public static TheoryData<string> Steps => [.. _specs.Where(s => s.Value.Output == NetworkOutput.Chunk).Select(s => s.Key)];

    public static TheoryData<string> Energies => [.. _specs.Where(s => s.Value.Output == NetworkOutput.Energy).Select(s => s.Key)];

    [Theory]
    [MemberData(nameof(Steps))]
    public void Graph_OfAStepNetwork_MatchesTorch(string name)
    {
        var spec = _specs[name];
        using var scope = NewDisposeScope();
        using var network = Build(spec);
        byte[] model = StepGraph.Write(spec, network.Values);
        foreach (int batch in (int[])[1, 5])
        {
            float[] sample = Graphs.Normal(3, batch * spec.Horizon * spec.ActionSize), cond = Graphs.Normal(4, batch * spec.ConditionSize, 0.5);
            long[] steps = [.. Enumerable.Range(0, batch).Select(i => (long)(99 - (24 * i)))];
            float[] times = [.. steps.Select(t => spec.Time == TimeSignal.Timestep ? t : spec.Head == NetworkHead.Action ? t / 200f : t / 100f)]; // 1/(1 - s) enlarges rounding
            using var off = no_grad();
            var expected = network.forward(
                tensor(sample, batch, spec.Horizon, spec.ActionSize), tensor(times), tensor(cond, batch, spec.ConditionSize));
            Assert.Equal([batch, spec.Horizon, spec.ActionSize], expected.shape);
            var found = Graphs.Run(
                model,
                ("sample", sample, [batch, spec.Horizon, spec.ActionSize]),
                spec.Time == TimeSignal.Timestep ? ("timestep", steps, [batch]) : ("time", times, [batch]),
                ("cond", cond, [batch, spec.ConditionSize])).Values.Single();
            double difference = Graphs.Difference(Graphs.Floats(expected), found);
            output.WriteLine($"{name}, batch {batch}: {difference:e1} of {found.Max(Math.Abs):f3}");
            Assert.InRange(found.Max(Math.Abs), 0.05, 50);
            Assert.InRange(difference, 0, 2e-6);
        }
    }

    [Theory]
    [MemberData(nameof(Energies))]
    public void Graph_OfAnEnergy_MatchesAutograd(string name)
    {
        var spec = _specs[name];
        using var scope = NewDisposeScope();
        using var network = Build(spec);
        byte[] model = StepGraph.Write(spec, network.Values);
        foreach (int batch in (int[])[1, 5])
        {
            float[] sample = Graphs.Normal(3, batch * spec.Horizon * spec.ActionSize), cond = Graphs.Normal(4, batch * spec.ConditionSize, 0.5);
            var (energy, gradient) = network.EnergyGradient(
                tensor(sample, batch, spec.Horizon, spec.ActionSize), tensor(cond, batch, spec.ConditionSize), keepGraph: false);
            var found = Graphs.Run(
                model, ("sample", sample, [batch, spec.Horizon, spec.ActionSize]), ("cond", cond, [batch, spec.ConditionSize]));
            double forward = Graphs.Difference(Graphs.Floats(energy), found["energy"]);
            double backward = Graphs.Difference(Graphs.Floats(gradient), found["gradient"]);
            double size = found["gradient"].Max(Math.Abs);
            output.WriteLine($"{name}, batch {batch}: energy {forward:e1} of {found["energy"].Max(Math.Abs):f3}, gradient {backward:e1} of {size:e1}");
            Assert.InRange(forward, 0, 2e-6);
            Assert.InRange(backward, 0, 1e-6);
            Assert.InRange(backward, 0, 2e-5 * size); // the mean over a chunk makes gradients small: hold it to their size too
        }
    }

    [Fact]
    public void EnergyGradient_WithItsGraph_CanBeTrainedThrough()
    {
        using var scope = NewDisposeScope();
        using var network = Build(_specs["mlp energy"]);
        var (_, gradient) = network.EnergyGradient(randn(4, 16, 2), randn(4, 2), keepGraph: true);
        gradient.square().sum().backward();
        Assert.True(network.Weights["hidden0_weight"].grad!.abs().max().item<float>() > 1e-4f);
    }

    [Theory]
    [InlineData("mlp energy")]
    [InlineData("unet velocity")]
    [InlineData("transformer denoiser")]
    public void Spec_ThroughJson_IsTheSameNetwork(string name)
    {
        string json = JsonSerializer.Serialize(_specs[name]);
        var read = JsonSerializer.Deserialize<NetworkSpec>(json)!;
        Assert.Equal(json, JsonSerializer.Serialize(read));
        Assert.Equal(_specs[name].GetType(), read.GetType());
        Assert.Equal(_specs[name].Weights().Select(w => (w.Name, w.Count)), read.Weights().Select(w => (w.Name, w.Count)));
    }

    [Theory]
    [InlineData(2, 40, 256, new[] { 256, 512, 1024 }, 65_783_298)] // the reference's own counts, policy card 1
    [InlineData(2, 40, 64, new[] { 64, 128, 256 }, 4_231_554)]
    [InlineData(10, 46, 256, new[] { 256, 512, 1024 }, 65_883_658)]
    public void Weights_OfTheUNet_CountAsThePublishedOne(int actions, int condition, int time, int[] channels, long expected)
    {
        var spec = new UNet1d { Horizon = 16, ActionSize = actions, ConditionSize = condition, TimeWidth = time, Channels = channels };
        Assert.Equal(expected, spec.Weights().Sum(w => w.Count));
    }

    [Fact]
    public void Weights_WithTheSameSeed_Repeat()
    {
        using var scope = NewDisposeScope();
        using var a = new Network(_specs["mlp denoiser"], 5);
        using var b = new Network(_specs["mlp denoiser"], 5);
        using var c = new Network(_specs["mlp denoiser"], 6);
        Assert.Equal(Graphs.Floats(a.Weights["output_weight"]), Graphs.Floats(b.Weights["output_weight"]));
        Assert.NotEqual(Graphs.Floats(a.Weights["output_weight"]), Graphs.Floats(c.Weights["output_weight"]));
        Assert.Equal(a.Weights.Count, a.parameters().Count());
    }

    [Fact]
    public void Transformer_WhenCausal_NeverSeesLaterRows()
    {
        var spec = new ActionTransformer { Horizon = 6, ActionSize = 2, ConditionSize = 6, ObservationSteps = 3, Width = 32, Layers = 2 };
        using var scope = NewDisposeScope();
        using var network = Build(spec);
        using var off = no_grad();
        var (x, t, cond) = (randn(1, 6, 2), tensor(new[] { 7f }), randn(1, 6));
        var plain = network.forward(x, t, cond);
        var later = x.clone();
        later[0, 4] += 3;
        var changed = (network.forward(later, t, cond) - plain).abs().amax([0L, 2L]);
        Assert.Equal(0, changed[..4].max().item<float>());
        Assert.True(changed[4].item<float>() > 1e-3f && changed[5].item<float>() > 1e-3f);

        var laterObservation = cond.clone();
        laterObservation[0, 4] += 3; // observation step 2: rows 2 and later may look
        changed = (network.forward(x, t, laterObservation) - plain).abs().amax([0L, 2L]);
        Assert.Equal(0, changed[..2].max().item<float>());
        Assert.True(changed[2].item<float>() > 1e-4f);
    }

    [Fact]
    public void Checked_WithSizesThatDoNotFit_ReportsAllOfThem()
    {
        var error = Assert.Throws<ConfigException>(() => new UNet1d
        {
            Horizon = 18, ActionSize = 2, ConditionSize = 0, Channels = [64, 100, 128], Output = NetworkOutput.Energy,
        }.Checked("train.json"));
        Assert.Equal(
            [
                "condition_size is 0, expected 1 to 65536",
                "time is Timestep, but an energy has no time: expected None",
                "channels are 64, 100, 128, expected multiples of groups, 8",
                "horizon is 18, expected a multiple of 4 for 3 levels of channels",
            ],
            error.Problems);
    }

    [Fact]
    public void Graph_OfAChunkNetworkWithoutTime_IsRefused() => Assert.Throws<NotSupportedException>(
        () => StepGraph.Kind(new ResidualMlp { Horizon = 1, ActionSize = 1, ConditionSize = 1, Time = TimeSignal.None }));

    // Norms drawn away from 1 and 0, so that a forgotten gain or bias shows.
    private static Network Build(NetworkSpec spec)
    {
        var network = new Network(spec, 11);
        using var off = no_grad();
        foreach (var weight in spec.Weights().Where(w => w.Draw == WeightDraw.Constant))
        {
            network.Weights[weight.Name].copy_(tensor(Graphs.Weights(weight)));
        }

        return network;
    }
}
