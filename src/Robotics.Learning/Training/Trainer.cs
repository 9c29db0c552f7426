using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Robotics.Learning.Data;
using Robotics.Learning.Imitation;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using static TorchSharp.torch;

namespace Robotics.Learning.Training;

/// <summary>Where a run stands.</summary>
/// <param name="Step">Updates made.</param>
/// <param name="Loss">Mean over the last line's updates.</param>
/// <param name="GradientNorm">Of the last update, before clipping.</param>
/// <param name="LearningRate">Of the last update.</param>
/// <param name="SamplesPerSecond">Since the run started or resumed.</param>
public readonly record struct TrainingProgress(long Step, double Loss, double GradientNorm, double LearningRate, double SamplesPerSecond);

/// <summary>Trains one network with one method; a run that was killed goes on where its last checkpoint left it, and ends with the
/// same bytes as one that was not.</summary>
/// <remarks>
/// Every update draws from its own random stream, named by the seed and its number, so there is no random state to save.
/// The folder holds <c>checkpoint.bin</c> (replaced in one piece) and <c>metrics.csv</c> (step, loss, gradient_norm, learning_rate).
/// Not thread-safe.
/// </remarks>
public sealed class Trainer : IDisposable
{
    private const string Magic = "robotics-checkpoint-1";
    private const string Header = "step,loss,gradient_norm,learning_rate\n";

    private readonly IImitation _method;
    private readonly ChunkSet _data;
    private readonly TrainingOptions _options;
    private readonly string? _folder;
    private readonly string _fingerprint;
    private readonly AveragedAdamW _optimizer;
    private readonly Tensor _conditions;
    private readonly Tensor _chunks;
    private readonly Tensor _valid;

    /// <summary>Prepares a run, and takes up the one in the folder if there is one.</summary>
    /// <param name="method">Loss and network; the network's weights are replaced when a run is resumed.</param>
    /// <param name="data">What to learn from.</param>
    /// <param name="options">How long and how hard.</param>
    /// <param name="folder">Where checkpoint and metrics live; null: nowhere.</param>
    /// <exception cref="ConfigException">An option is out of range, data and network differ in size, or the folder holds another
    /// run's checkpoint.</exception>
    public Trainer(IImitation method, ChunkSet data, TrainingOptions options, string? folder)
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        (_method, _data) = (method, data);
        _options = options.Checked("training");
        _folder = folder;
        var spec = method.Network.Spec;
        if ((spec.ObservationSize, spec.Horizon, spec.ActionSize) != (data.ConditionSize, data.Horizon, data.ActionSize))
        {
            throw new ConfigException(
                $"{data.Source} has conditions of {data.ConditionSize} and chunks of {data.Horizon} x {data.ActionSize}; the network takes "
                + $"{spec.ObservationSize} and {spec.Horizon} x {spec.ActionSize}. Change the network's sizes or the dataset's windows.");
        }

        set_num_threads(options.Threads);
        _conditions = tensor(data.Conditions, data.Count, data.ConditionSize).DetachFromDisposeScope();
        _chunks = tensor(data.Chunks, data.Count, data.Horizon, data.ActionSize).DetachFromDisposeScope();
        _valid = tensor(data.Valid, data.Count, data.Horizon).DetachFromDisposeScope();
        _optimizer = new AveragedAdamW(method.Network, options);
        _fingerprint = Fingerprint(method, data, options);
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
            Resume(folder);
        }
    }

    /// <summary>Updates made so far, resumed ones included.</summary>
    public long Step => _optimizer.Updates;

    /// <summary>Trains to the end, or until cancelled; a later call or a later process goes on.</summary>
    /// <param name="progress">Told once per line of metrics; null: nobody.</param>
    /// <param name="cancellation">Stops between two updates.</param>
    /// <exception cref="InvalidOperationException">The loss is no longer finite; nothing of it was written.</exception>
    public void Run(IProgress<TrainingProgress>? progress = null, CancellationToken cancellation = default)
    {
        long began = Step, started = Stopwatch.GetTimestamp();
        var losses = zeros([]).DetachFromDisposeScope();
        while (Step < _options.Steps && !cancellation.IsCancellationRequested)
        {
            using var scope = NewDisposeScope();
            double rate = _options.LearningRate * LearningRate.Factor(Step, _options.WarmUp, _options.Steps);
            using var random = new Generator(StreamSeed(Step));
            var rows = _data.Draw(_options.Batch, random);
            var loss = _method.Loss(
                _conditions.index_select(0, rows), _chunks.index_select(0, rows), _valid.index_select(0, rows), random);
            loss.backward();
            var norm = _optimizer.Step(rate);
            losses.Gather(loss.detach());
            if (Step % _options.LogEvery == 0 || Step == _options.Steps)
            {
                long lines = Step % _options.LogEvery is > 0 and var rest ? rest : Math.Min(_options.LogEvery, Step);
                double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
                var line = new TrainingProgress(
                    Step, losses.item<float>() / lines, norm.item<float>(), rate, (Step - began) * _options.Batch / seconds);
                losses.zero_();
                if (!double.IsFinite(line.Loss))
                {
                    throw new InvalidOperationException(
                        $"The loss is {line.Loss} after {Step} updates of {_method.Name}. Lower the learning rate (now {_options.LearningRate}) or "
                        + "look for extreme values in the data; the last checkpoint is from before.");
                }

                Append(line);
                progress?.Report(line);
            }

            if (Step % _options.CheckpointEvery == 0 || Step == _options.Steps)
            {
                Save();
            }
        }

        losses.Dispose();
    }

    /// <summary>A network of its own with the averaged weights: the one to evaluate and export. The caller disposes it.</summary>
    public Network Averaged()
    {
        using var scope = NewDisposeScope();
        return new Network(_method.Network.Spec, [.. _optimizer.Average.data<float>()]);
    }

    /// <summary>The averaged weights of a run that is not being trained, from its <c>checkpoint.bin</c>. The caller disposes it.</summary>
    /// <exception cref="ConfigException">There is no such file, or it is not a checkpoint of this network.</exception>
    public static Network Average(string checkpoint, NetworkSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (!File.Exists(checkpoint))
        {
            throw new ConfigException($"There is no checkpoint '{checkpoint}'; train first.");
        }

        using var reader = new BinaryReader(File.OpenRead(checkpoint));
        long weights = spec.Weights().Sum(weight => weight.Shape.Aggregate(1L, (product, d) => product * d)), all = 4 * weights * sizeof(float);
        if (reader.ReadString() != Magic || reader.ReadString().Length == 0 || reader.ReadInt64() < 0 || reader.BaseStream.Length - reader.BaseStream.Position != all)
        {
            throw new ConfigException($"{checkpoint} is not a whole checkpoint of this network, which has {weights} weights.");
        }

        reader.BaseStream.Seek(-weights * sizeof(float), SeekOrigin.End);
        var average = new float[weights];
        reader.BaseStream.ReadExactly(System.Runtime.InteropServices.MemoryMarshal.AsBytes(average.AsSpan()));
        return new Network(spec, average);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _optimizer.Dispose();
        _conditions.Dispose();
        _chunks.Dispose();
        _valid.Dispose();
    }

    private static string Fingerprint(IImitation method, ChunkSet data, TrainingOptions options)
    {
        string spec = JsonSerializer.Serialize(method.Network.Spec);
        string settings = JsonSerializer.Serialize(options with { Threads = 1 });
        return Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes($"{method.Name}\n{spec}\n{settings}\n{data.Sha256()}")));
    }

    // libtorch's CPU generator uses 32 bits of its seed: the house's generator spreads (seed, step) over them.
    private ulong StreamSeed(long step)
    {
        var random = new SeededRandom(_options.Seed);
        random.Reset(random.NextBits() ^ (ulong)step);
        return random.NextBits() & uint.MaxValue;
    }

    private void Append(TrainingProgress line)
    {
        if (_folder is null)
        {
            return;
        }

        string path = Path.Combine(_folder, "metrics.csv");
        string header = File.Exists(path) ? "" : Header;
        File.AppendAllText(path, header + string.Create(
            CultureInfo.InvariantCulture, $"{line.Step},{line.Loss:g7},{line.GradientNorm:g7},{line.LearningRate:g7}\n"));
    }

    private void Save()
    {
        if (_folder is null)
        {
            return;
        }

        CheckpointFile.Write(Path.Combine(_folder, "checkpoint.bin"), Magic, _fingerprint, _optimizer.Write);
    }

    private void Resume(string folder)
    {
        string path = Path.Combine(folder, "checkpoint.bin"), metrics = Path.Combine(folder, "metrics.csv");
        if (File.Exists(path))
        {
            CheckpointFile.Read(path, Magic, _fingerprint, $"{_method.Name} on this data", _optimizer.Read);
        }

        // Lines after the checkpoint belong to updates that will be made again. Replaced in one piece: a second kill loses no line.
        if (File.Exists(metrics))
        {
            string[] lines = File.ReadAllLines(metrics);
            File.WriteAllText(metrics + ".new", Header + string.Concat(lines.Where(Kept).Select(line => line + "\n")));
            File.Move(metrics + ".new", metrics, overwrite: true);
        }

        bool Kept(string line) =>
            line.Count(c => c == ',') == 3 && long.TryParse(line.AsSpan(0, line.IndexOf(',')), out long step) && step <= Step;
    }
}
