using Robotics.Episodes;
using Robotics.Packages;
using Robotics.Sim.Planar;
using Robotics.Sim.Tasks;

namespace Robotics.Host.Report;

/// <summary>A picture of the task's table at the end of a run, for tasks that this program can draw.</summary>
internal static class ScenePicture
{
    /// <summary>The PushT table with the agent's path; null for other robots and for records without a tick.</summary>
    public static ReportSection? Of(EpisodeReader episode)
    {
        if (episode.Header is not { } header || RobotFile.Parse(header.Robot, "record") is not { Simulator.Kind: "push-t" } robot)
        {
            return null;
        }

        var path = new List<Vec2>();
        EpisodeTick? first = null;
        EpisodeTick? last = null;
        foreach (var tick in episode.Ticks().Where(tick => tick.Signals.Length == robot.Layout.Length))
        {
            first ??= tick;
            last = tick;
            path.Add(new Vec2(tick.Signals[0], tick.Signals[1]));
        }

        if (first is null || last is null)
        {
            return null;
        }

        using var drawing = new StringWriter();
        drawing.Write("<div class=\"scenes\" style=\"display:flex;flex-wrap:wrap;gap:1rem\">");
        Draw("start", first, default);
        Draw("end", last, path.ToArray());
        drawing.Write("</div>");
        return new ReportSection("The table", drawing.ToString());

        void Draw(string caption, EpisodeTick tick, ReadOnlySpan<Vec2> walked)
        {
            drawing.Write("<figure style=\"margin:0;max-width:26rem;flex:1 1 18rem\">");
            PushTScene.From(tick.Signals).WriteSvg(drawing, walked);
            drawing.Write($"<figcaption>{caption}</figcaption></figure>");
        }
    }
}
