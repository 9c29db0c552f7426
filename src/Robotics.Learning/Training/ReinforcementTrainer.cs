using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Robotics.Learning.Evaluation;

namespace Robotics.Learning.Training;

/// <summary>Where a reinforcement run stands.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Values">The line of metrics, in the order of <see cref="IReinforcement.Columns"/>.</param>
/// <param name="Evaluation">Mean return of the newest evaluation; NaN before the first.</param>
/// <param name="StepsPerSecond">Since the run started or resumed.</param>
public readonly record struct RunProgress(long Step, double[] Values, double Evaluation, double StepsPerSecond);

/// <summary>Runs a reinforcement learner; a run that was killed goes on where its last checkpoint left it, and ends with the same
/// metrics as one that was not.</summary>
/// <remarks>
/// The folder holds <c>checkpoint.bin</c> (replaced in one piece), <c>metrics.csv</c> (a line per
/// <see cref="RunOptions.LogEvery"/> steps) and <c>evaluation.csv</c> (step, mean and deviation of the returns, episodes), and whatever
/// the method keeps there itself. Not thread-safe.
/// </remarks>
public sealed class ReinforcementTrainer
{
    private const string Magic = "robotics-run-1", EvaluationHeader = "step,return,deviation,episodes";

    private readonly IReinforcement _method;
    private readonly IVectorEnvironment? _evaluation;
    private readonly RunOptions _options;
    private readonly string? _folder;
    private readonly string _header;
    private readonly string _fingerprint;

    /// <summary>Prepares a run, and takes up the one in the folder if there is one.</summary>
    /// <param name="method">What learns; its state is replaced when a run is resumed.</param>
    /// <param name="evaluation">Where it is looked at; not the one it learns in. Null: nowhere.</param>
    /// <param name="options">How long and how often.</param>
    /// <param name="folder">Where everything is kept; null: nowhere.</param>
    /// <exception cref="ConfigException">An option is out of range, or the folder holds another run's checkpoint.</exception>
    public ReinforcementTrainer(IReinforcement method, IVectorEnvironment? evaluation, RunOptions options, string? folder)
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(options);
        (_method, _evaluation, _options, _folder) = (method, evaluation, options.Checked("run"), folder);
        _header = "step," + string.Join(',', method.Columns);

        // How long a run is does not change what it does on the way: a longer one may go on from a shorter one.
        _fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"{method.Fingerprint}\n{options.LogEvery} {options.EvaluateEvery} {options.EvaluationEpisodes} {options.CheckpointEvery} {options.Seed}"))));
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
            Resume(folder);
        }
    }

    /// <summary>Runs to the end, or until cancelled; a later call or a later process goes on.</summary>
    /// <param name="progress">Told once per line of metrics; null: nobody.</param>
    /// <param name="cancellation">Stops between two rounds.</param>
    /// <returns>Mean return of the last evaluation; NaN without one.</returns>
    /// <exception cref="InvalidOperationException">A number is no longer finite; the last checkpoint is from before.</exception>
    public double Run(IProgress<RunProgress>? progress = null, CancellationToken cancellation = default)
    {
        long began = _method.Steps, started = Stopwatch.GetTimestamp();
        double evaluated = double.NaN;
        double[] line = new double[_method.Columns.Count];
        _method.Begin();
        while (_method.Steps < _options.Steps && !cancellation.IsCancellationRequested)
        {
            long before = _method.Steps;
            _method.Advance();
            long step = _method.Steps;
            bool last = step >= _options.Steps;
            if (Crossed(before, step, _options.EvaluateEvery) || last)
            {
                evaluated = Evaluate(step);
            }

            if (Crossed(before, step, _options.LogEvery) || last)
            {
                _method.Report(line);
                Check(step, line);
                Append("metrics.csv", _header, line, step);
                progress?.Report(new RunProgress(step, [.. line], evaluated, (step - began) / Stopwatch.GetElapsedTime(started).TotalSeconds));
            }

            if (Crossed(before, step, _options.CheckpointEvery) || last)
            {
                _method.Begin(); // first, because it closes what is half done: a resumed run finds nothing of that
                Save();
            }
        }

        return evaluated;
    }

    private static bool Crossed(long before, long after, long every) => before / every != after / every;

    private double Evaluate(long step)
    {
        if (_evaluation is null || _options.EvaluationEpisodes == 0)
        {
            return double.NaN;
        }

        double[] returns = Rollout.Returns(_evaluation, _method.Actor, _options.EvaluationEpisodes, RandomStream.Seed(_options.Seed, step, 99));
        double mean = returns.Average(), deviation = Math.Sqrt(returns.Average(r => (r - mean) * (r - mean)));
        Append("evaluation.csv", EvaluationHeader, [mean, deviation, returns.Length], step);
        return mean;
    }

    // An empty mean is NaN as well: a loss that became NaN shows in the weights, one update later.
    private void Check(long step, double[] line)
    {
        for (int i = 0; i < line.Length; i++)
        {
            string name = _method.Columns[i];
            if (name.EndsWith("loss", StringComparison.Ordinal) && double.IsInfinity(line[i]))
            {
                Broken(name, line[i]);
            }
        }

        if (!_method.Actor.IsFinite())
        {
            Broken("a weight of the actor", double.NaN);
        }

        void Broken(string what, double value) => throw new InvalidOperationException(FormattableString.Invariant(
            $"{_method.Name}: {what} is {value} after {step} steps. Lower the learning rate, or look for extreme rewards; the last checkpoint is from before."));
    }

    private void Append(string file, string header, double[] line, long step)
    {
        if (_folder is null)
        {
            return;
        }

        string path = Path.Combine(_folder, file);
        string values = string.Join(',', line.Select(value => double.IsNaN(value) ? "" : value.ToString("g7", CultureInfo.InvariantCulture)));
        File.AppendAllText(path, string.Create(CultureInfo.InvariantCulture, $"{(File.Exists(path) ? "" : header + "\n")}{step},{values}\n"));
    }

    private void Save()
    {
        if (_folder is not null)
        {
            CheckpointFile.Write(Path.Combine(_folder, "checkpoint.bin"), Magic, _fingerprint, _method.Write);
        }
    }

    private void Resume(string folder)
    {
        string path = Path.Combine(folder, "checkpoint.bin");
        if (File.Exists(path))
        {
            CheckpointFile.Read(path, Magic, _fingerprint, $"{_method.Name} with these settings and data", _method.Read);
        }

        Trim(Path.Combine(folder, "metrics.csv"), _header);
        Trim(Path.Combine(folder, "evaluation.csv"), EvaluationHeader);
    }

    // Lines after the checkpoint belong to steps that will be taken again.
    private void Trim(string path, string header)
    {
        if (File.Exists(path))
        {
            var kept = File.ReadAllLines(path).Where(line =>
                line.Count(c => c == ',') == header.Count(c => c == ',') && long.TryParse(line.AsSpan(0, line.IndexOf(',')), out long step) && step <= _method.Steps);
            File.WriteAllText(path, header + "\n" + string.Concat(kept.Select(line => line + "\n")));
        }
    }
}
