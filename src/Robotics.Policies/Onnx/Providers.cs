using Microsoft.ML.OnnxRuntime;

namespace Robotics.Policies.Onnx;

/// <summary>Which execution provider serves a policy, and why each preferred one does not.</summary>
/// <param name="Serving"><c>tensorrt</c>, <c>cuda</c> or <c>cpu</c>.</param>
/// <param name="ChosenBy">Where the order came from: option, ROBOTICS_PROVIDERS, manifest, or default.</param>
/// <param name="Passed">One sentence for each provider that was preferred and does not serve.</param>
public sealed record ProviderChoice(string Serving, string ChosenBy, IReadOnlyList<string> Passed)
{
    /// <summary>In plain words, one line.</summary>
    public override string ToString() =>
        $"{Serving} serves (order from {ChosenBy})" + (Passed.Count == 0 ? "" : "; " + string.Join("; ", Passed));
}

/// <summary>Execution providers in order of preference. None but cpu is ever required: what cannot serve is passed over, with the
/// reason said.</summary>
/// <param name="Names">Known names, most wanted first; cpu ends the list, asked for or not.</param>
/// <param name="ChosenBy">Where the order came from.</param>
public sealed record ProviderOrder(IReadOnlyList<string> Names, string ChosenBy)
{
    /// <summary>The environment variable with a comma-separated order.</summary>
    public const string Variable = "ROBOTICS_PROVIDERS";

    /// <summary>Option before environment before manifest before cpu.</summary>
    /// <param name="option">From the caller; null: not given.</param>
    /// <param name="environment">Value of <see cref="Variable"/>; null or empty: not given.</param>
    /// <param name="manifest">From the policy; empty: not given.</param>
    /// <param name="origin">The manifest's path, for messages.</param>
    /// <exception cref="ConfigException">A name that is not a provider.</exception>
    public static ProviderOrder Resolve(IReadOnlyList<string>? option, string? environment, IReadOnlyList<string> manifest, string origin)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        (IReadOnlyList<string> names, string by, string source, string path) =
            option is { Count: > 0 } ? (option, "option", "option", "providers")
            : !string.IsNullOrWhiteSpace(environment)
                ? (environment.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries), Variable, "environment", Variable)
            : manifest.Count > 0 ? (manifest, "manifest", origin, "providers")
            : ((IReadOnlyList<string>)["cpu"], "default", "default", "providers");
        var check = new ConfigCheck(source);
        foreach (string name in names)
        {
            check.That(name is "tensorrt" or "cuda" or "cpu", path, $"names '{name}'; known are tensorrt, cuda, cpu");
        }

        check.Throw();
        return new([.. names.TakeWhile(name => name != "cpu").Distinct(), "cpu"], by);
    }

    /// <summary>Adds <paramref name="provider"/> to <paramref name="session"/>; null when done, else why it cannot serve.</summary>
    internal static string? Append(string provider, SessionOptions session)
    {
        if (provider == "cpu")
        {
            return null; // always there
        }

        string wanted = provider == "cuda" ? "CUDAExecutionProvider" : "TensorrtExecutionProvider";
        string[] available = OrtEnv.Instance().GetAvailableProviders();
        if (!available.Contains(wanted))
        {
            return available.Contains("CUDAExecutionProvider")
                ? $"{provider}: this build of ONNX Runtime has only {string.Join(", ", available)}"
                : $"{provider}: this build carries the CPU package; build with -p:OnnxRuntimePackage=Microsoft.ML.OnnxRuntime.Gpu";
        }

        try
        {
            if (provider == "cuda")
            {
                session.AppendExecutionProvider_CUDA(0);
            }
            else
            {
                session.AppendExecutionProvider_Tensorrt(0);
            }

            return null;
        }
        catch (Exception error) when (error is OnnxRuntimeException or DllNotFoundException or EntryPointNotFoundException)
        {
            return $"{provider}: {Ort.OneLine(error)}";
        }
    }
}

/// <summary>ONNX Runtime's process-wide side.</summary>
internal static class Ort
{
    private static readonly Lock s_gate = new();

    /// <summary>Starts the runtime quietly: what it would print, our errors say. Any thread.</summary>
    public static void Start()
    {
        lock (s_gate) // the runtime refuses to be created twice
        {
            if (!OrtEnv.IsCreated)
            {
                var quiet = new EnvironmentCreationOptions { logId = "robotics", logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
                OrtEnv.CreateInstanceWithOptions(ref quiet);
            }
        }
    }

    /// <summary>What went wrong, on one line of at most 300 characters.</summary>
    public static string OneLine(Exception error)
    {
        string line = string.Join(' ', error.Message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        return line.Length <= 300 ? line : line[..300] + "...";
    }
}
