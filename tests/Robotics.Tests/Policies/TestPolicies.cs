using System.Text;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Tests.Policies;

/// <summary>Small policies with a manifest and files in memory, each an arithmetic a person can redo by hand.</summary>
internal static class TestPolicies
{
    public static readonly MonotonicTime Whenever = new(long.MaxValue);

    public static PolicyManifest Manifest(params ModelSpec[] models) => new()
    {
        Name = "tiny",
        Origin = "policy.json",
        Files = [.. models.Select(model => new PackageFile { Path = model.File, Sha256 = "" })],
        Models = models,
        Observations = [Group("o")],
        Action = new ActionSpec(),
        Timing = new TimingSpec { PeriodMs = 20 },
    };

    public static ObservationGroup Group(string name) =>
        new() { Name = name, Terms = [new ObservationTerm { Name = "t", Kind = "constant", Values = [0] }] };

    public static ModelSpec Model(string file, ModelInput[] inputs, params ModelOutput[] outputs) => new() { File = file, Inputs = inputs, Outputs = outputs };

    public static ModelSpec Simple(string file = "policy.onnx") => Model(file, [In("obs", "observation:o")], Out("action", "action"));

    public static ModelInput In(string name, string from) => new() { Name = name, From = from };

    public static ModelOutput Out(string name, string to) => new() { Name = name, To = to };

    public static OnnxPolicy Load(PolicyManifest manifest, params byte[][] models) => Load(manifest, new OnnxOptions(), models);

    public static OnnxPolicy Load(PolicyManifest manifest, OnnxOptions options, params byte[][] models) =>
        OnnxPolicy.Load(manifest, file => models[manifest.Models.ToList().FindIndex(model => model.File == file)], options);

    public static string Problem(PolicyManifest manifest, params byte[][] models) =>
        Assert.Throws<ConfigException>(() => Load(manifest, models).Dispose()).Message;

    public static float[] Plan(IPolicy policy, params float[] observation)
    {
        float[] chunk = new float[policy.Spec.Rows * policy.Spec.ActionLength];
        Assert.Equal(PlanStatus.Planned, policy.Plan(observation, Whenever, chunk).Status);
        return chunk;
    }

    /// <summary>action = 2 obs + 1, [1, width].</summary>
    public static byte[] Affine(int width = 2) => new TinyOnnx()
        .Input("obs", TinyOnnx.Float, 1, width).Output("action", TinyOnnx.Float, 1, width)
        .Constant("two", [2f], 1).Constant("one", [1f], 1)
        .Node("Mul", "obs two", "z").Node("Add", "z one", "action").Bytes();

    /// <summary>h' = tanh(obs + h); action = h'. Like a GRU without gates.</summary>
    public static byte[] Recurrent(int type = TinyOnnx.Float) => new TinyOnnx()
        .Input("obs", type, 1, 2).Input("h_in", type, 1, 2).Output("h_out", type, 1, 2)
        .Node("Add", "obs h_in", "z").Node("Tanh", "z", "h_out").Bytes();

    public static PolicyManifest RecurrentManifest(double reset = 0) =>
        Manifest(Model("policy.onnx", [In("obs", "observation:o"), In("h_in", "state:h")], Out("h_out", "action"), Out("h_out", "state:h")))
            with { States = new Dictionary<string, StateSpec> { ["h"] = new() { Reset = reset } } };

    /// <summary>action = obs / obs: NaN at 0.</summary>
    public static byte[] Ratio() => new TinyOnnx()
        .Input("obs", TinyOnnx.Float, 1, 2).Output("action", TinyOnnx.Float, 1, 2).Node("Div", "obs obs", "action").Bytes();

    public static ReadOnlyMemory<byte> Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>A clock that moves by a fixed step every time somebody looks.</summary>
    public sealed class SteppingClock(long stepNs) : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => 1_000_000_000;

        public override long GetTimestamp() => _now += stepNs;
    }
}
