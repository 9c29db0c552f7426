using Robotics.Firmware.Serial;

namespace Robotics.Firmware.Servos;

/// <summary>Request and answer over one half-duplex wire. Allocation-free.</summary>
internal sealed class ServoPort(ISerialLine line, int capacity) : IDisposable
{
    private readonly byte[] _sent = new byte[capacity];
    private int _echo;      // bytes of _sent that come back first
    private int _sentLength;

    public string Name => line.Name;

    /// <summary>What came in and is no packet yet.</summary>
    public FrameBuffer Received { get; } = new(capacity);

    /// <summary>Longest wait for each answer.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>True: the adapter hears itself, and every request comes back before its answer.</summary>
    public bool HearsItself { get; set; }

    /// <summary>True when the line is gone.</summary>
    public bool Gone { get; private set; }

    /// <summary>Sends a request, forgetting what answered an earlier one too late; false when the line is gone.</summary>
    public bool Send(ReadOnlySpan<byte> frame)
    {
        int late;
        do
        {
            Received.Clear();
            late = line.Read(Received.Free(), TimeSpan.Zero);
            Received.Add(Math.Max(late, 0));
        }
        while (late > 0);

        frame.CopyTo(_sent);
        _sentLength = frame.Length;
        _echo = HearsItself ? frame.Length : 0;
        Gone |= late < 0 || !line.Write(frame);
        return !Gone;
    }

    /// <summary>Waits for more bytes; false at the deadline, or when the line is gone.</summary>
    public bool Receive(MonotonicTime deadline)
    {
        while (true)
        {
            int count = Gone ? -1 : line.Read(Received.Free(), deadline - MonotonicTime.SystemNow());
            if (count <= 0)
            {
                Gone |= count < 0;
                return false;
            }

            Received.Add(count);
            if (_echo == 0)
            {
                return true;
            }

            int heard = Math.Min(_echo, Received.Bytes.Length);
            if (Received.Bytes[..heard].SequenceEqual(_sent.AsSpan(_sentLength - _echo, heard)))
            {
                Received.Take(heard);
                _echo -= heard;
            }
            else
            {
                _echo = 0; // noise on the wire: the packets' checksums sort it out
            }

            if (_echo == 0 && !Received.Bytes.IsEmpty)
            {
                return true; // the answer came in one piece with the echo
            }
        }
    }

    /// <summary>When the next answer is due.</summary>
    public MonotonicTime Deadline() => MonotonicTime.SystemNow() + Patience;

    public void Dispose() => line.Dispose();
}
