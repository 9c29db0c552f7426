using Robotics.Numerics;

namespace Robotics.Episodes;

/// <summary>A part of a file that could not be read.</summary>
/// <param name="Offset">First byte of it.</param>
/// <param name="Bytes">How many.</param>
/// <param name="Why">Half a sentence.</param>
public sealed record McapLoss(long Offset, long Bytes, string Why);

/// <summary>A channel of an MCAP file with its schema.</summary>
/// <param name="Topic">For example <c>/tick</c>.</param>
/// <param name="Encoding">Of the messages, for example <c>json</c>.</param>
/// <param name="SchemaName">Empty for none.</param>
/// <param name="SchemaEncoding">Empty for none.</param>
public sealed record McapChannel(string Topic, string Encoding, string SchemaName, string SchemaEncoding);

/// <summary>A message of an MCAP file.</summary>
/// <param name="Channel">Where it belongs.</param>
/// <param name="LogTime">ns since 1970 UTC.</param>
/// <param name="Data">The message; valid until the enumeration moves on.</param>
public readonly record struct McapMessage(McapChannel Channel, ulong LogTime, ReadOnlyMemory<byte> Data);

/// <summary>A file stored inside an MCAP file.</summary>
public sealed record McapAttachment(string Name, string MediaType, ReadOnlyMemory<byte> Data);

/// <summary>The bytes are not a record of ours at all. Damage inside a record is no error: it is reported beside what was read.</summary>
public sealed class EpisodeException : Exception
{
    /// <summary>Creates the error from its message.</summary>
    public EpisodeException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with its cause.</summary>
    public EpisodeException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Creates an unexplained error.</summary>
    public EpisodeException()
        : base("Not a record.")
    {
    }
}

/// <summary>Reads MCAP files, whole ones through their summary, torn ones front to back; keeps every whole record and every chunk
/// whose CRC holds, and says what was lost.</summary>
/// <remarks>
/// Not thread-safe. Reads each chunk once at the beginning, so <see cref="Losses"/> is complete from then on. Uncompressed chunks
/// only: a compressed one counts as lost and says so.
/// <para>Source: MCAP format specification, version 0 (mcap.dev/spec).</para>
/// </remarks>
public sealed class McapReader : IDisposable
{
    private readonly Stream _stream;
    private readonly long _length;
    private readonly Dictionary<ushort, (string Name, string Encoding)> _schemas = [];
    private readonly Dictionary<ushort, McapChannel> _channels = [];
    private readonly List<(long At, long Length)> _runs = []; // messages of one chunk, or one message outside of chunks
    private readonly List<McapLoss> _losses = [];
    private readonly List<McapAttachment> _attachments = [];
    private readonly Dictionary<string, IReadOnlyDictionary<string, string>> _metadata = [];
    private byte[] _buffer = [];

    /// <summary>Reads the structure of a file and checks every chunk.</summary>
    /// <param name="stream">Seekable; owned by the reader from here on.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <exception cref="EpisodeException">The bytes do not begin like an MCAP file.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public McapReader(Stream stream, string source)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _stream = stream;
        _length = stream.Length;
        int head = (int)Math.Min(Mcap.Magic.Length, _length);
        if (!Load(0, head).SequenceEqual(Mcap.Magic[..head]))
        {
            stream.Dispose();
            throw new EpisodeException($"{source} is not a record: an MCAP file begins with the bytes 89 4D 43 41 50 30 0D 0A, "
                + $"this one with {Convert.ToHexString(_buffer.AsSpan(0, head))}. Give the .mcap file that a run wrote.");
        }

        Finished = ReadSummary();
        if (!Finished)
        {
            Scan();
        }
    }

    /// <summary>True when the writer finished the file and its summary is whole; false for a killed recorder.</summary>
    public bool Finished { get; }

    /// <summary>What could not be read; empty when everything could.</summary>
    public IReadOnlyList<McapLoss> Losses => _losses;

    /// <summary>Every channel.</summary>
    public IReadOnlyCollection<McapChannel> Channels => _channels.Values;

    /// <summary>Every whole attachment.</summary>
    public IReadOnlyList<McapAttachment> Attachments => _attachments;

    /// <summary>Every whole metadata record by name.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Metadata => _metadata;

    /// <summary>Messages in file order.</summary>
    /// <param name="topic">Only this topic's; null: all.</param>
    public IEnumerable<McapMessage> Messages(string? topic = null)
    {
        // Its own buffer: two enumerations may go side by side.
        byte[] bytes = [];
        foreach (var (start, length) in _runs)
        {
            if (bytes.Length < length)
            {
                bytes = new byte[length];
            }

            _stream.Position = start;
            _stream.ReadExactly(bytes, 0, (int)length);
            int at = 0;
            while (NextMessage(bytes.AsSpan(0, (int)length), ref at, out var channel, out ulong time, out int data, out int dataLength))
            {
                if (channel is not null && (topic is null || channel.Topic == topic))
                {
                    yield return new McapMessage(channel, time, bytes.AsMemory(data, dataLength));
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private bool NextMessage(ReadOnlySpan<byte> run, ref int at, out McapChannel? channel, out ulong time, out int data, out int dataLength)
    {
        (channel, time, data, dataLength) = (null, 0, 0, 0);
        while (at + Mcap.RecordHead <= run.Length)
        {
            var head = new McapCursor(run[at..]);
            byte opcode = head.U8();
            ulong length = head.U64();
            int content = at + Mcap.RecordHead;
            if (length > (ulong)(run.Length - content))
            {
                return false; // checked by CRC, so the writer itself was wrong: nothing behind it can be found
            }

            at = content + (int)length;
            if (opcode == Mcap.Message && length >= 22)
            {
                var message = new McapCursor(run[content..at]);
                channel = _channels.GetValueOrDefault(message.U16());
                message.U32(); // sequence
                time = message.U64();
                data = content + 22; // behind the publish time
                dataLength = at - data;
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads the end of a finished file. False, with no run remembered, when any of it is missing or wrong.</summary>
    private bool ReadSummary()
    {
        const int Tail = Mcap.RecordHead + Mcap.FooterLength + 8;
        if (_length < (2 * Mcap.Magic.Length) + Tail)
        {
            return false;
        }

        var footer = new McapCursor(Load(_length - Tail, Tail));
        if (footer.U8() != Mcap.Footer || footer.U64() != Mcap.FooterLength)
        {
            return false;
        }

        ulong start = footer.U64();
        footer.U64(); // where the offsets begin
        uint crc = footer.U32();
        long end = _length - Mcap.Magic.Length;
        if (!footer.Rest.SequenceEqual(Mcap.Magic) || start < (ulong)Mcap.Magic.Length || start > (ulong)(_length - Tail) || end - (long)start > int.MaxValue)
        {
            return false; // also a file without summary: it reads front to back
        }

        byte[] summary = Load((long)start, (int)(end - (long)start)).ToArray();
        if (crc != 0 && crc != Crc32.Compute(summary.AsSpan(0, summary.Length - 4)))
        {
            return false;
        }

        var rest = new McapCursor(summary);
        var chunks = new List<(long At, long Length)>();
        bool whole = true;
        while (rest.Ok && !rest.Rest.IsEmpty)
        {
            byte opcode = rest.U8();
            var record = new McapCursor(rest.Take(rest.U64()));
            switch (opcode)
            {
                case Mcap.Schema:
                case Mcap.Channel:
                    whole &= Declare(opcode, record);
                    break;
                case Mcap.ChunkIndex:
                    record.U64();
                    record.U64();
                    chunks.Add(((long)record.U64(), (long)record.U64()));
                    whole &= record.Ok;
                    break;
                case Mcap.AttachmentIndex:
                case Mcap.MetadataIndex:
                    chunks.Add(((long)record.U64(), (long)record.U64()));
                    whole &= record.Ok;
                    break;
                default:
                    break; // statistics, offsets, and what newer writers add
            }
        }

        if (!rest.Ok || !whole)
        {
            return false;
        }

        // In file order, as the forward scan meets them.
        foreach (var (at, length) in chunks.OrderBy(chunk => chunk.At))
        {
            bool inside = at >= 0 && length >= Mcap.RecordHead && at <= _length - length;
            if (inside && Head(at) is var (opcode, content) && content == length - Mcap.RecordHead)
            {
                Keep(opcode, at, content);
            }
            else
            {
                Lose(at, length, "the summary names a record here that is not there");
            }
        }

        return true;
    }

    /// <summary>Reads front to back until the end or the first record that is not whole.</summary>
    private void Scan()
    {
        long at = Mcap.Magic.Length;
        if (_length < at)
        {
            Lose(0, _length, "the file ends within its first eight bytes");
            return;
        }

        while (at < _length)
        {
            if (_length - at < Mcap.RecordHead)
            {
                Lose(at, _length - at, "the file ends within a record");
                return;
            }

            var (opcode, length) = Head(at);
            if (length < 0 || length > _length - at - Mcap.RecordHead)
            {
                Lose(at, _length - at, opcode switch
                {
                    Mcap.Chunk => "the file ends within a chunk of rows",
                    Mcap.MessageIndex => "the file ends within an index, whose rows are all here",
                    Mcap.Attachment => "the file ends within an attached file",
                    >= Mcap.Header and <= Mcap.DataEnd => $"the file ends within a record of kind {opcode:X2}",
                    _ => "no record begins here",
                });
                return;
            }

            if (opcode is Mcap.DataEnd)
            {
                return; // every row is in front of it; what follows only repeats
            }

            if (opcode == 0)
            {
                Lose(at, _length - at, "no record begins here");
                return;
            }

            Keep(opcode, at, length);
            at += Mcap.RecordHead + length;
        }
    }

    private void Keep(byte opcode, long at, long length)
    {
        long content = at + Mcap.RecordHead;
        long whole = Mcap.RecordHead + length;
        if (opcode is not (Mcap.Schema or Mcap.Channel or Mcap.Message or Mcap.Chunk or Mcap.Attachment or Mcap.Metadata))
        {
            return;
        }

        if (whole > Array.MaxLength)
        {
            Lose(at, whole, "a record of more than 2 GB");
            return;
        }

        var bytes = Load(content, (int)length);
        switch (opcode)
        {
            case Mcap.Message:
                _runs.Add((at, whole));
                break;
            case Mcap.Chunk:
                KeepChunk(at, content, bytes);
                break;
            case Mcap.Attachment:
                KeepAttachment(at, bytes);
                break;
            case Mcap.Metadata:
                var metadata = new McapCursor(bytes);
                string name = metadata.Text();
                var values = metadata.Map();
                if (metadata.Ok)
                {
                    _metadata[name] = values;
                }
                else
                {
                    Lose(at, whole, "a metadata record that contradicts itself");
                }

                break;
            default:
                if (!Declare(opcode, new McapCursor(bytes)))
                {
                    Lose(at, whole, "a schema or channel that contradicts itself");
                }

                break;
        }
    }

    private void KeepChunk(long at, long content, ReadOnlySpan<byte> bytes)
    {
        var chunk = new McapCursor(bytes);
        chunk.U64(); // first log time
        chunk.U64(); // last log time
        ulong size = chunk.U64();
        uint crc = chunk.U32();
        string compression = chunk.Text();
        var records = chunk.Take(chunk.U64());
        string? wrong = !chunk.Ok ? "a chunk that contradicts itself"
            : compression.Length > 0 ? $"a chunk compressed with {compression}, which this program does not read"
            : (ulong)records.Length != size || (crc != 0 && crc != Crc32.Compute(records)) ? "a chunk whose CRC does not hold"
            : null;
        if (wrong is not null)
        {
            Lose(at, Mcap.RecordHead + bytes.Length, wrong);
            return;
        }

        _runs.Add((content + (bytes.Length - records.Length - chunk.Rest.Length), records.Length));
        var rest = new McapCursor(records);
        while (rest.Ok && !rest.Rest.IsEmpty)
        {
            byte opcode = rest.U8();
            var record = rest.Take(rest.U64());
            if (opcode is Mcap.Schema or Mcap.Channel)
            {
                Declare(opcode, new McapCursor(record));
            }
        }
    }

    private void KeepAttachment(long at, ReadOnlySpan<byte> bytes)
    {
        var attachment = new McapCursor(bytes);
        attachment.U64(); // log time
        attachment.U64(); // create time
        string name = attachment.Text();
        string type = attachment.Text();
        var data = attachment.Take(attachment.U64());
        int covered = bytes.Length - attachment.Rest.Length;
        uint crc = attachment.U32();
        if (!attachment.Ok || (crc != 0 && crc != Crc32.Compute(bytes[..covered])))
        {
            Lose(at, Mcap.RecordHead + bytes.Length, "an attachment whose CRC does not hold");
            return;
        }

        _attachments.Add(new McapAttachment(name, type, data.ToArray()));
    }

    private bool Declare(byte opcode, McapCursor record)
    {
        ushort id = record.U16();
        if (opcode == Mcap.Schema)
        {
            string name = record.Text();
            string encoding = record.Text();
            if (record.Ok)
            {
                _schemas[id] = (name, encoding);
            }

            return record.Ok;
        }

        var (schema, schemaEncoding) = _schemas.GetValueOrDefault(record.U16(), ("", ""));
        string topic = record.Text();
        string messages = record.Text();
        if (record.Ok)
        {
            _channels[id] = new McapChannel(topic, messages, schema, schemaEncoding);
        }

        return record.Ok;
    }

    private (byte Opcode, long Length) Head(long at)
    {
        var head = new McapCursor(Load(at, Mcap.RecordHead));
        return (head.U8(), (long)head.U64());
    }

    private void Lose(long at, long bytes, string why) => _losses.Add(new McapLoss(at, bytes, why));

    private Span<byte> Load(long at, int count)
    {
        if (_buffer.Length < count)
        {
            _buffer = new byte[count];
        }

        _stream.Position = at;
        _stream.ReadExactly(_buffer, 0, count);
        return _buffer.AsSpan(0, count);
    }
}
