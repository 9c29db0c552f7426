using System.Runtime.InteropServices;
using Robotics.Learning.Training;

namespace Robotics.Learning.Data;

/// <content>What a set must be, and the file it is kept in.</content>
public sealed partial class TransitionSet
{
    private const string Magic = "robotics-transitions-1";
    private const int Named = 5; // rows that a message names; the rest are counted

    /// <summary>Writes one file: magic, fingerprint, sizes, then the columns as they lie in memory (little-endian). Replaced in one piece.</summary>
    public void Save(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        CheckpointFile.Write(path, Magic, Sha256, writer =>
        {
            writer.Write(Count);
            writer.Write(Episodes);
            writer.Write(ObservationSize);
            writer.Write(ActionSize);
            writer.Write(HasPropensities);
            writer.Write(MemoryMarshal.AsBytes<int>(_starts));
            foreach (float[] column in new[] { _observations, _actions, _rewards, _next, _logPropensities ?? [] })
            {
                writer.Write(MemoryMarshal.AsBytes<float>(column));
            }

            writer.Write(MemoryMarshal.AsBytes<bool>(_terminated));
        });
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="ConfigException">It is no such file, it is damaged, or what it holds cannot be learned from.</exception>
    public static TransitionSet Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            using var reader = new BinaryReader(File.OpenRead(path));
            if (reader.ReadString() != Magic)
            {
                throw new ConfigException(path, ["is not a file of recorded transitions, or of another version; collect them anew"]);
            }

            string sha256 = reader.ReadString();
            int count = reader.ReadInt32(), episodes = reader.ReadInt32(), o = reader.ReadInt32(), a = reader.ReadInt32();
            bool propensities = reader.ReadBoolean();
            long bytes = (4 * ((long)episodes + 1)) + ((long)count * ((4 * ((2L * o) + a + (propensities ? 2 : 1))) + 1));
            if (count < 1 || episodes < 1 || o < 1 || a < 1 || bytes != reader.BaseStream.Length - reader.BaseStream.Position)
            {
                throw new ConfigException(path, [$"is damaged: its header tells of {bytes} bytes, {reader.BaseStream.Length - reader.BaseStream.Position} follow; collect it anew"]);
            }

            int[] starts = new int[episodes + 1];
            reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(starts.AsSpan()));
            float[] observations = Column(count * o), actions = Column(count * a), rewards = Column(count), next = Column(count * o);
            float[]? log = propensities ? Column(count) : null;
            bool[] terminated = new bool[count];
            reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(terminated.AsSpan()));
            var set = new TransitionSet(path, o, a, observations, actions, rewards, next, terminated, starts, log);
            return set.Sha256 == sha256 ? set : throw new ConfigException(path, ["is damaged: its content is not the one it was written with; collect it anew"]);

            float[] Column(int length)
            {
                float[] column = new float[length];
                reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(column.AsSpan()));
                return column;
            }
        }
        catch (Exception error) when (error is EndOfStreamException or FormatException)
        {
            throw new ConfigException($"{path} is cut short; collect it anew.", error);
        }
    }

    private void Check(string source)
    {
        var check = new ConfigCheck(source);
        int n = _rewards.Length;
        check.That(n > 0, "transitions", "are none: record some first");
        check.That(ObservationSize > 0 && ActionSize > 0, "sizes", $"are {ObservationSize} observations and {ActionSize} actions, expected 1 or more of each");
        Length(_observations.Length, (long)n * ObservationSize, "observations");
        Length(_actions.Length, (long)n * ActionSize, "actions");
        Length(_next.Length, (long)n * ObservationSize, "next observations");
        Length(_terminated.Length, n, "terminated");
        Length(_logPropensities?.Length ?? n, n, "log-propensities");
        check.That(
            _starts.Length > 1 && _starts[0] == 0 && _starts[^1] == n && Enumerable.Range(1, _starts.Length - 1).All(e => _starts[e] > _starts[e - 1]),
            "episodes", "do not begin at row 0 and follow one another to the last row");
        if (check.Ok)
        {
            Each(_rewards, 1, float.IsFinite, "reward", "expected a finite number");
            Each(_observations, ObservationSize, float.IsFinite, "observation", "expected a finite number");
            Each(_next, ObservationSize, float.IsFinite, "next observation", "expected a finite number");
            Each(_actions, ActionSize, x => x is >= -1 and <= 1, "action", "expected -1 to 1");
            Each(_logPropensities ?? [], 1, float.IsFinite, "log-propensity", "expected a finite number, or none in the whole set");
            for (int e = 0; e < Episodes; e++)
            {
                int early = Array.IndexOf(_terminated, true, _starts[e], _starts[e + 1] - _starts[e] - 1);
                check.That(early < 0, $"episode {e}", $"goes on after row {early - _starts[e]}, where the task ended");
            }
        }

        check.Throw();

        void Length(long actual, long expected, string what) => check.That(actual == expected, what, $"are {actual} numbers, expected {expected} for {n} rows");

        void Each(float[] column, int width, Func<float, bool> holds, string what, string expected)
        {
            int wrong = 0;
            for (int i = 0; i < column.Length; i++)
            {
                if (!holds(column[i]) && ++wrong <= Named)
                {
                    int episode = EpisodeOf(i / width);
                    check.Add($"episode {episode}, row {(i / width) - _starts[episode]}", FormattableString.Invariant(
                        $"has {what}{(width > 1 ? $" element {i % width}" : "")} {column[i]}, {expected}"));
                }
            }

            check.That(wrong <= Named, what, $"is wrong in {wrong - Named} more places");
        }
    }

    private int EpisodeOf(int row)
    {
        int found = Array.BinarySearch(_starts, row);
        return found >= 0 ? found : ~found - 1;
    }
}
