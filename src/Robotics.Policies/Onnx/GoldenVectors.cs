using System.Globalization;
using System.Text;

namespace Robotics.Policies.Onnx;

/// <summary>Observations and the raw network outputs that the trainer computed for them; one episode, in order.</summary>
/// <param name="Line">Line in the file, from 1.</param>
/// <param name="Observation">[Do], not normalised.</param>
/// <param name="Action">[Tp, Da], as the network gives it or as a sampler ends.</param>
/// <param name="Noise">[Tp, Da] that a sampled plan starts from; empty for direct policies.</param>
internal sealed record GoldenRow(int Line, float[] Observation, float[] Action, float[] Noise)
{
    /// <summary>Reads <c>obs floats;action floats</c> lines, with <c>;noise floats</c> for sampled policies; <c>#</c> starts a comment.</summary>
    /// <exception cref="ConfigException">Every line that is wrong (ten at most).</exception>
    public static List<GoldenRow> Read(ReadOnlySpan<byte> file, string name, int observationLength, int actionLength, bool noise)
    {
        var check = new ConfigCheck(name);
        var rows = new List<GoldenRow>();
        int number = 0;
        foreach (string text in Encoding.UTF8.GetString(file).Split('\n'))
        {
            number++;
            string line = text.Split('#', 2)[0].Trim();
            if (line.Length == 0 || check.Problems.Count == 10)
            {
                continue;
            }

            string[] parts = line.Split(';');
            bool whole = parts.Length == (noise ? 3 : 2);
            float[]? observation = whole ? Floats(parts[0]) : null;
            float[]? action = whole ? Floats(parts[1]) : null;
            float[]? start = whole && noise ? Floats(parts[2]) : [];
            if (observation is null || action is null || start is null)
            {
                check.Add($"line {number}", $"is not 'observation floats;action floats{(noise ? ";noise floats" : "")}', comma-separated");
            }
            else if (noise && start.Length != actionLength)
            {
                check.Add($"line {number}", $"has {start.Length} noise numbers; the sampled chunk has {actionLength}");
            }
            else if (observation.Length != observationLength || action.Length != actionLength)
            {
                check.Add($"line {number}", $"has {observation.Length};{action.Length} numbers; the policy has {observationLength};{actionLength}");
            }
            else
            {
                rows.Add(new(number, observation, action, start));
            }
        }

        check.That(rows.Count > 0 || !check.Ok, "", "has no rows");
        check.Throw();
        return rows;
    }

    private static float[]? Floats(string text)
    {
        string[] parts = text.Split(',');
        float[] values = new float[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!float.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out values[i]))
            {
                return null;
            }
        }

        return values;
    }
}
