using System.Globalization;
using System.Text;
using Robotics.Learning.Data;
using Robotics.Learning.Evaluation;
using Robotics.Sim;

namespace Robotics.Lab.Reinforcement;

/// <summary>What is known of a policy before it moves anything.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Sha256">Of its package.</param>
/// <param name="Records">What the robot's own records say.</param>
/// <param name="Simulated">[episodes] returns in the simulator, over the randomisation's range.</param>
internal sealed record Candidate(string Name, string Sha256, Judgement Records, double[] Simulated)
{
    public double SimulatedMean => Simulated.Average();

    /// <summary>95 % half width of the mean.</summary>
    public double SimulatedError => 1.96 * Math.Sqrt(Simulated.Sum(value => (value - SimulatedMean) * (value - SimulatedMean)) / Math.Max(1, Simulated.Length - 1) / Simulated.Length);
}

/// <summary>Whether a policy may replace another, and why.</summary>
/// <remarks>
/// The robot's records speak first: where one estimate lies outside the other's interval, they decide. Where they cannot tell, or the new
/// policy does what the record never shows in most states, the simulator decides, if its two means differ by more than their errors.
/// Where neither can tell, the new policy is no worse.
/// </remarks>
/// <param name="Worse">True: do not deploy.</param>
/// <param name="Reason">One sentence.</param>
internal sealed record Verdict(bool Worse, string Reason)
{
    /// <summary>Share of states with unseen actions from which the records are not believed.</summary>
    public const double MostOutside = 0.5;

    /// <summary>Judges.</summary>
    /// <param name="wanted">Who is to be deployed.</param>
    /// <param name="present">Who is; null: nobody, and the record's own return stands for it.</param>
    public static Verdict Of(Candidate wanted, Candidate? present)
    {
        var records = wanted.Records;
        double before = present?.Records.Estimate ?? records.Recorded;
        double low = present?.Records.Low ?? before, high = present?.Records.High ?? before;
        string who = present is null ? "what was recorded" : $"'{present.Name}'";
        bool believed = records.Outside <= MostOutside || double.IsNaN(records.Outside);
        if (believed && records.High < before && records.Estimate < low)
        {
            return new(true, Text($"The robot's records expect less of '{wanted.Name}' ({records.Estimate:g4}, at most {records.High:g4}) than of {who} ({before:g4})."));
        }

        if (believed && records.Low > before && records.Estimate > high)
        {
            return new(false, Text($"The robot's records expect more of '{wanted.Name}' ({records.Estimate:g4}, at least {records.Low:g4}) than of {who} ({before:g4})."));
        }

        string why = believed ? "The robot's records cannot tell the two apart" : Text($"In {100 * records.Outside:F0} % of the recorded states '{wanted.Name}' does what was never recorded there, so the records cannot be believed");
        if (present is null)
        {
            return believed ? new(false, $"{why}, and there is no other policy to compare with.") : new(true, $"{why}, and there is no policy that it could be compared with in the simulator; name one with --against.");
        }

        double difference = wanted.SimulatedMean - present.SimulatedMean, error = wanted.SimulatedError + present.SimulatedError;
        return difference < -error
            ? new(true, Text($"{why}; in the simulator it earns less ({wanted.SimulatedMean:g4} ± {wanted.SimulatedError:g2}, before {present.SimulatedMean:g4} ± {present.SimulatedError:g2})."))
            : believed || difference > error
                ? new(false, Text($"{why}; in the simulator it earns {(difference > error ? "more" : "as much")} ({wanted.SimulatedMean:g4} ± {wanted.SimulatedError:g2}, before {present.SimulatedMean:g4} ± {present.SimulatedError:g2})."))
                : new(true, Text($"{why}; the simulator cannot tell either ({wanted.SimulatedMean:g4} ± {wanted.SimulatedError:g2}, before {present.SimulatedMean:g4} ± {present.SimulatedError:g2})."));
    }

    /// <summary>Everything on one page.</summary>
    public string Page(TransitionSet records, ILearningTask task, string dynamics, Candidate wanted, Candidate? present, double gamma)
    {
        var html = new StringBuilder();
        Line($"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Verdict: {Escape(wanted.Name)}</title>");
        Line($"<style>body{{font:16px sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}}table{{border-collapse:collapse;margin:1em 0}}td,th{{border-bottom:1px solid #ccc;padding:.4em .9em;text-align:right}}td:first-child,th:first-child{{text-align:left}}.v{{padding:.8em 1em;border-left:6px solid {(Worse ? "#b3261e" : "#2e7d32")};background:#f6f6f6}}small{{color:#555}}</style>");
        Line($"<h1>{Escape(wanted.Name)}: {(Worse ? "not deployed" : "may be deployed")}</h1><p class=\"v\">{Escape(Reason)}</p>");
        Line($"<p>Task {Escape(task.Name)}. {Escape(records.ToString())}. Nothing moved for this page.</p>");
        Line($"<table><tr><th></th><th>{Escape(wanted.Name)}</th>{(present is null ? "" : $"<th>{Escape(present.Name)} (before)</th>")}</tr>");
        Row("return that the records expect, discounted", c => Text($"{c.Records.Estimate:g5} ({c.Records.Low:g5} to {c.Records.High:g5})"));
        Row("the same by weights of logged actions", c => c.Records.Weights is { } w ? w.ToString() : "no propensities recorded");
        Row("states in which it does what was never recorded", c => Text($"{100 * c.Records.Outside:F0} %"));
        Row($"return in the simulator, {wanted.Simulated.Length} episodes", c => Text($"{c.SimulatedMean:g5} ± {c.SimulatedError:g2}"));
        Row("the same, lowest tenth", c => Text($"{Spread.Quantile(c.Simulated, 0.1):g5}"));
        Row("package", c => $"<small>{c.Sha256[..12]}</small>");
        Line($"</table>{Picture(wanted, present)}");
        Line($"<p><small>Records: fitted Q evaluation (Le et al. 2019), discount {gamma}, 95 % interval from resampled episodes; the record itself earned {wanted.Records.Recorded:g5}. Simulator: {(dynamics.Length == 0 ? "nominal dynamics" : Escape(dynamics))}, without discount. The records decide where they can tell; where not, the simulator does.</small></p></html>");
        return html.ToString();

        void Row(string name, Func<Candidate, string> cell) => Line($"<tr><td>{name}</td><td>{cell(wanted)}</td>{(present is null ? "" : $"<td>{cell(present)}</td>")}</tr>");
        void Line(FormattableString line) => html.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }

    // Estimates with their intervals on one axis, and the record's own return as a line.
    private static string Picture(Candidate wanted, Candidate? present)
    {
        Candidate[] all = present is null ? [wanted] : [wanted, present];
        double[] ends = [.. all.SelectMany(c => new[] { c.Records.Low, c.Records.High, c.Records.Estimate }).Append(wanted.Records.Recorded).Where(double.IsFinite)];
        double low = ends.Min(), span = Math.Max(ends.Max() - low, 1e-9);
        double X(double value) => 220 + (460 * (value - low) / span);
        var svg = new StringBuilder();
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {60 + (34 * all.Length)}\" font-family=\"sans-serif\" font-size=\"13\" width=\"760\">");
        Add($"<line x1=\"{X(wanted.Records.Recorded):F1}\" x2=\"{X(wanted.Records.Recorded):F1}\" y1=\"18\" y2=\"{30 + (34 * all.Length)}\" stroke=\"#999\" stroke-dasharray=\"4 3\"/><text x=\"{X(wanted.Records.Recorded):F1}\" y=\"12\" text-anchor=\"middle\" fill=\"#666\">as recorded</text>");
        for (int i = 0; i < all.Length; i++)
        {
            double y = 40 + (34 * i);
            string color = i == 0 ? "#1f5fa8" : "#888";
            Add($"<text x=\"200\" y=\"{y + 4}\" text-anchor=\"end\">{Escape(all[i].Name)}</text><line x1=\"{X(all[i].Records.Low):F1}\" x2=\"{X(all[i].Records.High):F1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{color}\" stroke-width=\"3\"/><circle cx=\"{X(all[i].Records.Estimate):F1}\" cy=\"{y}\" r=\"6\" fill=\"{color}\"/>");
        }

        Add($"<text x=\"220\" y=\"{52 + (34 * all.Length)}\" fill=\"#666\">{low:g4}</text><text x=\"680\" y=\"{52 + (34 * all.Length)}\" text-anchor=\"end\" fill=\"#666\">{low + span:g4}</text></svg>");
        return svg.ToString();

        void Add(FormattableString text) => svg.Append(text.ToString(CultureInfo.InvariantCulture));
    }

    private static string Escape(string text) => System.Security.SecurityElement.Escape(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
