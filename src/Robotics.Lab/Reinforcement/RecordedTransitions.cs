using System.Globalization;
using Robotics.Episodes;
using Robotics.Learning.Data;
using Robotics.Packages;
using Robotics.Sim;

namespace Robotics.Lab.Reinforcement;

/// <summary>Recorded runs as transitions, with rewards and ends from the task's own functions, whoever drove and whatever for.</summary>
/// <remarks>
/// A tick and the next one make a row: what was measured, the targets that were sent (after the gate), what was measured then. Several
/// robots of one build and several policies may be mixed. Left out, and counted: steps without a new observation, and the last two before
/// a simulated robot is put back to a start, in which it already stands still.
/// </remarks>
/// <param name="Set">The rows.</param>
/// <param name="Records">Files read.</param>
/// <param name="Stale">Steps left out because no new observation came.</param>
/// <param name="Gated">Rows whose action the gate had changed.</param>
internal sealed record RecordedTransitions(TransitionSet Set, int Records, int Stale, int Gated)
{
    /// <summary>Ending of a file that holds a <see cref="TransitionSet"/>.</summary>
    public const string Extension = ".transitions";

    private const int StandsStill = 2;

    /// <summary>Reads records (<c>.mcap</c>), folders of them, and files of transitions.</summary>
    /// <param name="paths">At least one.</param>
    /// <param name="task">Says what is observed, what an action is, and what is good.</param>
    /// <param name="allowTruncated">Use what can be read of a damaged record.</param>
    /// <exception cref="ConfigException">There is none, one is damaged, or of another robot, or holds numbers that are not finite.</exception>
    public static RecordedTransitions Read(IReadOnlyList<string> paths, ILearningTask task, bool allowTruncated)
    {
        string[] files = [.. paths.SelectMany(Files)];
        if (files.Length == 0)
        {
            throw new ConfigException($"There is no record (*.mcap) and no file of transitions (*{Extension}) in {string.Join(", ", paths)}; record a run with 'robotics run --record FILE', or name another folder.");
        }

        var spaces = new TaskSpaces(task);
        var builder = new TransitionSetBuilder(spaces.ObservationSize, spaces.ActionSize);
        var sets = new List<TransitionSet>();
        int stale = 0, gated = 0;
        foreach (string file in files)
        {
            if (file.EndsWith(Extension, StringComparison.Ordinal))
            {
                sets.Add(Sized(TransitionSet.Load(file), file, task, spaces));
                continue;
            }

            using var reader = new EpisodeReader(file);
            var track = new Track(file, Checked(reader, file, task, allowTruncated), task, spaces, builder);
            track.Read(reader);
            (stale, gated) = (stale + track.Stale, gated + track.Gated);
        }

        if (builder.Count > 0)
        {
            sets.Add(builder.Build(string.Join(", ", paths)));
        }

        if (sets.Count == 0)
        {
            throw new ConfigException($"None of {files.Length} records in {string.Join(", ", paths)} holds two ticks in a row that drove the robot: nothing can be learned from them.");
        }

        return new(sets.Count == 1 ? sets[0] : TransitionSet.Concat(sets), files.Length, stale, gated);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Records} records: {Set}"
        + (Gated > 0 ? $"; the gate had changed {Gated} actions, which count as sent" : "") + (Stale > 0 ? $"; {Stale} steps without a new observation left out" : "");

    private static IEnumerable<string> Files(string path) =>
        File.Exists(path) ? [path]
        : Directory.Exists(path) ? Directory.EnumerateFiles(path).Where(file => file.EndsWith(".mcap", StringComparison.Ordinal) || file.EndsWith(Extension, StringComparison.Ordinal)).Order(StringComparer.Ordinal)
        : throw new ConfigException($"There is no record or folder '{path}'.");

    private static TransitionSet Sized(TransitionSet set, string file, ILearningTask task, TaskSpaces spaces) =>
        (set.ObservationSize, set.ActionSize) == (spaces.ObservationSize, spaces.ActionSize) ? set
        : throw new ConfigException(file, [$"has {set.ObservationSize} observations and {set.ActionSize} actions, task '{task.Name}' has {spaces.ObservationSize} and {spaces.ActionSize}; name the task it was recorded in"]);

    // The robot may have another name, limits and place; what it measures and takes must be the task's.
    private static RobotSpec Checked(EpisodeReader reader, string file, ILearningTask task, bool allowTruncated)
    {
        var header = reader.Header ?? throw new ConfigException(file, ["has no readable header: it is no record of this program, or it was cut off in its first bytes; remove it"]);
        if (reader.Damage() is { Count: > 0 } damage && !allowTruncated)
        {
            throw new ConfigException(file, [.. damage, "use the rest of it with --allow-truncated, or remove it"]);
        }

        var robot = RobotFile.Parse(header.Robot, file);
        string recorded = Frame(robot), wanted = Frame(task.Robot);
        return recorded == wanted ? robot : throw new ConfigException(file,
            [$"was recorded on robot '{robot.Name}' ({recorded}); task '{task.Name}' is about robot '{task.Robot.Name}' ({wanted}). Name the task it was recorded for, or other records"]);
    }

    private static string Frame(RobotSpec robot) =>
        $"joints {string.Join(", ", robot.Joints.Select(joint => $"{joint.Name}:{joint.Command.ToString().ToLowerInvariant()}"))}; signals {string.Join(", ", robot.Layout.Slices.Skip(3).Select(slice => $"{slice.Name}[{slice.Length}]"))}";

    /// <summary>One record on its way to rows.</summary>
    private sealed class Track(string file, RobotSpec robot, ILearningTask task, TaskSpaces spaces, TransitionSetBuilder builder)
    {
        private readonly int _episodeAt = robot.Layout.Find(TaskEnvironment.EpisodeSignal)?.Offset ?? -1;
        private readonly float[] _observation = new float[spaces.ObservationSize];
        private readonly float[] _action = new float[spaces.ActionSize];
        private readonly Queue<(EpisodeTick Before, EpisodeTick After)> _pending = [];

        public int Stale { get; private set; }

        public int Gated { get; private set; }

        public void Read(EpisodeReader reader)
        {
            EpisodeTick? before = null;
            bool over = false; // the task ended; what follows belongs to no episode until the next one
            foreach (var tick in reader.Ticks())
            {
                Whole(tick);
                bool restarted = before is not null && Episode(tick) != Episode(before);
                if (restarted)
                {
                    DropLast();
                    (before, over) = (null, false);
                }

                if (before is not null && (tick.Tick != before.Tick + 1 || before.State != ControlState.Running || before.Sent.Length == 0))
                {
                    End();
                    before = null;
                }

                if (before is not null && !over)
                {
                    CheckPeriod(before, tick);
                    over = Step(before, tick);
                }

                before = tick;
            }

            End();
        }

        private float Episode(EpisodeTick tick) => _episodeAt < 0 ? 0 : tick.Signals[_episodeAt];

        // True: the task ended with this step.
        private bool Step(EpisodeTick before, EpisodeTick after)
        {
            if (after.Observation == before.Observation)
            {
                Stale++;
                End();
                return false;
            }

            _pending.Enqueue((before, after));
            bool over = task.IsOver(after.Signals);
            if (over)
            {
                End();
            }
            else if (_pending.Count > StandsStill)
            {
                Add(_pending.Dequeue());
            }

            return over;
        }

        private void End()
        {
            while (_pending.Count > 0)
            {
                Add(_pending.Dequeue());
            }

            builder.EndEpisode();
        }

        private void DropLast()
        {
            _pending.Clear();
            builder.EndEpisode();
        }

        private void Add((EpisodeTick Before, EpisodeTick After) step)
        {
            var (before, after) = step;
            if (!spaces.Observe(before.Signals, _observation))
            {
                Bad(before.Tick, "an observation");
            }

            float[] next = new float[_observation.Length];
            if (!spaces.Observe(after.Signals, next))
            {
                Bad(after.Tick, "an observation");
            }

            spaces.ToAction(before.Sent, _action);
            if (Array.Exists(_action, value => !float.IsFinite(value)))
            {
                Bad(before.Tick, "an action");
            }

            for (int j = 0; j < _action.Length; j++)
            {
                _action[j] = Math.Clamp(_action[j], -1, 1); // as the task itself reads it
            }

            float reward = task.Reward(before.Signals, before.Sent, after.Signals);
            if (!float.IsFinite(reward))
            {
                Bad(before.Tick, "a reward");
            }

            Gated += before.GateTouched != 0 ? 1 : 0;
            builder.Add(_observation, _action, reward, next, task.IsOver(after.Signals));
        }

        private void Whole(EpisodeTick tick)
        {
            if (tick.Signals.Length != robot.Layout.Length || (tick.Sent.Length != robot.Joints.Count && tick.Sent.Length != 0))
            {
                throw new ConfigException(file, [$"tick {tick.Tick}: has {tick.Signals.Length} signals and {tick.Sent.Length} targets, robot '{robot.Name}' has {robot.Layout.Length} and {robot.Joints.Count}; the record is damaged. Remove it"]);
            }
        }

        private void CheckPeriod(EpisodeTick before, EpisodeTick after)
        {
            double period = after.Due.NanosecondsSince(before.Due) / 1e6, wanted = task.Period.TotalMilliseconds;
            if (Math.Abs(period - wanted) > wanted / 10)
            {
                throw new ConfigException(file, [string.Create(CultureInfo.InvariantCulture, $"tick {after.Tick}: ticks are {period:g4} ms apart, a step of task '{task.Name}' is {wanted:g4} ms; record with a policy of that period")]);
            }
        }

        private void Bad(ulong tick, string what) =>
            throw new ConfigException(file, [$"tick {tick}: {what} is not finite; nothing can be learned from it. Remove the record"]);
    }
}
