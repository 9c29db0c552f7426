using System.Buffers.Binary;
using System.Security.Cryptography;
using Robotics.Firmware.Wire;

namespace Robotics.Firmware;

/// <summary>How an update ended. Ordinary results, not exceptions.</summary>
public enum UpdateOutcome
{
    /// <summary>The new image runs and is confirmed.</summary>
    Installed,

    /// <summary>The device said no; nothing changed.</summary>
    Refused,

    /// <summary>The line or the device went in the middle; call again to go on where it stopped.</summary>
    Broken,

    /// <summary>The new image did not report in; the old one runs again.</summary>
    RolledBack,
}

/// <summary>How an update ended and why, for people.</summary>
/// <param name="Outcome">How.</param>
/// <param name="Text">Why.</param>
/// <param name="BlocksSent">Blocks that this call sent; fewer than the image has when it went on from an earlier one.</param>
public sealed record UpdateReport(UpdateOutcome Outcome, string Text, int BlocksSent);

public sealed partial class FirmwareRobot
{
    private const int UpdateBlock = 128;

    /// <summary>Loads an image into the slot that is not running, starts it, and confirms it once it answers.</summary>
    /// <param name="image">The image; its SHA-256 goes with it, which shows accidents and no forgers.</param>
    /// <param name="version">major &lt;&lt; 16 | minor &lt;&lt; 8 | patch, as the new image will report.</param>
    /// <param name="progress">Told the share that is done, 0 to 1; may be null.</param>
    /// <param name="cancellation">Breaks off; the next call goes on.</param>
    public async Task<UpdateReport> UpdateAsync(ReadOnlyMemory<byte> image, uint version, Action<double>? progress, CancellationToken cancellation)
    {
        int sent = 0;
        try
        {
            byte[] begin = new byte[8 + SHA256.HashSizeInBytes];
            BinaryPrimitives.WriteInt32LittleEndian(begin, image.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(begin.AsSpan(4), version);
            SHA256.HashData(image.Span, begin.AsSpan(8));
            var answer = await AskAsync(MessageType.UpdateBegin, begin, cancellation).ConfigureAwait(false);
            while (answer.Result == DeviceResult.Ok && Next(answer) < Blocks(answer))
            {
                int at = (int)Next(answer) * UpdateBlock;
                byte[] block = new byte[4 + Math.Min(UpdateBlock, image.Length - at)];
                BinaryPrimitives.WriteUInt32LittleEndian(block, Next(answer));
                image.Span.Slice(at, block.Length - 4).CopyTo(block.AsSpan(4));
                answer = await AskAsync(MessageType.UpdateBlock, block, cancellation).ConfigureAwait(false);
                sent++;
                progress?.Invoke((double)Next(answer) / Blocks(answer));
            }

            if (answer.Result == DeviceResult.Ok)
            {
                answer = await AskAsync(MessageType.UpdateFinish, [], cancellation).ConfigureAwait(false);
            }

            if (answer.Result != DeviceResult.Ok)
            {
                return new(UpdateOutcome.Refused, WhyRefused(answer), sent);
            }

            uint before = Device.Boot;
            _ = await AskAsync(MessageType.Reboot, [], cancellation).ConfigureAwait(false);
            await Restarted(before, cancellation).ConfigureAwait(false);
            if (Device.Firmware == version && Device.OnTrial)
            {
                answer = await AskAsync(MessageType.UpdateConfirm, [], cancellation).ConfigureAwait(false);
                return answer.Result == DeviceResult.Ok ? new(UpdateOutcome.Installed, $"version {Device.Version} runs", sent)
                    : new(UpdateOutcome.Broken, $"the new image does not take its confirmation: {answer.Result}", sent);
            }

            return new(UpdateOutcome.RolledBack, $"the new image did not report in; version {Device.Version} runs", sent);
        }
        catch (RobotRefusedException silent)
        {
            return new(UpdateOutcome.Broken, silent.Message, sent);
        }

        static uint Next(Answer answer) => answer.Payload.Length == 8 ? BinaryPrimitives.ReadUInt32LittleEndian(answer.Payload) : 0;

        static uint Blocks(Answer answer) => answer.Payload.Length == 8 ? BinaryPrimitives.ReadUInt32LittleEndian(answer.Payload.AsSpan(4)) : 0;
    }

    // The device says hello with another boot number; a crashing image may take several boots to get back to the old one.
    private async Task Restarted(uint before, CancellationToken cancellation)
    {
        _rebooting = true;
        var until = MonotonicTime.SystemNow() + _options.RebootPatience;
        while (MonotonicTime.SystemNow() < until)
        {
            if (_phase == Phase.Up && _hello is { } hello && hello.Boot != before)
            {
                return;
            }

            await Task.Delay(s_look, cancellation).ConfigureAwait(false);
        }

        throw new RobotRefusedException($"the device at {_at} did not come back within {_options.RebootPatience.TotalSeconds} s of its restart");
    }

    private static string WhyRefused(Answer answer) => answer.Result switch
    {
        DeviceResult.WrongMode => answer.Mode is DeviceMode.Armed or DeviceMode.Active ? "the robot is armed; release it first"
            : "the running image is on trial, or this device takes no updates",
        DeviceResult.OutOfRange => "the image is larger than a slot",
        DeviceResult.WrongHash => "what arrived in flash is not the image that was announced",
        _ => answer.Result.ToString(),
    };
}
