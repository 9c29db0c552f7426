using Robotics.Numerics;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using Robotics.Policies.Steering;

namespace Robotics.Tests.Policies.Steering;

/// <summary>A folder of small packages whose networks are formulas: scores of Gaussians, a quadratic critic, a Gaussian actor.</summary>
/// <remarks>Chunks are 4 rows of 2. A parent's action is N(M·cond, v) in its normalised space, M the same for every row: the mean of
/// element e is gain[e]·cond[0].</remarks>
internal sealed class GaussianPackages : IDisposable
{
    public const int Rows = 4;
    public const int Width = 2 * Rows;

    private readonly TemporaryFolder _folder = new();

    public static MonotonicTime Whenever => TestPolicies.Whenever;

    public string At(string name) => _folder.At(name);

    public PolicyTree Load(string name, TimeProvider? clock = null) =>
        PolicyTree.Load(PolicyPackage.Load(At(name)), new OnnxOptions { Clock = clock ?? TimeProvider.System });

    /// <summary>A denoiser with the exact score.</summary>
    public PolicyManifest Denoiser(string name, float gain, double variance, string group = "o", Prediction prediction = Prediction.Epsilon, Func<PolicyManifest, PolicyManifest>? change = null, int rows = Rows)
    {
        var diffusion = new DiffusionSpec { Prediction = prediction, Steps = 10, Spacing = GridSpacing.Trailing, Clip = 0 };
        var manifest = Manifest(name, PolicyKind.Denoiser, group, new SamplerSpec { Horizon = rows, Diffusion = diffusion }, rows);
        manifest = change?.Invoke(manifest) ?? manifest;
        var alphaBars = NoiseSchedule.SquaredCosine(manifest.Sampler!.Diffusion!.TrainSteps).AlphaBars;
        float[] x = new float[alphaBars.Length], m = new float[alphaBars.Length];
        for (int t = 0; t < x.Length; t++)
        {
            double s2 = alphaBars[t], n2 = 1 - s2, whole = (s2 * variance) + n2, s = Math.Sqrt(s2), n = Math.Sqrt(n2);
            (x[t], m[t]) = prediction == Prediction.Epsilon
                ? ((float)(n / whole), (float)(-n * s / whole))
                : ((float)(s * variance / whole), (float)(1 - (s2 * variance / whole)));
        }

        byte[] graph = Start(gain, rows).Input("timestep", TinyOnnx.Long, "batch")
            .Constant("x_by_step", x, x.Length).Constant("m_by_step", m, m.Length)
            .Node("Gather", "x_by_step timestep", "cx").Node("Unsqueeze", "cx last", "fx")
            .Node("Gather", "m_by_step timestep", "cm").Node("Unsqueeze", "cm last", "fm")
            .Node("Mul", "sample fx", "px").Node("Mul", "mean fm", "pm").Node("Add", "px pm", "prediction").Bytes();
        return Write(manifest, ("step.onnx", graph));
    }

    /// <summary>A flow with the exact velocity.</summary>
    public PolicyManifest Flow(string name, float gain, double variance, string group = "o", Func<PolicyManifest, PolicyManifest>? change = null, int rows = Rows)
    {
        var manifest = Manifest(name, PolicyKind.Velocity, group, new SamplerSpec { Horizon = rows, Flow = new FlowSpec { Steps = 10 } }, rows);
        byte[] graph = Start(gain, rows).Input("timestep", TinyOnnx.Float, "batch")
            .Constant("one", [1f], 1).Constant("v", [(float)variance], 1)
            .Node("Unsqueeze", "timestep last", "s").Node("Sub", "one s", "n")
            .Node("Mul", "s v", "sv").Node("Mul", "sv s", "ssv").Node("Mul", "n n", "nn").Node("Add", "ssv nn", "whole")
            .Node("Sub", "sv n", "top").Node("Div", "top whole", "c")
            .Node("Mul", "mean s", "sm").Node("Sub", "sample sm", "off").Node("Mul", "off c", "pull").Node("Add", "mean pull", "prediction").Bytes();
        return Write(change?.Invoke(manifest) ?? manifest, ("step.onnx", graph));
    }

    /// <summary>An ensemble of two: q = -‖a - target‖² and the same plus <paramref name="bias"/>·a[0]. Reads the first element of group
    /// <paramref name="group"/> with factor 0.</summary>
    public PolicyManifest Critic(string name, float target, float bias = 0, string group = "o", Func<PolicyManifest, PolicyManifest>? change = null)
    {
        byte[] graph = new TinyOnnx().Input("cond", TinyOnnx.Float, "batch", 1).Input("action", TinyOnnx.Float, "batch", Rows, 2)
            .Output("q", TinyOnnx.Float, 2, "batch").Output("gradient", TinyOnnx.Float, "batch", Rows, 2)
            .Constant("target", [target], 1).Constant("nought", [0f], 1).Constant("minus", [-1f], 1).Constant("minus2", [-2f], 1).Constant("half", [bias / 2], 1)
            .Constant("axes", [1L, 2L], 2).Constant("flat", [-1L, Width], 2).Constant("pick", [1f, 0, 0, 0, 0, 0, 0, 0], Width, 1).Constant("front", [0L], 1)
            .Constant("bias", [0f, bias], 2, 1).Constant("first", [1f, 0, 0, 0, 0, 0, 0, 0], 1, Rows, 2).Constant("one_row", [1L, -1L], 2)
            .Node("Sub", "action target", "d").Node("Mul", "d d", "dd").Node("ReduceSum", "dd axes", "sum", ("keepdims", 0)).Node("Mul", "sum minus", "each")
            .Node("Mul", "cond nought", "nothing").Node("Reshape", "nothing one_row", "none").Node("Reshape", "each one_row", "row").Node("Add", "row none", "base")
            .Node("Reshape", "action flat", "a").Node("MatMul", "a pick", "a0").Node("Reshape", "a0 one_row", "a0row").Node("Mul", "bias a0row", "lean")
            .Node("Add", "base lean", "q")
            .Node("Mul", "d minus2", "g").Node("Mul", "first half", "tilt").Node("Add", "g tilt", "gradient").Bytes();
        var manifest = Manifest(name, PolicyKind.Critic, group, null) with
        {
            Models = [TestPolicies.Model("critic.onnx", [TestPolicies.In("cond", $"observation:{group}"), TestPolicies.In("action", "action")], TestPolicies.Out("q", "q"), TestPolicies.Out("gradient", "gradient"))],
        };
        return Write(change?.Invoke(manifest) ?? manifest, ("critic.onnx", graph));
    }

    /// <summary>mean = gain·cond, log_std = <paramref name="logStd"/>, of one pass.</summary>
    public PolicyManifest Gaussian(string name, float gain, float logStd, Func<PolicyManifest, PolicyManifest>? change = null)
    {
        byte[] graph = new TinyOnnx().Input("cond", TinyOnnx.Float, 1, 1).Output("action", TinyOnnx.Float, 1, Rows, 2).Output("log_std", TinyOnnx.Float, 1, Rows, 2)
            .Constant("gain", [.. Enumerable.Repeat(gain, Width)], 1, Width).Constant("shape", [1L, Rows, 2], 3).Constant("flat", [.. Enumerable.Repeat(0f, Width)], 1, Rows, 2).Constant("ls", [logStd], 1)
            .Node("MatMul", "cond gain", "m").Node("Reshape", "m shape", "action").Node("Add", "flat ls", "log_std").Bytes();
        var manifest = Manifest(name, PolicyKind.Direct, "o", null) with
        {
            Models = [TestPolicies.Model("policy.onnx", [TestPolicies.In("cond", "observation:o")], TestPolicies.Out("action", "action"), TestPolicies.Out("log_std", "log_std"))],
        };
        return Write(change?.Invoke(manifest) ?? manifest, ("policy.onnx", graph));
    }

    /// <summary>A mixture: component m has mean gain[m]·cond and log_std <paramref name="logStd"/>.</summary>
    public PolicyManifest Mixture(string name, float[] gains, float logStd, float[] weights)
    {
        int m = gains.Length;
        byte[] graph = new TinyOnnx().Input("cond", TinyOnnx.Float, 1, 1).Output("action", TinyOnnx.Float, m, Rows, 2).Output("log_std", TinyOnnx.Float, m, Rows, 2).Output("log_weight", TinyOnnx.Float, 1, weights.Length)
            .Constant("gain", [.. gains.SelectMany(gain => Enumerable.Repeat(gain, Width))], 1, m * Width).Constant("shape", [m, (long)Rows, 2], 3).Constant("nought", [0f], 1)
            .Constant("ls", [logStd], 1).Constant("lw", [.. weights.Select(w => MathF.Log(w))], 1, weights.Length)
            .Node("MatMul", "cond gain", "all").Node("Reshape", "all shape", "action").Node("Mul", "action nought", "none").Node("Add", "none ls", "log_std")
            .Node("Mul", "cond nought", "zero").Node("Add", "zero lw", "log_weight").Bytes();
        return Write(Manifest(name, PolicyKind.Direct, "o", null) with
        {
            Models = [TestPolicies.Model("policy.onnx", [TestPolicies.In("cond", "observation:o")], TestPolicies.Out("action", "action"), TestPolicies.Out("log_std", "log_std"), TestPolicies.Out("log_weight", "log_weight"))],
        }, ("policy.onnx", graph));
    }

    /// <summary>A steered package over others in the same folder.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="steering">The block, with single quotes.</param>
    /// <param name="more">More keys of the manifest, with a comma in front.</param>
    public string Steered(string name, string steering, string more = "")
    {
        Directory.CreateDirectory(At(name));
        string json = $$"""{ "format": "policy-package", "version": 1, "name": "{{name}}", "kind": "steered", "steering": { {{steering}} } {{more}} }""";
        File.WriteAllText(Path.Combine(At(name), "policy.json"), json.Replace('\'', '"'));
        return At(name);
    }

    public static string Parents(params string[] names) => $"'parents': [{string.Join(", ", names.Select(name => $"{{ 'package': '../{name}' }}"))}]";

    public static float[] Plan(IPolicy policy, params float[] observation) => TestPolicies.Plan(policy, observation);

    public void Dispose() => _folder.Dispose();

    public PolicyManifest Write(PolicyManifest manifest, params (string Path, byte[] Bytes)[] files)
    {
        string folder = At(manifest.Name);
        Directory.CreateDirectory(folder);
        foreach (var (path, bytes) in files)
        {
            File.WriteAllBytes(Path.Combine(folder, path), bytes);
        }

        return PolicyPackage.Write(folder, manifest with { Files = [.. files.Select(file => new PackageFile { Path = file.Path, Sha256 = "" })] });
    }

    private static PolicyManifest Manifest(string name, PolicyKind kind, string group, SamplerSpec? sampler, int rows = Rows) => new()
    {
        Name = name,
        Kind = kind,
        Files = [],
        Models = [TestPolicies.Model("step.onnx", [TestPolicies.In("sample", "sample"), TestPolicies.In("timestep", "time"), TestPolicies.In("cond", $"observation:{group}")], TestPolicies.Out("prediction", "prediction"))],
        Observations = [new ObservationGroup { Name = group, Terms = [new ObservationTerm { Name = "t", Kind = "signal", Signal = group }] }],
        Action = new ActionSpec { Joints = ["x", "y"], Rows = rows, Normalization = new() { Mode = "mean_std", Mean = [0], Std = [1], Epsilon = 0 } },
        Timing = new TimingSpec { PeriodMs = 20 },
        Sampler = sampler,
    };

    private static TinyOnnx Start(float gain, int rows) => new TinyOnnx()
        .Input("sample", TinyOnnx.Float, "batch", rows, 2).Input("cond", TinyOnnx.Float, "batch", 1).Output("prediction", TinyOnnx.Float, "batch", rows, 2)
        .Constant("gain", [.. Enumerable.Repeat(gain, 2 * rows)], 1, 2 * rows).Constant("shape", [-1L, rows, 2], 3).Constant("last", [1L, 2L], 2)
        .Node("MatMul", "cond gain", "flat").Node("Reshape", "flat shape", "mean");
}
