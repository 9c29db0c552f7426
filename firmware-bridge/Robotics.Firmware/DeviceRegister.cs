using System.Buffers.Binary;
using System.Text;
using Robotics.Firmware.Wire;

namespace Robotics.Firmware;

/// <summary>A register as the device describes it.</summary>
/// <param name="Id">Its number.</param>
/// <param name="IsFloat">A binary32; else an unsigned integer.</param>
/// <param name="Writable">May be written.</param>
/// <param name="Joint">The joint it belongs to; null: the device.</param>
/// <param name="Unit">"q" stands for rad or m and "t" for Nm or N, by the joint.</param>
/// <param name="Name">Its name.</param>
/// <param name="Lowest">Lowest value that may be written.</param>
/// <param name="Highest">Highest value that may be written.</param>
public sealed record DeviceRegister(ushort Id, bool IsFloat, bool Writable, int? Joint, string Unit, string Name, float Lowest, float Highest)
{
    /// <summary>Of the device: period of the state reports, us.</summary>
    public const ushort StatePeriod = 0x0002;

    /// <summary>Of the device: disarm after so many ms without a good frame; 0: never.</summary>
    public const ushort DisarmAfter = 0x0004;

    /// <summary>Of a joint.</summary>
    public const ushort Stiffness = 0x00;

    /// <summary>Of a joint.</summary>
    public const ushort Damping = 0x01;

    /// <summary>Of a joint.</summary>
    public const ushort MaxEffort = 0x02;

    /// <summary>Of a joint: degrees C.</summary>
    public const ushort Temperature = 0x23;

    /// <summary>Number of a joint's register.</summary>
    public static ushort OfJoint(int joint, ushort register) => (ushort)(0x0100 + (0x40 * joint) + register);
}

public sealed partial class FirmwareRobot
{
    /// <summary>Lists every register of the device.</summary>
    /// <exception cref="RobotRefusedException">The device does not answer.</exception>
    public async Task<IReadOnlyList<DeviceRegister>> ListRegistersAsync(CancellationToken cancellation)
    {
        var all = new List<DeviceRegister>();
        for (int i = 0; i < Device.Registers; i++)
        {
            var answer = await AskAsync(MessageType.Describe, [(byte)i, (byte)(i >> 8)], cancellation).ConfigureAwait(false);
            byte[] at = answer.Payload;
            if (answer.Result != DeviceResult.Ok || at.Length < 18)
            {
                throw new RobotRefusedException($"Robot '{Spec.Name}' at {_at} does not describe its register {i}: {answer.Result}.");
            }

            string[] words = Encoding.ASCII.GetString(at, 16, at.Length - 16).Split('\0');
            all.Add(new(
                BinaryPrimitives.ReadUInt16LittleEndian(at),
                at[2] == 3,
                at[3] != 0,
                at[4] == Messages.AllJoints ? null : at[4],
                words[0],
                words.Length > 1 ? words[1] : "",
                BinaryPrimitives.ReadSingleLittleEndian(at.AsSpan(8)),
                BinaryPrimitives.ReadSingleLittleEndian(at.AsSpan(12))));
        }

        return all;
    }

    /// <summary>Reads a register.</summary>
    /// <exception cref="RobotRefusedException">There is none, or the device does not answer.</exception>
    public async Task<double> ReadRegisterAsync(ushort id, CancellationToken cancellation)
    {
        var answer = await AskAsync(MessageType.Read, [(byte)id, (byte)(id >> 8)], cancellation).ConfigureAwait(false);
        if (answer.Result != DeviceResult.Ok || answer.Payload.Length != 4)
        {
            throw new RobotRefusedException($"Robot '{Spec.Name}' at {_at} does not read register 0x{id:X4}: {answer.Result}.");
        }

        return (byte)answer.Mode == 3 ? BinaryPrimitives.ReadSingleLittleEndian(answer.Payload) : BinaryPrimitives.ReadUInt32LittleEndian(answer.Payload);
    }

    /// <summary>Writes a register; it lasts until the device restarts.</summary>
    /// <exception cref="RobotRefusedException">There is none, it is read-only, the value is out of range, or the robot is armed.</exception>
    public async Task WriteRegisterAsync(ushort id, double value, CancellationToken cancellation)
    {
        // Which of the two encodings it takes is told by reading it first.
        var type = await AskAsync(MessageType.Read, [(byte)id, (byte)(id >> 8)], cancellation).ConfigureAwait(false);
        byte[] payload = new byte[6];
        BinaryPrimitives.WriteUInt16LittleEndian(payload, id);
        if ((byte)type.Mode == 3)
        {
            BinaryPrimitives.WriteSingleLittleEndian(payload.AsSpan(2), (float)value);
        }
        else
        {
            BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(2), (uint)Math.Clamp(Math.Round(value), 0, uint.MaxValue));
        }

        var answer = await AskAsync(MessageType.Write, payload, cancellation).ConfigureAwait(false);
        if (answer.Result != DeviceResult.Ok)
        {
            throw new RobotRefusedException(FormattableString.Invariant($"Robot '{Spec.Name}' at {_at} does not set register 0x{id:X4} to {value}: {answer.Result}."));
        }
    }
}
