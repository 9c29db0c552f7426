using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Tests.Imitation;

public sealed class LossTests
{
    private const int B = 4, H = 3, Da = 2, C = 2;

    public static TheoryData<string> Methods => ["diffusion", "flow", "equilibrium", "unrolled", "unrolled with everything", "least squares"];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Loss_IgnoresRowsThatArePadded(string name)
    {
        using var scope = NewDisposeScope();
        using var network = Build(name);
        var method = Method(name, network);
        var (condition, chunk, valid) = (randn(B, C), randn(B, H, Da), ones(B, H));
        valid[TensorIndex.Colon, 2] = 0;
        var moved = chunk.clone();
        moved[TensorIndex.Colon, 2] += 5;
        float plain = Loss(method, condition, chunk, valid), changed = Loss(method, condition, moved, valid);
        float counted = Loss(method, condition, moved, ones(B, H));
        if (name is not ("diffusion" or "flow" or "equilibrium")) // those mix the target into the sample
        {
            Assert.Equal(plain, changed, 1e-5f);
        }

        Assert.NotEqual(counted, changed, 1e-2f);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Loss_WithTheSameGenerator_RepeatsAndReachesEveryWeightMatrix(string name)
    {
        using var scope = NewDisposeScope();
        using var network = Build(name);
        var method = Method(name, network);
        var (condition, chunk, valid) = (randn(B, C), randn(B, H, Da), ones(B, H));
        Assert.Equal(Loss(method, condition, chunk, valid), Loss(method, condition, chunk, valid));
        using var random = new Generator(5);
        method.Loss(condition, chunk, valid, random).backward();
        Assert.All(
            network.Weights.Where(w => w.Key.EndsWith("weight", StringComparison.Ordinal)),
            w => Assert.True(w.Value.grad!.abs().max().item<float>() > 0, w.Key));
    }

    [Theory]
    [InlineData(Prediction.Epsilon)]
    [InlineData(Prediction.Sample)]
    [InlineData(Prediction.Velocity)]
    public void Loss_OfDiffusion_AsksForWhatTheSamplerReads(Prediction prediction)
    {
        // A network of zeros leaves the target alone: E ε² = 1; E a² of the data; and for v = √ᾱ ε - √(1-ᾱ) a their mixture.
        using var scope = NewDisposeScope();
        var schedule = NoiseSchedule.SquaredCosine(100);
        using var network = Build("diffusion");
        using var off = no_grad();
        network.Flat.zero_();
        using var method = new Diffusion(network, schedule, prediction);
        const double action = 0.5;
        double mean = schedule.AlphaBars.ToArray().Average();
        double expected = prediction switch
        {
            Prediction.Epsilon => 1,
            Prediction.Sample => action * action,
            _ => mean + ((1 - mean) * action * action),
        };
        const int many = 20_000;
        using var random = new Generator(1);
        double found = method.Loss(zeros(many, C), full([many, H, Da], 0.5f), ones(many, H), random).item<float>();
        Assert.Equal(expected, found, 0.02);
    }

    [Fact]
    public void Loss_OfFlow_AsksForTheStraightVelocity()
    {
        // The target is a - n whatever the time; a network of zeros then scores E (a - n)² = 1 + a².
        using var scope = NewDisposeScope();
        using var network = Build("flow");
        using var off = no_grad();
        network.Flat.zero_();
        using var random = new Generator(1);
        const int many = 20_000;
        double found = new FlowMatching(network, FlowTime.Beta).Loss(zeros(many, C), full([many, H, Da], 0.5f), ones(many, H), random).item<float>();
        Assert.Equal(1.25, found, 0.02);
    }

    [Fact]
    public void Constructor_WithTheWrongNetwork_NamesBothSides()
    {
        using var network = Build("flow");
        var error = Assert.Throws<ConfigException>(() => new EquilibriumMatching(network));
        Assert.Equal(
            "EquilibriumMatching trains a network with output Energy and time None; this one has output Chunk and time Continuous. "
            + "Change 'output' and 'time' of the network.",
            error.Message);
    }

    private static float Loss(IImitation method, Tensor condition, Tensor chunk, Tensor valid)
    {
        using var random = new Generator(5);
        return method.Loss(condition, chunk, valid, random).item<float>();
    }

    private static Network Build(string name) => new(
        new ResidualMlp
        {
            Horizon = H,
            ActionSize = Da,
            ConditionSize = C,
            Width = 16,
            Time = name switch { "diffusion" => TimeSignal.Timestep, "flow" => TimeSignal.Continuous, _ => TimeSignal.None },
            Output = name.StartsWith("unrolled", StringComparison.Ordinal) || name == "equilibrium" ? NetworkOutput.Energy : NetworkOutput.Chunk,
        },
        seed: 1);

    private static IImitation Method(string name, Network network) => name switch
    {
        "diffusion" => new Diffusion(network, NoiseSchedule.SquaredCosine(100), Prediction.Epsilon),
        "flow" => new FlowMatching(network, FlowTime.Beta),
        "equilibrium" => new EquilibriumMatching(network),
        "unrolled" => new UnrolledEnergy(network, new UnrolledEnergyOptions()),
        "unrolled with everything" => new UnrolledEnergy(network, new UnrolledEnergyOptions
        {
            Steps = 2, ExtraSteps = 2, Momentum = 0.5, FirstNoise = 0.2, LastNoise = 0.002, StepJitter = 1.5, LastStepOnly = false, Detach = false,
        }),
        _ => new LeastSquares(network),
    };
}
