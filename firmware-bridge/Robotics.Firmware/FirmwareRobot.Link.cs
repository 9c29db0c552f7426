using System.Buffers.Binary;
using Robotics.Firmware.Serial;
using Robotics.Firmware.Wire;

namespace Robotics.Firmware;

public sealed partial class FirmwareRobot
{
    private const int QuickPings = 16; // the first window of the clock
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_askAgain = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_quickPing = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_ping = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_tryAgain = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_sayAgain = TimeSpan.FromSeconds(1);
    private static int s_sessions = Environment.ProcessId; // so that two hosts in a row do not begin with the same number

    private readonly FrameReader _frames = new();
    private readonly TaskCompletionSource _described = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _asking = new(1, 1);
    private volatile Phase _phase = Phase.Closed;
    private ISerialLine? _line; // guarded by _writing
    private DeviceHello? _hello;
    private DeviceHello? _greeted;   // the answer to this connection's hello
    private DeviceJoint[] _hearing = [];
    private int _jointsHeard;
    private uint _helloNumber;
    private int _sent;
    private ulong _dropped;
    private ulong _newestSent;
    private ulong _sequence;
    private ulong _badFrames;
    private ushort _stateSequence;
    private byte _deviceDropped;
    private uint? _dropsOfBoot; // the boot that _deviceDropped is of
    private (DeviceReason Reason, MonotonicTime At, int Untold) _drops; // what Told heard last of dropped commands
    private ulong _deviceUs; // newest device time known in full
    private short[] _counts = [];
    private (ushort Session, TargetKind[] Kinds) _arming;
    private Question? _question;
    private volatile bool _rebooting; // it was told to: greet it anew

    /// <summary>How far the conversation with the device has come.</summary>
    private enum Phase
    {
        Closed,
        Hello,
        Joints,
        Clock,
        Up,
    }

    private ushort NextSequence() => (ushort)Interlocked.Increment(ref _sent);

    // The reading thread: opens, serves until the line goes, opens again.
    private void KeepLine()
    {
        while (!_disposed)
        {
            ISerialLine line;
            try
            {
                line = _open();
            }
            catch (IOException absent)
            {
                Trouble = absent.Message;
                Thread.Sleep(_options.Retry);
                continue;
            }

            lock (_writing)
            {
                _line = line;
            }

            Serve(line);
            _phase = Phase.Closed;
            _measured = false;
            _lost = true;
            Trouble = $"the line {_at} is gone";
            lock (_writing)
            {
                _line = null;
            }

            line.Dispose();
        }
    }

    private void Serve(ISerialLine line)
    {
        Span<byte> buffer = stackalloc byte[1024];
        var now = MonotonicTime.Now(_clock);
        var heard = now;
        var due = now;
        int pings = 0;
        _frames.Reset();
        Greet();
        while (!_disposed)
        {
            int count = line.Read(buffer, s_look);
            if (count < 0)
            {
                return;
            }

            now = MonotonicTime.Now(_clock);
            ReadOnlySpan<byte> bytes = buffer[..count];
            while (_frames.Next(ref bytes))
            {
                heard = now;
                var before = _phase;
                Take(now);
                due = _phase != before ? now : due; // the next question at once
                pings = _phase == before ? pings : 0;
            }

            if (_rebooting)
            {
                _rebooting = false;
                Greet();
                due = now;
            }

            Interlocked.Add(ref _dropped, _frames.Bad - _badFrames);
            _badFrames = _frames.Bad;
            if (now - heard > _options.Silence && _phase != Phase.Hello)
            {
                Trouble = $"the device at {_at} fell silent";
                Greet();
                due = now;
            }

            if (now >= due)
            {
                Ask(now);
                due = now + (_phase != Phase.Up ? s_askAgain : pings++ < QuickPings ? s_quickPing : s_ping);
            }
        }
    }

    // What was known of the device is history: it must say again who it is and what time it is.
    private void Greet()
    {
        _phase = Phase.Hello;
        _measured = false;
        _lost = true;
        _connections++;
        _helloNumber++;
        _jointsHeard = 0;
        _deviceClock.Reset();
    }

    private void Ask(MonotonicTime now)
    {
        Span<byte> payload = stackalloc byte[8];
        Span<byte> wire = stackalloc byte[Frame.MaxWire + 1];
        wire[0] = 0; // ends whatever the device has half received
        var frame = wire[1..];
        switch (_phase)
        {
            case Phase.Hello:
                Payloads.WriteHello(payload, _helloNumber);
                WriteLine(wire[..(1 + Frame.Write(frame, MessageType.Hello, NextSequence(), payload))]);
                break;
            case Phase.Joints:
                payload[0] = (byte)_jointsHeard;
                WriteLine(frame[..Frame.Write(frame, MessageType.Joint, NextSequence(), payload[..1])]);
                break;
            default:
                BinaryPrimitives.WriteInt64LittleEndian(payload, now.Nanoseconds);
                WriteLine(frame[..Frame.Write(frame, MessageType.Time, NextSequence(), payload)]);
                break;
        }
    }

    private bool WriteLine(ReadOnlySpan<byte> bytes)
    {
        lock (_writing)
        {
            return _line?.Write(bytes) ?? false;
        }
    }

    // The writing thread: the newest command, and the emergency stop.
    private void WriteNewest()
    {
        Span<byte> stop = stackalloc byte[Frame.MaxWire];
        while (true)
        {
            _wake.Wait();
            if (_disposed)
            {
                return;
            }

            if (_stopAsked)
            {
                WriteLine(stop[..Frame.Write(stop, MessageType.EmergencyStop, NextSequence(), [])]);
            }

            if (_commands!.Take() && _commands.Front is { } newest && newest.Connection == _connections && !WriteLine(newest.Wire.AsSpan(0, newest.Length)))
            {
                Interlocked.Increment(ref _dropped); // a newer one will follow
            }
        }
    }

    private void Take(MonotonicTime now)
    {
        var payload = _frames.Payload;
        switch (_frames.Type)
        {
            case MessageType.State:
                TakeState(payload, now);
                break;
            case MessageType.Event:
                TakeEvent(payload);
                break;
            case MessageType.Log when payload.Length >= 8:
                Logged?.Invoke(System.Text.Encoding.ASCII.GetString(payload[8..]));
                break;
            case (MessageType)((byte)MessageType.Hello | Messages.Reply) when _phase == Phase.Hello:
                TakeHello(payload);
                break;
            case (MessageType)((byte)MessageType.Joint | Messages.Reply) when _phase == Phase.Joints:
                TakeJoint(payload);
                break;
            case (MessageType)((byte)MessageType.Time | Messages.Reply) when _phase >= Phase.Clock:
                TakeTime(payload, now);
                break;
            default:
                TakeAnswer(payload);
                break;
        }
    }

    private void TakeHello(ReadOnlySpan<byte> payload)
    {
        if (payload.Length > 0 && payload[0] == (byte)DeviceResult.WrongVersion)
        {
            Trouble = $"the device speaks another version of the protocol than {Frame.Version}; update one of the two";
        }
        else if (Payloads.ReadHello(payload, _helloNumber, out var hello))
        {
            if (_hello is { } known && (known.Id != hello.Id || known.Joints != hello.Joints))
            {
                Trouble = $"device {hello.Id} with {hello.Joints} joints stands at {_at} now; {known.Id} with {known.Joints} was there before. Start anew to use it";
                return;
            }

            _greeted = hello;
            _hearing = new DeviceJoint[hello.Joints];
            _phase = Phase.Joints;
        }
    }

    private void TakeJoint(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 3 || payload[2] != _jointsHeard || !Payloads.ReadJoint(payload, out var joint))
        {
            return;
        }

        _hearing[_jointsHeard++] = joint;
        if (_jointsHeard < _hearing.Length)
        {
            _phase = Phase.Joints;
            Ask(MonotonicTime.Now(_clock));
            return;
        }

        _hello = _greeted;
        _joints = _hearing;
        _counts = new short[3 * _joints.Length];
        _phase = Phase.Clock;
    }

    private void TakeTime(ReadOnlySpan<byte> payload, MonotonicTime now)
    {
        if (payload.Length != 26)
        {
            return;
        }

        var sent = new MonotonicTime(BinaryPrimitives.ReadInt64LittleEndian(payload[2..]));
        ulong arrived = BinaryPrimitives.ReadUInt64LittleEndian(payload[10..]);
        if (_phase == Phase.Up && arrived < _deviceUs)
        {
            Trouble = $"the device at {_at} was restarted";
            Greet();
            return;
        }

        _deviceClock.Add(sent, arrived, BinaryPrimitives.ReadUInt64LittleEndian(payload[18..]), now);
        _deviceUs = arrived;
        if (_phase == Phase.Clock && _deviceClock.Known)
        {
            Describe();
        }
    }

    // Everything is known: the robot is there.
    private void Describe()
    {
        if (_spec is null)
        {
            var described = DeviceDescription.Of(_hello!, _joints, _at);
            if (_options.Spec is { } wanted && DeviceDescription.Mismatch(wanted, described) is { } mismatch)
            {
                _described.TrySetException(new ConfigException(wanted.Origin, [mismatch]));
                return;
            }

            var spec = _options.Spec ?? described;
            _states = new(spec.Layout.Length);
            _commands = new(() => new Outgoing(spec.Joints.Count));
            _kinds = [.. spec.Joints.Select(joint => joint.Command)];
            _spec = spec;
            _writer = new Thread(WriteNewest) { Name = "firmware commands", IsBackground = true };
            _writer.Start();
        }

        Trouble = null;
        _phase = Phase.Up;
        _described.TrySetResult();
    }

    private void TakeState(ReadOnlySpan<byte> payload, MonotonicTime now)
    {
        if (_phase != Phase.Up)
        {
            return;
        }

        if (!Payloads.ReadState(payload, out var state, _counts))
        {
            Interlocked.Increment(ref _dropped);
            return;
        }

        if (_measured)
        {
            // What was lost on the way counts as dropped, on both sides.
            ushort missed = (ushort)(_frames.Sequence - _stateSequence - 1);
            Interlocked.Add(ref _dropped, missed);
            _sequence += missed;
        }

        if (_dropsOfBoot == _hello!.Boot)
        {
            byte refused = (byte)(state.Dropped - _deviceDropped); // also of a silence that a new hello ended
            Interlocked.Add(ref _dropped, refused);
            TellDrops(in state, refused, now);
        }

        _stateSequence = _frames.Sequence;
        _deviceDropped = state.Dropped;
        _dropsOfBoot = _hello.Boot;
        _deviceUs += (ulong)(long)(int)(state.TimeUs - (uint)_deviceUs);
        bool armed = state.Mode is DeviceMode.Armed or DeviceMode.Active;
        _lost |= _session != 0 && !armed;
        bool ours = _session != 0 && !_lost;
        if (_stopAsked)
        {
            _stopAsked = state.Mode != DeviceMode.EmergencyStop;
            if (_stopAsked)
            {
                _wake.Signal(); // it did not hear
            }
        }

        var observation = _states!.Back;
        int joints = _joints.Length;
        for (int j = 0; j < joints; j++)
        {
            observation.Signals[j] = _counts[3 * j] * _joints[j].PositionScale;
            observation.Signals[joints + j] = _counts[(3 * j) + 1] * _joints[j].VelocityScale;
            observation.Signals[(2 * joints) + j] = _counts[(3 * j) + 2] * _joints[j].EffortScale;
        }

        observation.Sequence = ++_sequence;
        observation.MeasuredAt = new((long)_deviceUs * 1000);
        observation.MeasuredAtLocal = _deviceClock.ToLocal(_deviceUs);
        observation.ReceivedAt = now;
        (observation.Mode, observation.ModeReason) = Meaning(state.Mode, state.Reason, _session != 0);
        ulong newest = Volatile.Read(ref _newestSent);
        observation.AppliedCommand = ours && state.Applied != 0 ? newest - ((uint)newest - state.Applied) : 0;
        observation.ActionAgeNs = ours && state.Applied != 0 ? state.ActionAgeUs * 1000L : 0;
        _states.Publish();
        _measured = true;
    }

    // A host that sends nonsense at full rate must not fill the records with one sentence.
    private void TellDrops(in StateHeader state, int refused, MonotonicTime now)
    {
        _drops.Untold += refused;
        if (_drops.Untold > 0 && (state.LastDrop != _drops.Reason || now - _drops.At > s_sayAgain))
        {
            Told?.Invoke(new(state.Mode, state.LastDrop, null, 0, 0) { Dropped = _drops.Untold });
            _drops = (state.LastDrop, now, 0);
        }
    }

    /// <summary>A device's mode and reason in the words of every robot.</summary>
    internal static (RobotMode Mode, HoldReason Reason) Meaning(DeviceMode mode, DeviceReason reason, bool claimed) => mode switch
    {
        DeviceMode.Active => (RobotMode.Active, HoldReason.None),
        DeviceMode.Fault => (RobotMode.Fault, HoldReason.RobotFault),
        DeviceMode.EmergencyStop => (RobotMode.EmergencyStop, HoldReason.EmergencyStop),
        DeviceMode.Armed => (RobotMode.Holding, reason switch
        {
            DeviceReason.Expired => HoldReason.CommandExpired,
            DeviceReason.Range => HoldReason.LimitViolation,
            _ => HoldReason.None,
        }),
        _ => (RobotMode.Holding, claimed ? HoldReason.LeaseLost : HoldReason.None),
    };

    private void TakeEvent(ReadOnlySpan<byte> payload)
    {
        if (payload.Length == 16 && Told is { } told)
        {
            int joint = payload[1];
            told(new(
                (DeviceMode)payload[2],
                (DeviceReason)payload[0],
                joint < _joints.Length ? _joints[joint].Name : null,
                BinaryPrimitives.ReadSingleLittleEndian(payload[8..]),
                BinaryPrimitives.ReadSingleLittleEndian(payload[12..])));
        }
    }

    private void TakeAnswer(ReadOnlySpan<byte> payload)
    {
        var question = Volatile.Read(ref _question);
        if (question is null || payload.Length < 2 || (byte)_frames.Type != ((byte)question.Type | Messages.Reply))
        {
            return;
        }

        var answer = new Answer((DeviceResult)payload[0], (DeviceMode)payload[1], payload[2..].ToArray());
        if (question.Type == MessageType.Arm && answer.Result == DeviceResult.Ok)
        {
            // Here and not with the asker, so that it stands before the next state report is read.
            _kinds = _arming.Kinds;
            _newestSent = 0;
            _lost = false;
            _session = _arming.Session;
        }

        question.Answered.TrySetResult(answer);
    }

    /// <summary>Asks the device and waits for its answer; asks again when none comes, so the device must not mind.</summary>
    internal async Task<Answer> AskAsync(MessageType type, byte[] payload, CancellationToken cancellation)
    {
        await _asking.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var question = new Question(type);
            Volatile.Write(ref _question, question);
            byte[] wire = new byte[Frame.MaxWire];
            int length = Frame.Write(wire, type, NextSequence(), payload);
            var until = MonotonicTime.SystemNow() + _options.Patience;
            while (MonotonicTime.SystemNow() < until)
            {
                if (_phase == Phase.Up && WriteLine(wire.AsSpan(0, length)))
                {
                    await Task.WhenAny(question.Answered.Task, Task.Delay(s_tryAgain, cancellation)).ConfigureAwait(false);
                }
                else
                {
                    await Task.Delay(s_look, cancellation).ConfigureAwait(false);
                }

                if (question.Answered.Task.IsCompleted)
                {
                    return await question.Answered.Task.ConfigureAwait(false);
                }

                cancellation.ThrowIfCancellationRequested();
            }

            throw new RobotRefusedException($"Robot '{Spec.Name}' at {_at} did not answer '{type}' within {_options.Patience.TotalSeconds} s: {Trouble ?? "it is silent"}.");
        }
        finally
        {
            Volatile.Write(ref _question, null);
            _asking.Release();
        }
    }

    /// <summary>What the device answered.</summary>
    /// <param name="Result">Done, or why not.</param>
    /// <param name="Mode">The device's mode; in answers about registers their type.</param>
    /// <param name="Payload">What follows.</param>
    internal readonly record struct Answer(DeviceResult Result, DeviceMode Mode, byte[] Payload);

    private sealed class Question(MessageType type)
    {
        public MessageType Type => type;

        public TaskCompletionSource<Answer> Answered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
