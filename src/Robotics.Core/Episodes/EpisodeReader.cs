using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Robotics.Episodes;

/// <summary>Reads a recorded run: header, ticks, plans, events, link, and what of it was lost.</summary>
/// <remarks>Not thread-safe. Each of <see cref="Ticks"/>, <see cref="Plans"/>, <see cref="Events"/> and <see cref="Links"/> goes over
/// the file anew and holds one chunk at a time, so a long run needs no more memory than a short one.</remarks>
public sealed class EpisodeReader : IDisposable
{
    private readonly McapReader _file;
    private readonly Dictionary<string, int> _unreadable = [];

    /// <summary>Opens the record at <paramref name="path"/>.</summary>
    /// <exception cref="EpisodeException">The file is no MCAP file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public EpisodeReader(string path)
        : this(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite), path)
    {
    }

    /// <summary>Opens a record.</summary>
    /// <param name="stream">Seekable; owned by the reader from here on.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <exception cref="EpisodeException">The bytes are no MCAP file.</exception>
    public EpisodeReader(Stream stream, string source)
    {
        Source = source;
        _file = new McapReader(stream, source);
        Header = ReadHeader();
    }

    /// <summary>Where the record came from, for messages.</summary>
    public string Source { get; }

    /// <summary>What stands at the front; null when the record was torn before it, or another program wrote the file.</summary>
    public EpisodeHeader? Header { get; }

    /// <summary>True when the recorder finished the file; false when it was killed.</summary>
    public bool Finished => _file.Finished;

    /// <summary>What could not be read, complete from the beginning.</summary>
    public IReadOnlyList<McapLoss> Losses => _file.Losses;

    /// <summary>Rows met so far whose chunk was whole but whose content no version of this program writes.</summary>
    public int UnreadableRows => _unreadable.Values.Sum();

    /// <summary>Sentences for a person about what is missing; empty for a finished and whole record.</summary>
    public IReadOnlyList<string> Damage()
    {
        var said = new List<string>();
        if (!Finished)
        {
            said.Add(_file.Losses.Count == 0
                ? "The recorder did not finish this file; every row that reached it is here."
                : "The recorder did not finish this file.");
        }

        if (Header is null)
        {
            said.Add("The header is missing: robot, policy and start are unknown.");
        }

        said.AddRange(_file.Losses.Select(loss =>
            string.Create(CultureInfo.InvariantCulture, $"{loss.Bytes} bytes at offset {loss.Offset} are lost: {loss.Why}.")));
        if (UnreadableRows > 0)
        {
            said.Add(string.Create(CultureInfo.InvariantCulture, $"{UnreadableRows} rows could not be understood and were left out."));
        }

        return said;
    }

    /// <summary>Every tick in order.</summary>
    public IEnumerable<EpisodeTick> Ticks() => Rows(EpisodeSchemas.TickTopic, EpisodeJson.Tick);

    /// <summary>Every plan in order.</summary>
    public IEnumerable<EpisodePlan> Plans() => Rows(EpisodeSchemas.PlanTopic, EpisodeJson.Plan);

    /// <summary>Every event in order.</summary>
    public IEnumerable<EventRow> Events() => Rows(EpisodeSchemas.EventTopic, EpisodeJson.Event);

    /// <summary>Every link state in order.</summary>
    public IEnumerable<EpisodeLink> Links() => Rows(EpisodeSchemas.LinkTopic, EpisodeJson.Link);

    /// <summary>Everything that happened to routes, in order; nothing for a policy that follows none.</summary>
    public IEnumerable<RouteNote> Routes() => Rows(EpisodeSchemas.RouteTopic, EpisodeJson.Route);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private delegate T Decode<T>(ReadOnlySpan<byte> json);

    private IEnumerable<T> Rows<T>(string topic, Decode<T> decode)
        where T : class
    {
        _unreadable[topic] = 0;
        foreach (var message in _file.Messages(topic))
        {
            T? row = null;
            try
            {
                row = decode(message.Data.Span);
            }
            catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
            {
                _unreadable[topic]++; // told by Damage
            }

            if (row is not null)
            {
                yield return row;
            }
        }
    }

    private EpisodeHeader? ReadHeader()
    {
        if (!_file.Metadata.TryGetValue(EpisodeSchemas.HeaderMetadata, out var values)
            || !DateTimeOffset.TryParse(values.GetValueOrDefault("started_utc"), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var utc)
            || !long.TryParse(values.GetValueOrDefault("started_at_ns"), CultureInfo.InvariantCulture, out long at))
        {
            return null;
        }

        return new EpisodeHeader
        {
            Program = values.GetValueOrDefault("program", ""),
            StartedUtc = utc,
            StartedAt = new MonotonicTime(at),
            Robot = Attachment(EpisodeSchemas.RobotFile),
            Policy = Attachment(EpisodeSchemas.PolicyFile),
            PolicySha256 = values.GetValueOrDefault("policy_sha256", ""),
            Properties = _file.Metadata.GetValueOrDefault(EpisodeSchemas.PropertiesMetadata) ?? new Dictionary<string, string>(),
        };
    }

    private string Attachment(string name) =>
        _file.Attachments.FirstOrDefault(attachment => attachment.Name == name) is { } found ? Encoding.UTF8.GetString(found.Data.Span) : "";
}
