using Robotics.Numerics;

namespace Robotics.Episodes;

/// <summary>Writes an MCAP file: uncompressed chunks with CRC and index, attachments, metadata, summary and footer.</summary>
/// <remarks>
/// Owner: one thread. Nothing is allocated per message once the buffers have grown. A chunk reaches the stream when it is full or
/// at <see cref="CloseChunk"/>, in one write; a process killed in between loses what the open chunk held.
/// <para>After the first error of the stream the writer only throws: what lies before it stays readable, and a summary written
/// after a torn chunk would point at the wrong places.</para>
/// <para>Source: MCAP format specification, version 0 (mcap.dev/spec).</para>
/// </remarks>
public sealed class McapWriter : IDisposable
{
    // Chunk record up to its records: start, end, size u64, crc u32, compression "" u32, byte count u64, behind opcode and length.
    private const int ChunkHead = Mcap.RecordHead + 8 + 8 + 8 + 4 + 4 + 8;

    private readonly Stream _stream;
    private readonly int _chunkSize;
    private readonly McapBuffer _chunk;
    private readonly McapBuffer _record = new(1024);
    private readonly McapBuffer _schemas = new(4096);
    private readonly McapBuffer _channels = new(1024);
    private readonly McapBuffer _attachmentIndexes = new(256);
    private readonly McapBuffer _metadataIndexes = new(256);
    private readonly McapBuffer _chunkIndexes = new(8192);
    private readonly List<ChannelState> _open = [];
    private ulong _position;
    private ulong _messages;
    private ulong _start = ulong.MaxValue;
    private ulong _end;
    private ulong _chunkStart;
    private ulong _chunkEnd;
    private ushort _schemaCount;
    private uint _attachmentCount;
    private uint _metadataCount;
    private uint _chunkCount;
    private bool _failed;
    private bool _finished;

    /// <summary>Begins a file.</summary>
    /// <param name="stream">Written front to back, never sought; owned by the writer from here on.</param>
    /// <param name="library">Program and version, for people.</param>
    /// <param name="chunkSize">Bytes at which a chunk is closed; above 0.</param>
    public McapWriter(Stream stream, string library, int chunkSize = 1 << 20)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(library);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(chunkSize);
        _stream = stream;
        _chunkSize = chunkSize;
        _chunk = new(ChunkHead + chunkSize + (chunkSize / 4)); // room for the last message and the indexes
        _chunk.Take(ChunkHead);

        Put(Mcap.Magic);
        int content = Start(Mcap.Header);
        _record.Text(""); // profile: none
        _record.Text(library);
        PutRecord(content);
    }

    /// <summary>Bytes written, open chunk included.</summary>
    public long Length => (long)_position + (_chunk.Length - ChunkHead);

    /// <summary>Declares a schema and returns its id, from 1.</summary>
    /// <param name="name">For example <c>foxglove.Log</c>.</param>
    /// <param name="encoding">For example <c>jsonschema</c>.</param>
    /// <param name="data">The schema itself.</param>
    public ushort AddSchema(string name, string encoding, ReadOnlySpan<byte> data)
    {
        int content = Start(Mcap.Schema);
        _record.U16(++_schemaCount);
        _record.Text(name);
        _record.Text(encoding);
        _record.U32((uint)data.Length);
        _record.Bytes(data);
        PutRecord(content);
        _schemas.Bytes(_record.Written);
        return _schemaCount;
    }

    /// <summary>Declares a channel and returns its id, from 1.</summary>
    /// <param name="schema">From <see cref="AddSchema"/>.</param>
    /// <param name="topic">Unique in the file.</param>
    /// <param name="encoding">Of its messages, for example <c>json</c>.</param>
    public ushort AddChannel(ushort schema, string topic, string encoding)
    {
        ushort id = (ushort)(_open.Count + 1);
        int content = Start(Mcap.Channel);
        _record.U16(id);
        _record.U16(schema);
        _record.Text(topic);
        _record.Text(encoding);
        _record.Map([]);
        PutRecord(content);
        _channels.Bytes(_record.Written);
        _open.Add(new ChannelState());
        return id;
    }

    /// <summary>Stores a file inside the file; not part of any chunk.</summary>
    /// <param name="name">For example <c>robot.json</c>.</param>
    /// <param name="mediaType">For example <c>application/json</c>.</param>
    /// <param name="time">ns since 1970 UTC.</param>
    /// <param name="data">Its bytes.</param>
    public void AddAttachment(string name, string mediaType, ulong time, ReadOnlySpan<byte> data)
    {
        ulong at = _position;
        int content = Start(Mcap.Attachment);
        _record.U64(time);
        _record.U64(time);
        _record.Text(name);
        _record.Text(mediaType);
        _record.U64((ulong)data.Length);
        _record.Bytes(data);
        _record.U32(Crc32.Compute(_record.Written[content..]));
        PutRecord(content);
        _attachmentCount++;

        int index = _attachmentIndexes.Begin(Mcap.AttachmentIndex);
        _attachmentIndexes.U64(at);
        _attachmentIndexes.U64(_position - at);
        _attachmentIndexes.U64(time);
        _attachmentIndexes.U64(time);
        _attachmentIndexes.U64((ulong)data.Length);
        _attachmentIndexes.Text(name);
        _attachmentIndexes.Text(mediaType);
        _attachmentIndexes.End(index);
    }

    /// <summary>Stores names and values; not part of any chunk.</summary>
    public void AddMetadata(string name, IEnumerable<KeyValuePair<string, string>> values)
    {
        ulong at = _position;
        int content = Start(Mcap.Metadata);
        _record.Text(name);
        _record.Map(values);
        PutRecord(content);
        _metadataCount++;

        int index = _metadataIndexes.Begin(Mcap.MetadataIndex);
        _metadataIndexes.U64(at);
        _metadataIndexes.U64(_position - at);
        _metadataIndexes.Text(name);
        _metadataIndexes.End(index);
    }

    /// <summary>Appends a message to the open chunk.</summary>
    /// <param name="channel">From <see cref="AddChannel"/>.</param>
    /// <param name="time">ns since 1970 UTC; log and publish time.</param>
    /// <param name="data">The message.</param>
    /// <exception cref="IOException">The chunk was full and could not be written.</exception>
    public void Write(ushort channel, ulong time, ReadOnlySpan<byte> data)
    {
        var state = _open[channel - 1];
        if (_chunk.Length - ChunkHead >= _chunkSize)
        {
            CloseChunk();
        }

        if (_chunk.Length == ChunkHead)
        {
            (_chunkStart, _chunkEnd) = (time, time);
        }

        state.Index.U64(time);
        state.Index.U64((ulong)(_chunk.Length - ChunkHead));
        int content = _chunk.Begin(Mcap.Message);
        _chunk.U16(channel);
        _chunk.U32((uint)state.Messages);
        _chunk.U64(time);
        _chunk.U64(time);
        _chunk.Bytes(data);
        _chunk.End(content);

        (_chunkStart, _chunkEnd) = (Math.Min(_chunkStart, time), Math.Max(_chunkEnd, time));
        (_start, _end) = (Math.Min(_start, time), Math.Max(_end, time));
        state.Messages++;
        _messages++;
    }

    /// <summary>Hands the open chunk to the operating system: it survives this process, not a power cut. Does nothing when the
    /// chunk is empty.</summary>
    /// <exception cref="IOException">The disk is full or gone, now or at an earlier call.</exception>
    public void CloseChunk()
    {
        int records = _chunk.Length - ChunkHead;
        if (records > 0)
        {
            WriteChunk(records);
        }

        Latched(static stream => stream.Flush());
    }

    /// <summary>Closes the chunk and waits until the disk has it.</summary>
    /// <exception cref="IOException">The disk is full or gone, now or at an earlier call.</exception>
    public void Flush()
    {
        CloseChunk();
        Latched(static stream => (stream as FileStream)?.Flush(flushToDisk: true));
    }

    /// <summary>Writes summary and footer and closes the stream. After an earlier error only closes it.</summary>
    /// <exception cref="IOException">The disk is full or gone; thrown once, by the first call that meets it.</exception>
    public void Dispose()
    {
        if (_finished)
        {
            return;
        }

        _finished = true;
        if (_failed)
        {
            CloseQuietly();
            return;
        }

        try
        {
            CloseChunk();
            WriteSummary();
            Flush();
        }
        catch
        {
            CloseQuietly();
            throw;
        }

        _stream.Dispose();
    }

    private void CloseQuietly()
    {
        try
        {
            _stream.Dispose();
        }
        catch (IOException)
        {
            // The stream tries its own leftovers once more; the owner was told of this disk when it first failed.
        }
    }

    private void WriteChunk(int records)
    {
        uint crc = Crc32.Compute(_chunk.Written[ChunkHead..]);
        ulong at = _position;
        ulong length = (ulong)_chunk.Length;

        // The head's place was kept free, so that head, records and indexes leave in one write.
        _chunk.PatchHead(Mcap.Chunk, length - Mcap.RecordHead);
        _chunk.PatchU64(9, _chunkStart);
        _chunk.PatchU64(17, _chunkEnd);
        _chunk.PatchU64(25, (ulong)records);
        _chunk.PatchU32(33, crc);
        _chunk.PatchU32(37, 0); // compression: none
        _chunk.PatchU64(41, (ulong)records);

        int index = _chunkIndexes.Begin(Mcap.ChunkIndex);
        _chunkIndexes.U64(_chunkStart);
        _chunkIndexes.U64(_chunkEnd);
        _chunkIndexes.U64(at);
        _chunkIndexes.U64(length);
        int map = _chunkIndexes.Length;
        _chunkIndexes.U32(0);
        for (int c = 0; c < _open.Count; c++)
        {
            var entries = _open[c].Index;
            if (entries.Length > 0)
            {
                _chunkIndexes.U16((ushort)(c + 1));
                _chunkIndexes.U64(at + (ulong)_chunk.Length);
                int content = _chunk.Begin(Mcap.MessageIndex);
                _chunk.U16((ushort)(c + 1));
                _chunk.U32((uint)entries.Length);
                _chunk.Bytes(entries.Written);
                _chunk.End(content);
                entries.Clear();
            }
        }

        _chunkIndexes.PatchU32(map, (uint)(_chunkIndexes.Length - map - 4));
        _chunkIndexes.U64((ulong)_chunk.Length - length);
        _chunkIndexes.Text("");
        _chunkIndexes.U64((ulong)records);
        _chunkIndexes.U64((ulong)records);
        _chunkIndexes.End(index);
        _chunkCount++;

        Put(_chunk.Written);
        _chunk.Clear();
        _chunk.Take(ChunkHead);
    }

    private void WriteSummary()
    {
        int content = Start(Mcap.DataEnd);
        _record.U32(0); // no CRC over the whole data section: each chunk and attachment has its own
        PutRecord(content);

        ulong start = _position;
        _record.Clear();
        var offsets = new McapBuffer(256);
        Group(Mcap.Schema, _schemas);
        Group(Mcap.Channel, _channels);
        Group(Mcap.Statistics, Statistics());
        Group(Mcap.AttachmentIndex, _attachmentIndexes);
        Group(Mcap.MetadataIndex, _metadataIndexes);
        Group(Mcap.ChunkIndex, _chunkIndexes);

        ulong offsetStart = start + (ulong)_record.Length;
        _record.Bytes(offsets.Written);
        int footer = _record.Begin(Mcap.Footer);
        _record.U64(start);
        _record.U64(offsetStart);
        _record.PatchU64(footer - 8, Mcap.FooterLength); // the CRC covers the length, which End would patch too late
        _record.U32(Crc32.Compute(_record.Written));
        _record.Bytes(Mcap.Magic);
        Put(_record.Written);

        void Group(byte opcode, McapBuffer records)
        {
            if (records.Length == 0)
            {
                return;
            }

            int entry = offsets.Begin(Mcap.SummaryOffset);
            offsets.U8(opcode);
            offsets.U64(start + (ulong)_record.Length);
            offsets.U64((ulong)records.Length);
            offsets.End(entry);
            _record.Bytes(records.Written);
        }
    }

    private McapBuffer Statistics()
    {
        var buffer = new McapBuffer(256);
        int content = buffer.Begin(Mcap.Statistics);
        buffer.U64(_messages);
        buffer.U16(_schemaCount);
        buffer.U32((uint)_open.Count);
        buffer.U32(_attachmentCount);
        buffer.U32(_metadataCount);
        buffer.U32(_chunkCount);
        buffer.U64(_messages == 0 ? 0 : _start);
        buffer.U64(_end);
        buffer.U32((uint)(_open.Count * 10));
        for (int c = 0; c < _open.Count; c++)
        {
            buffer.U16((ushort)(c + 1));
            buffer.U64(_open[c].Messages);
        }

        buffer.End(content);
        return buffer;
    }

    private int Start(byte opcode)
    {
        _record.Clear();
        return _record.Begin(opcode);
    }

    private void PutRecord(int content)
    {
        _record.End(content);
        Put(_record.Written);
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        ThrowIfFailed();
        _failed = true; // until the stream has taken it
        _stream.Write(bytes);
        _failed = false;
        _position += (ulong)bytes.Length;
    }

    private void Latched(Action<Stream> act)
    {
        ThrowIfFailed();
        _failed = true;
        act(_stream);
        _failed = false;
    }

    private void ThrowIfFailed()
    {
        if (_failed)
        {
            throw new IOException("The record could not be written earlier and takes nothing more; what lies before that is readable.");
        }
    }

    private sealed class ChannelState
    {
        /// <summary>(log time, offset) of every message in the open chunk.</summary>
        public McapBuffer Index { get; } = new(16 * 1024);

        public ulong Messages { get; set; }
    }
}
