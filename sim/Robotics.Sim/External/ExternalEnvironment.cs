using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Robotics.Sim.External;

/// <summary>Environments in another program, stepped over a socket; EXTERNAL.md describes the protocol.</summary>
/// <remarks>
/// It asks and waits, on its owner's thread, never longer than the options say. Whatever breaks the protocol closes the connection with a
/// <see cref="SimulatorFailedException"/> that names the simulator, what was expected and what came. <see cref="Reset"/> connects again.
/// Stepping allocates nothing.
/// </remarks>
public sealed class ExternalEnvironment : IVectorEnvironment
{
    private readonly ExternalOptions _options;
    private readonly Welcome _welcome;
    private readonly byte[] _out;
    private readonly int[] _steps; // [N] of the running episodes
    private byte[] _in = new byte[ExternalFrames.HeaderLength + 1024];
    private Socket? _socket;
    private uint _sequence;
    private bool _started;
    private bool _disposed;

    /// <summary>Connects and learns the simulator's shapes.</summary>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    /// <exception cref="SimulatorFailedException">Nobody listens there, or not with this protocol.</exception>
    public ExternalEnvironment(ExternalOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Checked("external simulator");
        _out = new byte[ExternalFrames.HeaderLength + sizeof(ulong)];
        _welcome = Connect();
        _out = new byte[ExternalFrames.HeaderLength + Math.Max(sizeof(ulong), _welcome.Count * _welcome.ActionSize * sizeof(float))];
        _in = new byte[ExternalFrames.HeaderLength + Math.Max(1024, (int)_welcome.SteppedLength)];
        _steps = new int[_welcome.Count];
    }

    /// <inheritdoc/>
    public string Name => _welcome.Name;

    /// <inheritdoc/>
    public int Count => _welcome.Count;

    /// <inheritdoc/>
    public int ObservationSize => _welcome.ObservationSize;

    /// <inheritdoc/>
    public int ActionSize => _welcome.ActionSize;

    /// <summary>Steps that an episode has at most, by the simulator's own word.</summary>
    public int StepLimit => _welcome.StepLimit;

    private string Who => $"Simulator {(_welcome is null ? "" : $"'{_welcome.Name}' ")}at {_options.Address}";

    /// <inheritdoc/>
    public void Reset(ulong seed, Span<float> observations)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (observations.Length != Count * ObservationSize)
        {
            throw new ArgumentException($"{observations.Length} observation elements for {Count} environments of {ObservationSize}.", nameof(observations));
        }

        if (_socket is null)
        {
            var now = Connect();
            if (now != _welcome)
            {
                throw Fail($"it was {_welcome} before, and now it is {now}; start the same simulator again, or a new training");
            }
        }

        BinaryPrimitives.WriteUInt64LittleEndian(_out.AsSpan(ExternalFrames.HeaderLength), seed);
        var payload = Ask(FrameType.Reset, sizeof(ulong), FrameType.Started, observations.Length * sizeof(float));
        Floats(payload, observations, "first observations");
        Array.Clear(_steps);
        _started = true;
    }

    /// <inheritdoc/>
    public void Step(ReadOnlySpan<float> actions, VectorStep step)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(step);
        int elements = Count * ObservationSize;
        if (!_started)
        {
            throw new InvalidOperationException($"{Who}: reset it before the first step, and after a failed one.");
        }

        if (actions.Length != Count * ActionSize || step.Rewards.Length != Count || step.Observations.Length != elements)
        {
            throw new ArgumentException($"{Who} steps {Count} environments with {ActionSize} action and {ObservationSize} observation elements; got "
                + $"{actions.Length} action elements and room for {step.Rewards.Length} rewards and {step.Observations.Length} observation elements.");
        }

        for (int i = 0; i < actions.Length; i++)
        {
            float action = actions[i];
            if (!float.IsFinite(action))
            {
                throw new ArgumentException($"Action element {i % ActionSize} of environment {i / ActionSize} is {action}: the policy left the finite numbers.", nameof(actions));
            }

            BinaryPrimitives.WriteSingleLittleEndian(_out.AsSpan(ExternalFrames.HeaderLength + (i * sizeof(float))), Math.Clamp(action, -1, 1));
        }

        var payload = Ask(FrameType.Step, actions.Length * sizeof(float), FrameType.Stepped, (int)_welcome.SteppedLength);
        int bytes = elements * sizeof(float);
        Floats(payload[..bytes], step.Reached, "observation");
        Floats(payload.Slice(bytes, bytes), step.Observations, "next observation");
        Floats(payload.Slice(2 * bytes, Count * sizeof(float)), step.Rewards, "reward");
        var ends = payload[((2 * bytes) + (Count * sizeof(float)))..];
        for (int i = 0; i < Count; i++)
        {
            End(i, ends[i], step);
        }
    }

    /// <summary>Says bye and hangs up.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        try
        {
            if (_socket is not null)
            {
                Send(FrameType.Bye, 0);
            }
        }
        catch (SimulatorFailedException)
        {
            // It is gone already: there is nobody to say bye to.
        }

        HangUp();
    }

    private void End(int i, byte ends, VectorStep step)
    {
        if (ends > 3)
        {
            throw Fail($"the end of environment {i} is {ends}, expected 0 to 3");
        }

        step.Terminated[i] = (ends & 1) != 0;
        step.Truncated[i] = ends == 2;
        _steps[i]++;
        if (ends != 0)
        {
            _steps[i] = 0;
        }
        else if (_steps[i] >= StepLimit)
        {
            throw Fail($"environment {i} did not end: it is at step {_steps[i]}, and its welcome promised at most {StepLimit} steps");
        }
        else if (!step.Reached.AsSpan(i * ObservationSize, ObservationSize).SequenceEqual(step.Observations.AsSpan(i * ObservationSize, ObservationSize)))
        {
            throw Fail($"environment {i} goes on from another observation than the one it reached, although nothing ended");
        }
    }

    private Welcome Connect()
    {
        var end = _options.EndPoint()!;
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            var socket = new Socket(end.AddressFamily, SocketType.Stream, end.AddressFamily == AddressFamily.Unix ? ProtocolType.Unspecified : ProtocolType.Tcp);
            try
            {
                socket.Connect(end);
            }
            catch (SocketException nobody)
            {
                socket.Dispose();
                if (Stopwatch.GetElapsedTime(began) >= _options.ConnectTimeout)
                {
                    throw new SimulatorFailedException($"Nobody listens at {_options.Address} ({nobody.Message}): start the simulator, or correct the address.", nobody);
                }

                Thread.Sleep(20); // it may be starting
                continue;
            }

            if (end.AddressFamily != AddressFamily.Unix)
            {
                socket.NoDelay = true;
            }

            socket.ReceiveTimeout = socket.SendTimeout = (int)Math.Ceiling(_options.AnswerTimeout.TotalMilliseconds);
            _socket = socket;
            break;
        }

        _sequence = 0;
        BinaryPrimitives.WriteUInt32LittleEndian(_out.AsSpan(ExternalFrames.HeaderLength), (uint)_options.Count);
        var payload = Ask(FrameType.Hello, sizeof(uint), FrameType.Welcome, null);
        var welcome = ExternalFrames.ReadWelcome(payload, out string problem) ?? throw Fail(problem);
        return _options.Count == 0 || welcome.Count == _options.Count ? welcome
            : throw Fail($"it offers {welcome.Count} environments, {_options.Count} were asked for");
    }

    /// <summary>Sends a request whose payload lies in the output buffer and returns the answer's payload.</summary>
    /// <param name="request">Its type.</param>
    /// <param name="length">Bytes of its payload.</param>
    /// <param name="answer">Type of the answer.</param>
    /// <param name="expected">Bytes of the answer's payload; null: up to a kilobyte.</param>
    private ReadOnlySpan<byte> Ask(FrameType request, int length, FrameType answer, int? expected)
    {
        Send(request, length);
        long began = Stopwatch.GetTimestamp();
        Receive(0, ExternalFrames.HeaderLength, began);
        string? wrong = ExternalFrames.ReadHeader(_in, answer, _sequence, _in.Length - ExternalFrames.HeaderLength, out var type, out int given);
        if (wrong is not null)
        {
            throw Fail(wrong);
        }

        if (type != FrameType.Failed && expected is { } exactly && given != exactly)
        {
            throw Fail($"its answer to {request} has {given} bytes, and its welcome ({Count} environments, {ObservationSize} observation and {ActionSize} action elements) means {exactly}");
        }

        Receive(ExternalFrames.HeaderLength, given, began);
        var payload = _in.AsSpan(ExternalFrames.HeaderLength, given);
        return type == FrameType.Failed ? throw Fail($"it says: {Encoding.UTF8.GetString(payload)}") : payload;
    }

    private void Send(FrameType type, int length)
    {
        ExternalFrames.WriteHeader(_out, type, ++_sequence, length);
        try
        {
            for (int sent = 0; sent < ExternalFrames.HeaderLength + length;)
            {
                sent += _socket!.Send(_out.AsSpan(sent, ExternalFrames.HeaderLength + length - sent));
            }
        }
        catch (SocketException broken)
        {
            throw Fail($"it took no request: {broken.Message}", broken);
        }
    }

    private void Receive(int offset, int length, long began)
    {
        for (int got = 0; got < length;)
        {
            int more;
            try
            {
                more = _socket!.Receive(_in.AsSpan(offset + got, length - got));
            }
            catch (SocketException broken) when (broken.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            {
                throw Fail(FormattableString.Invariant($"no answer to request {_sequence} within {_options.AnswerTimeout.TotalSeconds} s: it hangs"), broken);
            }
            catch (SocketException broken)
            {
                throw Fail($"the connection broke: {broken.Message}", broken);
            }

            got += more;
            if (more == 0)
            {
                throw Fail($"it ended the connection after {offset + got} bytes of its answer to request {_sequence}: it died or refused");
            }

            if (got < length && Stopwatch.GetElapsedTime(began) > _options.AnswerTimeout)
            {
                throw Fail(FormattableString.Invariant($"no whole answer to request {_sequence} within {_options.AnswerTimeout.TotalSeconds} s"));
            }
        }
    }

    private void Floats(ReadOnlySpan<byte> from, Span<float> into, string what)
    {
        int wrong = ExternalFrames.ReadFloats(from, into);
        if (wrong >= 0)
        {
            int each = into.Length / Count;
            throw Fail($"environment {wrong / each} gave {into[wrong]} as element {wrong % each} of its {what}");
        }
    }

    private SimulatorFailedException Fail(string what, Exception? cause = null)
    {
        string message = $"{Who} failed: {what}. Nothing that was learned is lost; restart the simulator and go on from the checkpoint.";
        HangUp();
        return cause is null ? new(message) : new(message, cause);
    }

    private void HangUp()
    {
        _started = false;
        _socket?.Dispose();
        _socket = null;
    }
}
