using System.Globalization;
using System.Security.Cryptography;
using Robotics.Episodes;
using Robotics.Observations;
using Robotics.Packages;

namespace Robotics.Learning.Data;

/// <summary>Which records become training data, and what to make of them.</summary>
public sealed record EpisodeFilter
{
    /// <summary>Outcomes that are kept, <c>success</c> and <c>failure</c>; null: both.</summary>
    public string? Outcome { get; init; }

    /// <summary>The outcome of records that carry none, as real runs may; null: such a record is an error.</summary>
    public string? Assume { get; init; }

    /// <summary>True: what was sent is what was done, whatever a record says is to be learned (<see cref="EpisodeSet.Label"/>): for rollouts,
    /// of which consequences are learned and not what was meant.</summary>
    public bool Sent { get; init; }

    /// <summary>True: what can be read of a damaged record is used; false: a damaged record is an error.</summary>
    public bool AllowTruncated { get; init; }
}

/// <summary>Recorded runs read as demonstrations, whether a demonstrator, a policy or a person drove.</summary>
/// <remarks>
/// A record's properties say what it is: <c>outcome</c> (success or failure), and <c>label</c>: <c>sent</c> (what the robot was sent is
/// what should be learned: the default, and the truth of every real run) or <c>wanted</c> (what the demonstrator wanted, where
/// disturbances were added on purpose to what was sent).
/// Observations are assembled from the recorded signals by the very code that assembles them on the robot.
/// </remarks>
/// <param name="Robot">The robot all of them were recorded on.</param>
/// <param name="Episodes">One per unbroken stretch of driving.</param>
/// <param name="Records">Files read.</param>
/// <param name="Successes">Of the records kept.</param>
/// <param name="Sha256">Of the records' bytes, in order of name.</param>
public sealed record EpisodeSet(RobotSpec Robot, IReadOnlyList<Demonstration> Episodes, int Records, int Successes, string Sha256)
{
    /// <summary>Property that tells success from failure.</summary>
    public const string Outcome = "outcome";

    /// <summary>Property that says which action is the one to learn.</summary>
    public const string Label = "label";

    /// <summary>Reads every record.</summary>
    /// <param name="paths">Records (<c>.mcap</c>) and folders of them.</param>
    /// <param name="wiring">What is observed and what an action is: any policy's manifest with one observation group and absolute
    /// actions. Histories are left out here: windows make them.</param>
    /// <param name="filter">Which records.</param>
    /// <exception cref="ConfigException">There is no record, one is damaged, unlabelled, of another robot, holds numbers that are not
    /// finite, or does not fit the wiring.</exception>
    public static EpisodeSet Read(IReadOnlyList<string> paths, PolicyManifest wiring, EpisodeFilter filter)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(wiring);
        ArgumentNullException.ThrowIfNull(filter);
        string[] files = [.. paths.SelectMany(Files)];
        if (files.Length == 0)
        {
            throw new ConfigException($"There is no record (*.mcap) in {string.Join(", ", paths)}; collect some with 'robotics-lab collect', or name another folder.");
        }

        var frames = Frames(wiring);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var episodes = new List<Demonstration>();
        RobotSpec? robot = null;
        string? robotText = null;
        int kept = 0, successes = 0;
        foreach (string file in files)
        {
            hash.AppendData(File.ReadAllBytes(file));
            using var reader = new EpisodeReader(file);
            var header = reader.Header ?? throw new ConfigException(file, ["has no readable header: it is no record of this program, or it was cut off in its first bytes; remove it"]);
            if (reader.Damage() is { Count: > 0 } damage && !filter.AllowTruncated)
            {
                throw new ConfigException(file, [.. damage, "train on the rest of it with --allow-truncated, or remove it"]);
            }

            if (robotText is not null && header.Robot != robotText)
            {
                throw new ConfigException(file, [$"was recorded on robot '{RobotFile.Parse(header.Robot, file).Name}', and {files[0]} on '{robot!.Name}' (their robot.json differ); train on one robot's records at a time"]);
            }

            (robot, robotText) = (robot ?? RobotFile.Parse(header.Robot, file), header.Robot);
            string outcome = header.Properties.GetValueOrDefault(Outcome) ?? filter.Assume
                ?? throw new ConfigException(file, [$"does not say whether it succeeded (property '{Outcome}'); say it for all such records with --assume success or --assume failure"]);
            if (outcome is not ("success" or "failure"))
            {
                throw new ConfigException(file, [$"has the outcome '{outcome}', expected success or failure"]);
            }

            if (filter.Outcome is null || filter.Outcome == outcome)
            {
                kept++;
                successes += outcome == "success" ? 1 : 0;
                bool wanted = !filter.Sent && header.Properties.GetValueOrDefault(Label) == "wanted";
                var stretches = new Track(Path.GetFileNameWithoutExtension(file), file, frames, robot, wanted).Read(reader);
                episodes.AddRange(stretches.SkipLast(1));
                episodes.AddRange(stretches.TakeLast(1).Select(last => last with { Success = outcome == "success" }));
            }
        }

        if (episodes.Count == 0)
        {
            throw new ConfigException($"None of {files.Length} records in {string.Join(", ", paths)} is left to train on: {kept} are kept by the filter, and no tick of those drove the robot. Collect more, or loosen the filter.");
        }

        return new(robot!, episodes, kept, successes, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static IEnumerable<string> Files(string path) =>
        File.Exists(path) ? [path]
        : Directory.Exists(path) ? Directory.EnumerateFiles(path, "*.mcap").Order(StringComparer.Ordinal)
        : throw new ConfigException($"There is no record or folder '{path}'.");

    // The wiring with single frames: the trainer stacks them.
    private static PolicyManifest Frames(PolicyManifest wiring)
    {
        var check = new ConfigCheck(wiring.Origin);
        check.That(wiring.Observations.Count == 1, "observations", $"has {wiring.Observations.Count} groups; training takes one");
        check.That(wiring.Action.Mode == "absolute", "action.mode", $"is '{wiring.Action.Mode}'; only absolute targets can be learned from a record");
        check.That(wiring.Action.RelativeTo is null, "action.relative_to", "is given; only absolute targets can be learned from a record");
        check.That(wiring.Observations.All(group => group.Terms.All(term => term.History is null)), "observations[0].terms", "have histories of their own; only the group's is trained");
        check.Throw();
        return wiring with { Observations = [wiring.Observations[0] with { History = null, Normalization = null }] };
    }

    /// <summary>One record on its way to demonstrations.</summary>
    private sealed class Track
    {
        private readonly string _name;
        private readonly string _file;
        private readonly ObservationAssembler _assembler;
        private readonly int[] _joints;
        private readonly ActionSpec _action;
        private readonly TimeSpan _row;
        private readonly bool _wanted;
        private readonly string _robot;
        private readonly int _signals;
        private readonly int _targets;
        private readonly int _commands;
        private readonly float[] _frame;
        private readonly float[] _raw;
        private readonly List<float> _observations = [];
        private readonly List<float> _actions = [];
        private readonly List<Demonstration> _made = [];

        public Track(string name, string file, PolicyManifest wiring, RobotSpec robot, bool wanted)
        {
            (_name, _file, _wanted, _action) = (name, file, wanted, wiring.Action);
            _assembler = new ObservationAssembler(wiring, robot);
            (_robot, _signals, _targets, _commands) = (robot.Name, robot.Layout.Length, robot.Joints.Count, _assembler.CommandElements.Count);
            _frame = new float[_assembler.Length];
            _row = TimeSpan.FromMilliseconds(wiring.Action.RowPeriodMs ?? wiring.Timing.PeriodMs);
            string[] names = [.. robot.Joints.Select(joint => joint.Name)];
            _joints = [.. (wiring.Action.Joints ?? names).Select(joint => Array.IndexOf(names, joint))];
            if (Array.IndexOf(_joints, -1) is >= 0 and var at)
            {
                throw new ConfigException(wiring.Origin, [$"action.joints[{at}] is '{wiring.Action.Joints![at]}'; robot '{robot.Name}' of {file} has {string.Join(", ", names)}"]);
            }

            _raw = new float[_joints.Length];
        }

        public List<Demonstration> Read(EpisodeReader reader)
        {
            MonotonicTime? begun = null;
            long rows = 0;
            foreach (var tick in reader.Ticks())
            {
                float[] target = _wanted ? tick.Wanted : tick.Sent;
                if (tick.State != ControlState.Running || target.Length == 0)
                {
                    Finish();
                    begun = null;
                    continue;
                }

                Whole(tick.Tick, tick.Signals.Length, _signals, "signals");
                Whole(tick.Tick, target.Length, _targets, "targets");
                Whole(tick.Tick, tick.Command.Length, _commands, "command elements");
                if (begun is null)
                {
                    (begun, rows) = (tick.Due, 0);
                    _assembler.Reset();
                    Array.Clear(_raw);
                }

                long ns = tick.Due.NanosecondsSince(begun.Value);
                _assembler.Assemble(tick.Signals, TimeSpan.FromTicks(ns / 100), tick.Command, _raw, target, _frame);
                Check(tick.Tick, _frame, "observation");
                if (ns * 2 < (2 * rows * _row.Ticks * 100) - (_row.Ticks * 5))
                {
                    continue; // between two rows
                }

                for (int j = 0; j < _raw.Length; j++)
                {
                    _raw[j] = (target[_joints[j]] - At(_action.Offset, j, 0)) / At(_action.Scale, j, 1);
                }

                Check(tick.Tick, _raw, "action");
                _observations.AddRange(_frame);
                _actions.AddRange(_raw);
                rows++;
            }

            Finish();
            return _made;
        }

        private static float At(IReadOnlyList<float>? values, int j, float otherwise) => values is null ? otherwise : values[values.Count == 1 ? 0 : j];

        private void Whole(ulong tick, int length, int expected, string what)
        {
            if (length != expected)
            {
                throw new ConfigException(_file, [$"tick {tick}: has {length} {what}, robot '{_robot}' and the wiring have {expected}; the record is damaged, or its robot.json is another robot's. Remove it"]);
            }
        }

        private void Check(ulong tick, float[] values, string what)
        {
            int at = Array.FindIndex(values, value => !float.IsFinite(value));
            if (at >= 0)
            {
                throw new ConfigException(_file, [string.Create(CultureInfo.InvariantCulture, $"tick {tick}: {what} element {at} is {values[at]}; nothing can be learned from it. Remove the record")]);
            }
        }

        private void Finish()
        {
            if (_actions.Count > 0)
            {
                string name = _made.Count == 0 ? _name : $"{_name} part {_made.Count + 1}";
                _made.Add(new Demonstration(name, [.. _observations], [.. _actions], _frame.Length, _raw.Length));
                _observations.Clear();
                _actions.Clear();
            }
        }
    }
}
