using System.Runtime.InteropServices;
using Robotics.Packages;
using Robotics.Policies.Onnx;
using static Robotics.Tests.Policies.TestPolicies;

namespace Robotics.Tests.Policies;

public sealed class OnnxPolicyLoadTests
{
    [Fact]
    public void Load_WhenFileIsNoOnnx_NamesFileAndReason()
    {
        string message = Problem(Manifest(Simple()), [1, 2, 3, 4, 5]);
        Assert.StartsWith("policy.json: models[0].file 'policy.onnx' (5 bytes) cannot be opened as an ONNX graph: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Load_WhenFileIsCutShort_NamesIt() => Assert.Contains("cannot be opened", Problem(Manifest(Simple()), TinyOnnx.Mlp(1, 4, 4)[..100]), StringComparison.Ordinal);

    [Fact]
    public void Load_WhenNamesAreUnknown_ListsTheGraphsOwn()
    {
        var manifest = Manifest(Model("policy.onnx", [In("observation", "observation:o")], Out("actions", "action")));
        string message = Problem(manifest, Affine());
        Assert.Contains("models[0].inputs[0].name is 'observation'; the graph's inputs are obs float32[1,2]", message, StringComparison.Ordinal);
        Assert.Contains("models[0].outputs[0].name is 'actions'; the graph's outputs are action float32[1,2]", message, StringComparison.Ordinal);
        Assert.Contains("models[0].inputs has no entry for input obs float32[1,2] of policy.onnx", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenShapeDisagrees_NamesBothSides()
    {
        var manifest = Manifest(Model("policy.onnx", [In("obs", "observation:o") with { Shape = [1, 3] }], Out("action", "action")));
        Assert.Equal("policy.json: models[0].inputs[0].shape is [1,3]; the graph's input is obs float32[1,2]", Problem(manifest, Affine()));
    }

    [Fact]
    public void Load_WhenDtypeDisagrees_NamesBothSides()
    {
        var manifest = Manifest(Model("policy.onnx", [In("obs", "observation:o") with { Dtype = "float16" }], Out("action", "action")));
        Assert.Equal("policy.json: models[0].inputs[0].dtype is float16; the graph's input is obs float32[1,2]", Problem(manifest, Affine()));
    }

    [Fact]
    public void Load_WhenGraphTypeIsNotWired_SaysWhichAre()
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Bool, 1, 2).Output("action", TinyOnnx.Bool, 1, 2).Node("Not", "obs", "action").Bytes();
        Assert.Contains("names input obs bool[1,2]; only float32, float16 and int64 are wired", Problem(Manifest(Simple()), model), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenAnotherDimensionIsFree_AsksForIt()
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Float, "batch", "width").Output("action", TinyOnnx.Float, "batch", "width").Node("Neg", "obs", "action").Bytes();
        Assert.Contains("models[0].inputs[0].shape must fix dimension 1 ('width')", Problem(Manifest(Simple()), model), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 17, "action.rows asks for rows 0 to 16 (first_row 0, rows 17)")]
    [InlineData(9, 8, "action.rows asks for rows 9 to 16 (first_row 9, rows 8)")]
    public void Load_WhenChunkIsTooShort_NamesBothSides(int firstRow, int rows, string expected)
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Float, 1, 1).Output("action", TinyOnnx.Float, 1, 16, 2)
            .Constant("zero", new float[32], 1, 16, 2).Node("Add", "zero obs", "action").Bytes();
        string message = Problem(Manifest(Simple()) with { Action = new ActionSpec { FirstRow = firstRow, Rows = rows } }, model);
        Assert.Contains(expected + "; models[0].outputs[0] 'action' float32[1,16,2] gives rows 0 to 15", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenJointCountDisagrees_NamesBothSides()
    {
        string message = Problem(Manifest(Simple()) with { Action = new ActionSpec { Joints = ["a", "b", "c"] } }, Affine());
        Assert.Equal("policy.json: action.joints names 3 joints; models[0].outputs[0] 'action' float32[1,2] gives 2 per row", message);
    }

    [Fact]
    public void Load_WhenManyThingsAreWrong_ReportsThemAtOnce()
    {
        var manifest = Manifest(Model(
            "policy.onnx",
            [In("obs", "observation:other"), In("obs", "command:velocity")],
            Out("action", "torque")));
        var problems = Assert.Throws<ConfigException>(() => Load(manifest, Affine())).Problems;
        Assert.Contains("models[0].inputs[0].from names observation group 'other'; 'observations' has o", problems);
        Assert.Contains("models[0].inputs[1].from is 'command:velocity'; expected observation:GROUP, state:NAME, value:NAME or constant, and in a sampled policy's last model sample, time or noise", problems);
        Assert.Contains("models[0].outputs[0].to is 'torque'; expected action, state:NAME or value:NAME, and in a sampled policy's last model prediction, energy or gradient", problems);
    }

    [Theory]
    [InlineData("state:h", "action", "models[0].inputs[0].from names state 'h'; 'states' has none")]
    [InlineData("value:z", "action", "models[0].inputs[0].from names value 'z'; earlier models give none")]
    [InlineData("constant", "action", "models[0].inputs[0].value is missing; 'constant' needs it")]
    [InlineData("observation:o", "value:z", "models has no output with to 'action'")]
    public void Load_WhenAWireLeadsNowhere_SaysWhich(string from, string to, string expected) =>
        Assert.Contains(expected, Problem(Manifest(Model("policy.onnx", [In("obs", from)], Out("action", to))), Affine()), StringComparison.Ordinal);

    [Fact]
    public void Load_WhenStateIsNotWritten_SaysSo()
    {
        var manifest = RecurrentManifest() with { Models = [Model("policy.onnx", [In("obs", "observation:o"), In("h_in", "state:h")], Out("h_out", "action"))] };
        Assert.Equal("policy.json: states.h is written by no output; wire one with to 'state:h'", Problem(manifest, Recurrent()));
    }

    [Fact]
    public void Load_WhenNormalizationHasTheWrongLength_NamesBoth()
    {
        var manifest = Manifest(Simple()) with { Observations = [Group("o") with { Normalization = new NormalizationSpec { Mode = "mean_std", Mean = [0, 0, 0], Std = [1] } }] };
        Assert.Equal("policy.json: observations[0].normalization has 3 numbers; expected 1, 2 (one frame) or 2 (all)", Problem(manifest, Affine()));
    }

    [Fact]
    public void Load_WhenDataIsExternal_FindsItInThePackageOnly()
    {
        byte[] model = new TinyOnnx().Input("obs", TinyOnnx.Float, 1, 2).Output("action", TinyOnnx.Float, 1, 2)
            .External("w", "policy.data", 16, 2, 2).Node("MatMul", "obs w", "action").Bytes();
        byte[] weights = MemoryMarshal.AsBytes<float>([1, 2, 3, 4]).ToArray();
        var manifest = Manifest(Simple("net/policy.onnx"));
        var listed = manifest with { Files = [.. manifest.Files, new PackageFile { Path = "net/policy.data", Sha256 = "" }] };
        using (var policy = OnnxPolicy.Load(listed, file => file == "net/policy.onnx" ? model : weights, new OnnxOptions()))
        {
            Assert.Equal([31, 42], Plan(policy, 1, 10)); // [1 10] [[1 2] [3 4]]
        }

        // A file of that name in the working directory is not the package's.
        string stray = Path.Combine(Environment.CurrentDirectory, "policy.data");
        File.WriteAllBytes(stray, weights);
        try
        {
            Assert.Contains("models[0].file 'net/policy.onnx'", Problem(manifest, model), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(stray);
        }
    }

    [Fact]
    public void Load_WhenAFileLeavesThePackage_Refuses()
    {
        var manifest = Manifest(Simple());
        manifest = manifest with { Files = [.. manifest.Files, new PackageFile { Path = "../outside.data", Sha256 = "" }] };
        string message = Assert.Throws<ConfigException>(() => OnnxPolicy.Load(manifest, _ => Affine(), new OnnxOptions())).Message;
        Assert.Contains("files names '../outside.data', which leaves the package", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Graphs_DescribeNamesTypesShapesWiresAndSize()
    {
        byte[] model = Affine();
        using var policy = Load(Manifest(Simple()), model);
        var graph = Assert.Single(policy.Graphs);
        Assert.Equal(("policy.onnx", (long)model.Length), (graph.File, graph.Bytes));
        Assert.Equal(("obs float32[1,2]", "observation:o"), (graph.Inputs[0].ToString(), graph.Inputs[0].Wire));
        Assert.Equal(("action float32[1,2]", "action"), (graph.Outputs[0].ToString(), graph.Outputs[0].Wire));
    }

    [Theory]
    [InlineData("1,2;3,5\n", null)]
    [InlineData("# comment\n\n1,2;3,5 # same line\n", null)]
    [InlineData("0,0;1,1\n1,2;3,5.25\n", "golden.file golden.csv differs by up to 0.25, tolerance 0.0001 (line 2, action element 1: the network gives 5, the file 5.25)")]
    [InlineData("1,2;3\n", "golden.csv: line 1 has 2;1 numbers; the policy has 2;2")]
    [InlineData("1,x;3,5\n", "golden.csv: line 1 is not 'observation floats;action floats'")]
    [InlineData("1,2;3,NaN\n", "golden.file golden.csv differs by up to")]
    [InlineData("# nothing\n", "golden.csv: has no rows")]
    public void Load_WhenGoldenVectorsAreGiven_ChecksThem(string csv, string? expected)
    {
        var manifest = Manifest(Simple()) with { Golden = new GoldenSpec { File = "golden.csv" } };
        OnnxPolicy Load() => OnnxPolicy.Load(manifest, file => file == "golden.csv" ? Utf8(csv) : Affine(), new OnnxOptions());
        if (expected is null)
        {
            Load().Dispose();
        }
        else
        {
            Assert.Contains(expected, Assert.Throws<ConfigException>(() => Load()).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Load_WhenGo1_ReproducesItsGoldenVectors()
    {
        string folder = Path.GetDirectoryName(Repository.Case("go1-joystick/policy.onnx"))!;
        var manifest = Manifest(Model("policy.onnx", [In("obs", "observation:o")], Out("continuous_actions", "action")))
            with { Golden = new GoldenSpec { File = "golden.csv", Tolerance = 1e-5 } };
        using var policy = OnnxPolicy.Load(manifest, file => File.ReadAllBytes(Path.Combine(folder, file)), new OnnxOptions());
        Assert.Equal((48, 12), (policy.Spec.ObservationLength, policy.Spec.ActionLength));
    }

    [Theory]
    [InlineData("cuda", "tensorrt", "cpu", "option", "cuda,cpu")]
    [InlineData(null, "tensorrt, cuda", "cpu", "ROBOTICS_PROVIDERS", "tensorrt,cuda,cpu")]
    [InlineData(null, " ", "cuda", "manifest", "cuda,cpu")]
    [InlineData(null, null, null, "default", "cpu")]
    [InlineData("cpu", null, "cuda", "option", "cpu")] // cpu first: nothing else is tried
    public void Resolve_TakesOptionThenEnvironmentThenManifest(string? option, string? environment, string? manifest, string by, string names)
    {
        var order = ProviderOrder.Resolve(option is null ? null : [option], environment, manifest is null ? [] : [manifest], "policy.json");
        Assert.Equal((by, names), (order.ChosenBy, string.Join(',', order.Names)));
    }

    [Fact]
    public void Resolve_WhenNameIsUnknown_ListsTheKnown() => Assert.Equal(
        "environment: ROBOTICS_PROVIDERS names 'gpu'; known are tensorrt, cuda, cpu",
        Assert.Throws<ConfigException>(() => ProviderOrder.Resolve(null, "gpu", [], "policy.json")).Message);

    [Fact]
    public void Provider_WhenPreferredCannotServe_FallsBackAndSaysWhy()
    {
        using var policy = Load(Manifest(Simple()), new OnnxOptions { Providers = ["cuda", "cpu"] }, Affine());
        Assert.SkipWhen(policy.Provider.Serving == "cuda", "this machine has a GPU and the build its package");
        Assert.Equal("cpu", policy.Provider.Serving);
        Assert.StartsWith("cpu serves (order from option); cuda: ", policy.Provider.ToString(), StringComparison.Ordinal);
        Assert.Equal([3, 5], Plan(policy, 1, 2));
    }
}
