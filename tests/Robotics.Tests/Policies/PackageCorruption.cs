using System.Text.Json.Nodes;
using Robotics.Packages;
using Robotics.Policies.Onnx;

namespace Robotics.Tests.Policies;

/// <summary>Everything a denoiser package needs, spoilt one value at a time: left out where it is required, or replaced by
/// something that reads well and is wrong.</summary>
internal static class PackageCorruption
{
    private const string Gone = "(gone)";

    /// <summary>Paths into policy.json with what replaces the value there.</summary>
    private static readonly (string Path, string Value)[] s_changes =
    [
        ("format", Gone), ("format", "\"policy\""), ("version", Gone), ("version", "2"), ("name", Gone), ("name", "\"a b\""), ("kind", Gone), ("kind", "\"velocity\""),
        ("kind", "\"energy\""), ("files", Gone), ("files.0", Gone), ("files.1", Gone), ("files.0.path", Gone), ("files.0.path", "\"other.onnx\""), ("files.0.sha256", Gone),
        ("files.0.sha256", "\"0000000000000000000000000000000000000000000000000000000000000000\""), ("files.1.sha256", Gone),
        ("models", Gone), ("models.0.file", Gone), ("models.0.file", "\"golden.csv\""), ("models.0.inputs", Gone), ("models.0.outputs", Gone), ("models.0.inputs.0", Gone),
        ("models.0.inputs.0.name", Gone), ("models.0.inputs.0.name", "\"noise\""), ("models.0.inputs.0.from", Gone), ("models.0.inputs.0.from", "\"observation:state\""),
        ("models.0.inputs.1.from", Gone), ("models.0.inputs.1.from", "\"sample\""), ("models.0.inputs.2.from", "\"observation:other\""),
        ("models.0.outputs.0.name", Gone), ("models.0.outputs.0.name", "\"action\""), ("models.0.outputs.0.to", Gone), ("models.0.outputs.0.to", "\"gradient\""),
        ("observations", Gone), ("observations.0.name", Gone), ("observations.0.name", "\"other\""), ("observations.0.terms", Gone), ("observations.0.terms.0.name", Gone),
        ("observations.0.terms.0.kind", Gone), ("observations.0.terms.0.kind", "\"joint_pos\""), ("observations.0.history.length", Gone), ("observations.0.history.length", "7"),
        ("observations.0.normalization", Gone), ("observations.0.normalization.mode", Gone), ("observations.0.normalization.mode", "\"mean_std\""),
        ("observations.0.normalization.min", Gone), ("observations.0.normalization.max", Gone), ("observations.0.normalization.min.0", "1e6"), ("observations.0.normalization.max.0", "1e6"),
        ("action", Gone), ("action.normalization", Gone), ("action.normalization.mode", Gone), ("action.normalization.min", Gone), ("action.normalization.max.0", "-1e6"),
        ("action.joints", "[\"x\"]"), ("action.rows", "17"), ("action.first_row", "16"), ("action.row_period_ms", "-100"),
        ("timing", Gone), ("timing.period_ms", Gone), ("timing.period_ms", "0"), ("sampler", Gone), ("sampler.horizon", Gone), ("sampler.horizon", "8"), ("sampler.horizon", "32"),
        ("sampler.diffusion", Gone), ("sampler.flow", "{}"), ("sampler.diffusion.schedule", "\"linear\""), ("sampler.diffusion.schedule", "\"betas\""), ("sampler.diffusion.train_steps", "50"),
        ("sampler.diffusion.betas_sha256", "\"0000000000000000000000000000000000000000000000000000000000000000\""),
        ("sampler.diffusion.prediction", Gone), ("sampler.diffusion.prediction", "\"velocity\""), ("sampler.diffusion.solver", "\"dpm_solver\""), ("sampler.diffusion.solver", "\"ddpm\""),
        ("sampler.diffusion.steps", "9"), ("sampler.diffusion.steps", "101"), ("sampler.diffusion.spacing", "\"trailing\""), ("sampler.diffusion.clip", "0.5"),
        ("sampler.diffusion.eta", "0.5"), ("sampler.diffusion.final_alpha", "0.99937"), ("sampler.diffusion.final_alpha", "0"), ("golden.file", Gone), ("golden.file", "\"step.onnx\""),
    ];

    /// <summary>Spoils a package in every way; beside each, what the loader said, or null where it took the package.</summary>
    /// <param name="folder">A denoiser package with golden vectors; only read.</param>
    public static List<(string What, string? Refusal)> Try(string folder)
    {
        string whole = File.ReadAllText(Path.Combine(folder, "policy.json"));
        string copy = Directory.CreateTempSubdirectory("robotics-spoilt-").FullName;
        try
        {
            foreach (string file in Directory.EnumerateFiles(folder))
            {
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            }

            return [.. s_changes.Select(change =>
            {
                File.WriteAllText(Path.Combine(copy, "policy.json"), Change(JsonNode.Parse(whole)!, change.Path.Split('.'), change.Value));
                return ($"{change.Path} = {change.Value}", Refusal(copy));
            })];
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    /// <summary>What the loader says to a package; null when it takes it.</summary>
    public static string? Refusal(string folder)
    {
        try
        {
            OnnxPolicy.Load(PolicyPackage.Load(folder), new OnnxOptions()).Dispose();
            return null;
        }
        catch (ConfigException error)
        {
            return error.Message;
        }
    }

    private static string Change(JsonNode root, string[] path, string value)
    {
        var at = root;
        foreach (string part in path[..^1])
        {
            at = (int.TryParse(part, out int index) ? at[index] : at[part]) ?? throw new ArgumentException($"The manifest has no {string.Join('.', path)}.");
        }

        var replacement = value == Gone ? null : JsonNode.Parse(value);
        switch (at)
        {
            case JsonArray list when replacement is null:
                list.RemoveAt(int.Parse(path[^1], System.Globalization.CultureInfo.InvariantCulture));
                break;
            case JsonArray list:
                list[int.Parse(path[^1], System.Globalization.CultureInfo.InvariantCulture)] = replacement;
                break;
            case JsonObject keys when replacement is null:
                _ = keys.Remove(path[^1]) ? true : throw new ArgumentException($"The manifest has no {string.Join('.', path)}.");
                break;
            default:
                at[path[^1]] = replacement;
                break;
        }

        return root.ToJsonString();
    }
}
