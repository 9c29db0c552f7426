using System.Buffers;
using System.Buffers.Binary;
using Robotics.Firmware.Dynamixel;
using Robotics.Firmware.Feetech;
using Robotics.Firmware.Servos;

namespace Robotics.Firmware.Virtual;

/// <summary>Which packets servos speak.</summary>
public enum ServoProtocol
{
    /// <summary>Dynamixel Protocol 2.0, X series.</summary>
    Dynamixel,

    /// <summary>Feetech STS.</summary>
    Feetech,
}

/// <summary>Servos on a wire that is not there: bytes in, bytes out, by the manuals. Time is the given clock's.</summary>
/// <remarks>One thread at a time. It allocates: it plays the servos, not the program that drives them.</remarks>
public sealed class VirtualServoBus
{
    private readonly TimeProvider _clock;
    private readonly FrameBuffer _received = new(4096);
    private readonly ArrayBufferWriter<byte> _answers = new(4096);
    private MonotonicTime _now;

    /// <summary>A wire with one new servo for each id.</summary>
    public VirtualServoBus(ServoProtocol protocol, IEnumerable<byte> ids, TimeProvider? clock = null)
    {
        _clock = clock ?? TimeProvider.System;
        _now = MonotonicTime.Now(_clock);
        Protocol = protocol;
        Servos = [.. ids.Select(id => new VirtualServo(protocol == ServoProtocol.Dynamixel ? XSeries.Table : Sts3215.Table, id))];
    }

    /// <summary>What the servos speak.</summary>
    public ServoProtocol Protocol { get; }

    /// <summary>The servos, in the order of the ids.</summary>
    public IReadOnlyList<VirtualServo> Servos { get; }

    /// <summary>True: the adapter hears itself, so that every request comes back before its answer.</summary>
    public bool HearsItself { get; set; }

    /// <summary>Packets heard that were whole.</summary>
    public ulong Packets { get; private set; }

    /// <summary>Lets the servos live up to now, hears <paramref name="bytes"/>, and says what comes back; valid until the next call.</summary>
    public ReadOnlySpan<byte> Exchange(ReadOnlySpan<byte> bytes)
    {
        var now = MonotonicTime.Now(_clock);
        foreach (var servo in Servos)
        {
            servo.Advance((now - _now).TotalSeconds);
        }

        _now = now;
        _answers.ResetWrittenCount();
        if (HearsItself)
        {
            _answers.Write(bytes);
        }

        while (!bytes.IsEmpty)
        {
            bytes = bytes[_received.Add(bytes)..];
            if (Protocol == ServoProtocol.Dynamixel)
            {
                while (DynamixelFrame.TryTake(_received, out var packet))
                {
                    Packets++;
                    Hear(packet);
                }
            }
            else
            {
                while (FeetechFrame.TryTake(_received, -1, out var packet))
                {
                    Packets++;
                    Hear(packet);
                }
            }
        }

        return _answers.WrittenSpan;
    }

    private void Hear(in DynamixelPacket packet)
    {
        var parameters = packet.Parameters;
        foreach (var servo in Servos)
        {
            servo.Hear();
        }

        bool many = packet.Id == DynamixelFrame.Broadcast;
        switch (packet.Instruction)
        {
            case DynamixelInstruction.SyncRead when parameters.Length >= 4:
                foreach (byte id in parameters[4..])
                {
                    AnswerRead(id, Word(parameters), Word(parameters[2..]));
                }

                break;
            case DynamixelInstruction.BulkRead:
                for (; parameters.Length >= 5; parameters = parameters[5..])
                {
                    AnswerRead(parameters[0], Word(parameters[1..]), Word(parameters[3..]));
                }

                break;
            case DynamixelInstruction.SyncWrite when parameters.Length >= 4:
                int address = Word(parameters);
                int length = Word(parameters[2..]);
                for (parameters = parameters[4..]; parameters.Length > length; parameters = parameters[(1 + length)..])
                {
                    Find(parameters[0])?.Write(address, parameters.Slice(1, length));
                }

                break;
            case DynamixelInstruction.BulkWrite:
                while (parameters.Length >= 5 && parameters.Length >= 5 + Word(parameters[3..]))
                {
                    int size = Word(parameters[3..]);
                    Find(parameters[0])?.Write(Word(parameters[1..]), parameters.Slice(5, size));
                    parameters = parameters[(5 + size)..];
                }

                break;
            default:
                foreach (var servo in Servos)
                {
                    if (!servo.IsSilent && (many || servo.Id == packet.Id))
                    {
                        Hear(servo, packet, many);
                    }
                }

                break;
        }
    }

    private void Hear(VirtualServo servo, in DynamixelPacket packet, bool many)
    {
        var parameters = packet.Parameters;
        byte id = servo.Id;
        switch (packet.Instruction)
        {
            case DynamixelInstruction.Ping:
                Status(servo, id, 0, [.. servo.Read(XSeries.Table["model_number"].Address, 2), .. servo.Read(XSeries.Table["firmware_version"].Address, 1)]);
                return;
            case DynamixelInstruction.Read when parameters.Length == 4 && !many:
                AnswerRead(id, Word(parameters), Word(parameters[2..]));
                return;
            case DynamixelInstruction.Write when parameters.Length > 2:
                Reply(servo, id, Error(servo.Write(Word(parameters), parameters[2..])), many);
                return;
            case DynamixelInstruction.RegWrite when parameters.Length > 2:
                servo.Register(Word(parameters), parameters[2..]);
                Reply(servo, id, 0, many);
                return;
            case DynamixelInstruction.Action:
                servo.Act();
                Reply(servo, id, 0, many);
                return;
            case DynamixelInstruction.Reboot:
                Reply(servo, id, 0, many);
                servo.PowerCycle();
                return;
            case DynamixelInstruction.Status:
                return;
            default:
                Reply(servo, id, 2, many);
                return;
        }
    }

    private void AnswerRead(byte id, int address, int length)
    {
        if (Find(id) is { } servo)
        {
            var data = servo.Read(address, length);
            Status(servo, id, data.IsEmpty ? (byte)5 : (byte)0, data);
        }
    }

    private void Reply(VirtualServo servo, byte id, byte error, bool many)
    {
        if (!many)
        {
            Status(servo, id, error, []);
        }
    }

    private void Status(VirtualServo servo, byte id, byte error, ReadOnlySpan<byte> data)
    {
        byte[] parameters = [(byte)(error | (servo.Faults != 0 ? XSeries.Alert : 0)), .. data];
        var into = _answers.GetSpan(DynamixelFrame.Overhead + (2 * parameters.Length));
        _answers.Advance(DynamixelFrame.Write(into, id, DynamixelInstruction.Status, parameters));
    }

    private static byte Error(WriteProblem problem) => problem switch
    {
        WriteProblem.None => 0,
        WriteProblem.Range => 4,
        WriteProblem.Partial => 5,
        WriteProblem.Limit => 6,
        _ => 7,
    };

    private void Hear(in FeetechPacket packet)
    {
        var parameters = packet.Parameters;
        bool many = packet.Id == FeetechFrame.Broadcast;
        switch ((FeetechInstruction)packet.Code)
        {
            case FeetechInstruction.SyncRead when parameters.Length >= 2:
                foreach (byte id in parameters[2..])
                {
                    if (Find(id) is { } asked)
                    {
                        Answer(asked, id, asked.Read(parameters[0], parameters[1]));
                    }
                }

                return;
            case FeetechInstruction.SyncWrite when parameters.Length >= 2:
                int address = parameters[0];
                int length = parameters[1];
                for (parameters = parameters[2..]; parameters.Length > length; parameters = parameters[(1 + length)..])
                {
                    Find(parameters[0])?.Write(address, parameters.Slice(1, length));
                }

                return;
            default:
                break;
        }

        foreach (var servo in Servos)
        {
            if (!servo.IsSilent && (many || servo.Id == packet.Id))
            {
                Hear(servo, packet, many);
            }
        }
    }

    private void Hear(VirtualServo servo, in FeetechPacket packet, bool many)
    {
        var parameters = packet.Parameters;
        byte id = servo.Id;
        ReadOnlySpan<byte> data = [];
        switch ((FeetechInstruction)packet.Code)
        {
            case FeetechInstruction.Ping:
                break;
            case FeetechInstruction.Read when parameters.Length == 2:
                data = servo.Read(parameters[0], parameters[1]);
                break;
            case FeetechInstruction.Write when parameters.Length > 1:
                servo.Write(parameters[0], parameters[1..]);
                break;
            case FeetechInstruction.RegWrite when parameters.Length > 1:
                servo.Register(parameters[0], parameters[1..]);
                break;
            case FeetechInstruction.Action:
                servo.Act();
                break;
            default:
                return;
        }

        if (!many)
        {
            Answer(servo, id, data);
        }
    }

    private void Answer(VirtualServo servo, byte id, ReadOnlySpan<byte> data) =>
        _answers.Advance(FeetechFrame.Write(_answers.GetSpan(FeetechFrame.Overhead + data.Length), id, (byte)servo.Faults, data));

    private VirtualServo? Find(byte id) => Servos.FirstOrDefault(servo => servo.Id == id && !servo.IsSilent);

    private static int Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);
}
