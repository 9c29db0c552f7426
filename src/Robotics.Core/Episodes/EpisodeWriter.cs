namespace Robotics.Episodes;

/// <summary>Writes one run to an MCAP file that a killed process leaves readable up to the last chunk.</summary>
/// <remarks>Owner: the recorder thread. Not thread-safe.</remarks>
public sealed class EpisodeWriter : IDisposable
{
    /// <summary>Begins a record.</summary>
    /// <param name="stream">Seekable or not; owned by the writer from here on.</param>
    /// <param name="header">What stands at the front.</param>
    public EpisodeWriter(Stream stream, EpisodeHeader header) => throw new NotSupportedException();

    /// <summary>Bytes written so far, open chunk included.</summary>
    public long Length => throw new NotSupportedException();

    /// <summary>Appends a tick.</summary>
    public void Write(in TickRow row) => throw new NotSupportedException();

    /// <summary>Appends a plan.</summary>
    public void Write(in PlanRow row) => throw new NotSupportedException();

    /// <summary>Appends an event; closes the chunk, so that it survives a kill.</summary>
    public void Write(EventRow row) => throw new NotSupportedException();

    /// <summary>Appends the state of the link.</summary>
    public void Write(MonotonicTime time, in LinkStatus link) => throw new NotSupportedException();

    /// <summary>Closes the open chunk and flushes to the disk.</summary>
    /// <exception cref="IOException">The disk is full or gone; the record up to the last chunk stays readable.</exception>
    public void Flush() => throw new NotSupportedException();

    /// <summary>Writes summary and footer and closes the stream.</summary>
    public void Dispose() => throw new NotSupportedException();
}
