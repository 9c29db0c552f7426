using System.Globalization;
using System.Text;
using Robotics.Packages;
using Robotics.Sim.Planar;
using Robotics.Sim.Tasks;

namespace Robotics.Lab;

/// <summary>How twenty episodes ended, side by side.</summary>
internal static class ContactSheet
{
    private const int Columns = 5, Count = 20;
    private const double Cell = 200;

    /// <summary>Runs the first twenty starts and draws each: the block at its end, and where agent and block went.</summary>
    public static string Draw(LabTask task, Func<(IPolicy Policy, PolicyManifest Manifest)> make, ulong firstSeed)
    {
        if (task is not PushTTask)
        {
            throw new ConfigException($"--sheet draws push-t; the task is {task.Name}.");
        }

        var (policy, manifest) = make();
        var svg = new StringBuilder();
        int rows = Count / Columns;
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Columns * Cell} {rows * (Cell + 20)}\" font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        using (policy)
        {
            for (int i = 0; i < Count; i++)
            {
                var path = new List<Vec2>();
                PushTScene end = default;
                var score = task.Run(policy, manifest, firstSeed + (ulong)i, firstSeed + (ulong)i, (_, signals, _, _) =>
                {
                    end = PushTScene.From(signals);
                    path.Add(end.Agent);
                });
                Add($"<g transform=\"translate({i % Columns * Cell},{i / Columns * (Cell + 20)})\"><text x=\"4\" y=\"14\">start {firstSeed + (ulong)i}: {score.Best:F2}{(score.Success ? " solved" : "")}, {score.Steps / 10.0:F1} s</text><g transform=\"translate(0,20) scale({Cell / 512:F4})\">");
                using var scene = new StringWriter(CultureInfo.InvariantCulture);
                end.WriteSvg(scene, [.. path]);
                svg.Append(scene);
                Add($"</g></g>");
            }
        }

        Add($"</svg>");
        return svg.ToString();

        void Add(FormattableString line) => svg.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }
}
