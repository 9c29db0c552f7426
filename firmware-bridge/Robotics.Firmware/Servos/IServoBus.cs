namespace Robotics.Firmware.Servos;

/// <summary>What came of a request. Ordinary results, not exceptions.</summary>
public enum ReplyStatus
{
    /// <summary>Answered.</summary>
    Ok,

    /// <summary>No answer in time, or none that arrived whole.</summary>
    Silent,

    /// <summary>The servo answered that it will not.</summary>
    Refused,

    /// <summary>The line is gone.</summary>
    Gone,
}

/// <summary>The answer to one request.</summary>
/// <param name="Status">What came of it.</param>
/// <param name="Error">The answer's error byte, as the maker defines it; 0 for none.</param>
public readonly record struct ServoReply(ReplyStatus Status, byte Error)
{
    /// <summary>True when it was answered.</summary>
    public bool Ok => Status == ReplyStatus.Ok;

    /// <summary>Asks up to three times: a single lost packet is no missing servo. For setting up, not for every cycle.</summary>
    public static ServoReply Insist(Func<ServoReply> ask)
    {
        const int Attempts = 3;
        var reply = ask();
        for (int attempt = 1; attempt < Attempts && reply.Status == ReplyStatus.Silent; attempt++)
        {
            reply = ask();
        }

        return reply;
    }
}

/// <summary>What a servo measures, in SI units but for its own ticks.</summary>
public record struct ServoState
{
    /// <summary>False: it did not answer, and the rest is of before.</summary>
    public bool Answered { get; set; }

    /// <summary>Ticks, homing offset included.</summary>
    public int Position { get; set; }

    /// <summary>rad/s.</summary>
    public float Velocity { get; set; }

    /// <summary>Share of the largest effort, -1 to 1, as the servo estimates it from its drive.</summary>
    public float Load { get; set; }

    /// <summary>V.</summary>
    public float Voltage { get; set; }

    /// <summary>°C.</summary>
    public float Temperature { get; set; }

    /// <summary>Bits of the hardware error; <see cref="ServoTable.NameFaults"/> says them.</summary>
    public int Faults { get; set; }
}

/// <summary>Smart servos on one half-duplex wire, whatever protocol they speak.</summary>
/// <remarks>One thread at a time. Nothing here throws on what the wire or a servo does; <see cref="ReadStates"/> and
/// <see cref="WriteGoals"/> do not allocate.</remarks>
public interface IServoBus : IDisposable
{
    /// <summary>The line, for messages.</summary>
    string Name { get; }

    /// <summary>The servos' memory.</summary>
    ServoTable Table { get; }

    /// <summary>Highest id that a servo may have.</summary>
    int HighestId { get; }

    /// <summary>Longest wait for each answer; 20 ms to begin with, because USB adapters hold bytes back for up to 16.</summary>
    TimeSpan Patience { get; set; }

    /// <summary>Bytes that belonged to no whole packet, since the start.</summary>
    ulong Skipped { get; }

    /// <summary>Asks whether a servo is there, and which model.</summary>
    ServoReply Ping(byte id, out int model);

    /// <summary>Reads one value.</summary>
    ServoReply Read(byte id, ServoRegister register, out int value);

    /// <summary>Writes one value; a persistent one so that it is kept. Write those with torque off: Dynamixel takes them no other way.</summary>
    ServoReply Write(byte id, ServoRegister register, int value);

    /// <summary>Writes one value of each servo in one packet, which nobody answers; false when the line is gone.</summary>
    bool WriteAll(ReadOnlySpan<byte> ids, ServoRegister register, ReadOnlySpan<int> values);

    /// <summary>Reads what every servo measures in one request.</summary>
    /// <param name="ids">[N] whom to ask.</param>
    /// <param name="states">[N] filled in; who did not answer has <see cref="ServoState.Answered"/> false.</param>
    /// <returns>Ok when all answered, Silent when one did not, Gone with the line.</returns>
    ReplyStatus ReadStates(ReadOnlySpan<byte> ids, Span<ServoState> states);

    /// <summary>Bytes on the wire, both ways, to read what <paramref name="servos"/> measure and to send them their goals.</summary>
    int CycleBytes(int servos);

    /// <summary>Sends every servo its goal in one packet, which nobody answers; false when the line is gone.</summary>
    /// <param name="ids">[N] to whom.</param>
    /// <param name="goals">[N] ticks, homing offset included.</param>
    bool WriteGoals(ReadOnlySpan<byte> ids, ReadOnlySpan<int> goals);

    /// <summary>Asks whether a servo follows its goal: torque on, and not stopped by its watchdog. Allocation-free.</summary>
    ServoReply ReadDriving(byte id, out bool driving);

    /// <summary>Makes a servo stop by itself when it hears nothing for <paramref name="span"/>; false when this kind cannot.</summary>
    bool SetWatchdog(byte id, TimeSpan span);

    /// <summary>Starts a servo anew, which ends its hardware errors.</summary>
    ServoReply Reboot(byte id);

    /// <summary>An answer in words: the error by its name.</summary>
    string Explain(ServoReply reply);
}
