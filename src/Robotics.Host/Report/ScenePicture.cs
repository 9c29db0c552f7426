using System.Globalization;
using Robotics.Episodes;
using Robotics.Packages;
using Robotics.Sim.Planar;
using Robotics.Sim.Tasks;

namespace Robotics.Host.Report;

/// <summary>Pictures of the task's table along a run, for tasks that this program can draw.</summary>
internal static class ScenePicture
{
    private const int Pictures = 4;

    /// <summary>The PushT table at the start, on the way and at its best, each with the agent's path so far and the chunk that was just
    /// planned; null for other robots and for records without a tick.</summary>
    public static ReportSection? Of(EpisodeReader episode)
    {
        if (episode.Header is not { } header || RobotFile.Parse(header.Robot, "record") is not { Simulator.Kind: "push-t" } robot)
        {
            return null;
        }

        EpisodeTick[] ticks = [.. episode.Ticks().Where(tick => tick.Signals.Length == robot.Layout.Length)];
        if (ticks.Length == 0)
        {
            return null;
        }

        EpisodePlan[] plans = [.. episode.Plans().Where(plan => plan.Status == PlanStatus.Planned)];
        PushTScene[] scenes = [.. ticks.Select(tick => PushTScene.From(tick.Signals))];
        int best = Enumerable.Range(0, scenes.Length).MaxBy(i => scenes[i].Coverage);
        using var drawing = new StringWriter();
        drawing.Write("<p>Green: the goal. Blue: the agent and where it has been. Orange: the targets of the chunk planned last, later rows fainter.</p>");
        drawing.Write("<style>.scenes svg{width:100%;height:auto}</style><div class=\"scenes\" style=\"display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:1rem\">");
        foreach (int at in Enumerable.Range(0, Pictures).Select(k => best * k / (Pictures - 1)).Distinct())
        {
            var plan = plans.LastOrDefault(plan => plan.FinishedAt <= ticks[at].Due);
            double seconds = (ticks[at].Due - ticks[0].Due).TotalSeconds;
            drawing.Write("<figure style=\"margin:0\">");
            scenes[at].WriteSvg(drawing, [.. scenes[..(at + 1)].Select(scene => scene.Agent)], plan is null ? default : Targets(plan.Chunk));
            drawing.Write(string.Create(CultureInfo.InvariantCulture, $"<figcaption>{(at == 0 ? "start" : at == best ? $"at its best, {seconds:F1} s" : $"{seconds:F1} s")}</figcaption></figure>"));
        }

        drawing.Write("</div>");
        return new ReportSection("The table", drawing.ToString());
    }

    // Rows of x, y in m.
    private static Vec2[] Targets(float[] chunk) =>
        [.. Enumerable.Range(0, chunk.Length / 2).Select(row => new Vec2(chunk[2 * row], chunk[(2 * row) + 1]) * PushT.PixelsPerMetre)];
}
