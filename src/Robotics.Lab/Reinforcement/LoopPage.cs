using System.Globalization;
using System.Text;
using Robotics.Sim;

namespace Robotics.Lab.Reinforcement;

/// <summary>How a loop went, on one page.</summary>
internal sealed class LoopPage
{
    private readonly ILearningTask _task;
    private readonly string _gap;
    private readonly ReinforcementConfig _config;
    private readonly RecordedTransitions _before;
    private readonly RecordedTransitions? _after;
    private readonly Verdict _verdict;
    private readonly RobotRuns _drives;
    private readonly double[] _returnsBefore;
    private readonly double[] _returnsAfter;

    /// <param name="task">Whose reward counts.</param>
    /// <param name="gap">How the simulated robot differs; empty: it does not, or it is a robot.</param>
    /// <param name="config">How it was learned.</param>
    /// <param name="before">What the first policy did.</param>
    /// <param name="after">What the new one did; null: it was not deployed.</param>
    /// <param name="verdict">Of the judge.</param>
    /// <param name="drives">How the robot was driven.</param>
    public LoopPage(ILearningTask task, string gap, ReinforcementConfig config, RecordedTransitions before, RecordedTransitions? after, Verdict verdict, RobotRuns drives)
    {
        (_task, _gap, _config, _before, _after, _verdict, _drives) = (task, gap, config, before, after, verdict, drives);
        (_returnsBefore, _returnsAfter) = (Whole(before), after is null ? [] : Whole(after));
        Sentence = _returnsAfter.Length == 0 || _returnsBefore.Length == 0
            ? Text($"The first policy earned {Mean(_returnsBefore):g4} an episode; the new one was not driven.")
            : Text($"Return on the robot: {Mean(_returnsBefore):g4} before ({_returnsBefore.Length} episodes), {Mean(_returnsAfter):g4} after ({_returnsAfter.Length}): {100 * ((Mean(_returnsAfter) / Mean(_returnsBefore)) - 1):+0;-0} %.");
    }

    /// <summary>What came of it.</summary>
    public string Sentence { get; }

    /// <summary>The page, HTML.</summary>
    public string Draw()
    {
        var html = new StringBuilder();
        Line($"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Loop: {_task.Name}</title>");
        Line($"<style>body{{font:16px sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}}td,th{{border-bottom:1px solid #ccc;padding:.4em .9em;text-align:left}}th{{white-space:nowrap;vertical-align:top}}table{{border-collapse:collapse}}code{{background:#f3f3f3;padding:.1em .3em;overflow-wrap:anywhere}}small{{color:#555}}</style>");
        Line($"<h1>{_task.Name}: deploy, record, learn, judge, deploy</h1><p><b>{Escape(Sentence)}</b></p>{Picture()}<table>");
        Line($"<tr><th>1 drive and record</th><td>{Escape(_before.ToString())}</td></tr>");
        Line($"<tr><th>2 learn</th><td>{_config.Method}, {_config.Run.Steps} steps, {(_config.Dynamics.Length == 0 ? "nominal simulator" : "simulator with " + Escape(_config.Dynamics))}; settings <code>{Escape(_config.Settings.ToJsonString())}</code></td></tr>");
        Line($"<tr><th>3 judge</th><td>{(_verdict.Worse ? _after is null ? "Not deployed. " : "Not to be deployed, and deployed all the same because somebody said so (--anyway). " : "")}{Escape(_verdict.Reason)} <a href=\"verdict.html\">The whole verdict</a></td></tr>");
        Line($"<tr><th>4 drive again</th><td>{(_after is null ? "not deployed" : Escape(_after.ToString()))}</td></tr></table>");
        Line($"<p><small>Robot: <code>{Escape(string.Join(' ', _drives.Robot))}</code>{(_gap.Length > 0 ? $", which differs from the simulator learned in by {Escape(_gap)}" : "")}. Returns are of whole episodes, without discount, from the recorded signals. Command: <code>{Escape(_config.Command)}</code></small></p></html>");
        return html.ToString();

        void Line(FormattableString line) => html.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }

    // Every episode a dot, before and after, on one axis.
    private string Picture()
    {
        double[] all = [.. _returnsBefore, .. _returnsAfter];
        if (all.Length == 0)
        {
            return "";
        }

        double low = Math.Min(0, all.Min()), span = Math.Max(all.Max() - low, 1e-9);
        var svg = new StringBuilder();
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 130\" width=\"760\" font-family=\"sans-serif\" font-size=\"13\">");
        Row(_returnsBefore, "before", 30, "#888");
        Row(_returnsAfter, "after", 70, "#1f5fa8");
        Add($"<line x1=\"100\" x2=\"720\" y1=\"95\" y2=\"95\" stroke=\"#ccc\"/><text x=\"100\" y=\"115\">{low:g4}</text><text x=\"720\" y=\"115\" text-anchor=\"end\">{low + span:g4}</text><text x=\"410\" y=\"115\" text-anchor=\"middle\" fill=\"#666\">return of an episode</text></svg>");
        return svg.ToString();

        void Row(double[] returns, string name, double y, string color)
        {
            Add($"<text x=\"90\" y=\"{y + 4}\" text-anchor=\"end\">{name}</text>");
            foreach (double value in returns)
            {
                Add($"<circle cx=\"{100 + (620 * (value - low) / span):F1}\" cy=\"{y}\" r=\"4\" fill=\"{color}\" opacity=\"0.5\"/>");
            }

            if (returns.Length > 0)
            {
                Add($"<line x1=\"{100 + (620 * (Mean(returns) - low) / span):F1}\" x2=\"{100 + (620 * (Mean(returns) - low) / span):F1}\" y1=\"{y - 14}\" y2=\"{y + 14}\" stroke=\"{color}\" stroke-width=\"3\"/>");
            }
        }

        void Add(FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture));
    }

    // Episodes that ran to the task's end or to within a twentieth of its time limit: others were cut by a hold or the record's end.
    private double[] Whole(RecordedTransitions records)
    {
        var set = records.Set;
        double[] returns = set.Returns();
        return [.. Enumerable.Range(0, set.Episodes).Where(e => set.Terminated[set.Starts[e + 1] - 1] || set.Starts[e + 1] - set.Starts[e] >= _task.StepLimit * 19 / 20).Select(e => returns[e])];
    }

    private static double Mean(double[] values) => values.Length == 0 ? double.NaN : values.Average();

    private static string Escape(string text) => System.Security.SecurityElement.Escape(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
