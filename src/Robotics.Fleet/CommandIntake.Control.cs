using System.Globalization;
using Robotics.Safety;

namespace Robotics.Fleet;

public sealed partial class CommandIntake
{
    private const int MinLeaseMs = 100;
    private const int MaxLeaseMs = 60_000;

    /// <summary>Answers renew, hold, resume, estop and clear at once; null for claim and release, which <see cref="TakeOver"/>
    /// answers, because the local robot may take its time.</summary>
    public ControlReply? Ask(ControlRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        lock (_gateway)
        {
            return request.Do switch
            {
                "claim" or "release" => null,
                "renew" => Renew(request),
                "hold" => Hold(request),
                "resume" => Resume(request),
                "estop" => EmergencyStop(request),
                "clear" => Clear(request),
                _ => No(request, $"'{request.Do}' is no request; expected claim, renew, release, hold, resume, estop or clear."),
            };
        }
    }

    /// <summary>Answers claim and release. One at a time; the caller sees to that.</summary>
    public async Task<ControlReply> TakeOver(ControlRequest request, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Do == "claim" ? await Claim(request, cancellation).ConfigureAwait(false)
            : await Release(request, cancellation).ConfigureAwait(false);
    }

    /// <summary>Gives the local robot back unless somebody holds the lease again; never beside <see cref="TakeOver"/>.</summary>
    public Task GiveBack(CancellationToken cancellation) => Leased ? Task.CompletedTask : ReleaseLocal(cancellation);

    /// <summary>Holds, ends the lease and takes no further one: for the end of the robot side.</summary>
    public void Stop(string why)
    {
        lock (_gateway)
        {
            _ended = true;
            _lease = null;
            HoldFor(HoldReason.RobotMissing, why);
        }
    }

    private async Task<ControlReply> Claim(ControlRequest request, CancellationToken cancellation)
    {
        if (Wrong(request) is { } wrong)
        {
            return Refuse(request, wrong);
        }

        var mode = request.Kinds is { } kinds ? new CommandMode(kinds, request.Servo) : CommandMode.Native(_local.Spec) with { Servo = request.Servo };
        SafetyGate gate;
        try
        {
            gate = new SafetyGate(_local.Spec, mode);
        }
        catch (ConfigException unfit)
        {
            return Refuse(request, $"robot '{_local.Spec.Name}' cannot take this claim: {string.Join("; ", unfit.Problems)}.");
        }

        // Once before it counts, and outside the lock: neither the first command nor a state may wait for the compiler.
        gate.Apply(new float[_signals.Length], new float[_target.Length], TimeSpan.FromMilliseconds(request.PeriodMs), default, out _);
        gate.Reset();
        lock (_gateway)
        {
            if (Against(request) is { } against)
            {
                return No(request, against);
            }

            // The holder claims anew (after a reconnect): what it sent before no longer counts, and the robot holds meanwhile.
            _lease = null;
            _active = false;
            _local.Send(default);
        }

        try
        {
            await ReleaseLocal(cancellation).ConfigureAwait(false);
            await _local.ClaimAsync(mode, cancellation).ConfigureAwait(false);
            _claimed = true;
        }
        catch (Exception refused) when (refused is not OperationCanceledException)
        {
            // Whatever a driver throws: its claim failed, the asker must read why, and the robot side goes on.
            return Refuse(request, refused.Message);
        }

        string? late;
        lock (_gateway)
        {
            late = Against(request);
            if (late is null)
            {
                var now = MonotonicTime.Now(_clock);
                _epochs = _epochs == uint.MaxValue ? 1 : _epochs + 1;
                _lease = new(
                    request.Client, _epochs, TimeSpan.FromMilliseconds(request.LeaseMs), TimeSpan.FromMilliseconds(request.PeriodMs), gate, now);
                _block = HoldReason.None;
                _appliedBefore = _applied;
                _maxAgeNs = 0;
                Raise($"'{request.Client}' took the robot, epoch {_epochs}");
                return Yes(request);
            }
        }

        await ReleaseLocal(cancellation).ConfigureAwait(false);
        return Refuse(request, late);
    }

    private async Task<ControlReply> Release(ControlRequest request, CancellationToken cancellation)
    {
        lock (_gateway)
        {
            if (_lease is null)
            {
                return Yes(request);
            }

            if (NotHolder(request) is { } refusal)
            {
                return No(request, refusal);
            }

            _lease = null;
            HoldFor(HoldReason.None, $"'{request.Client}' gave the robot back");
        }

        await ReleaseLocal(cancellation).ConfigureAwait(false);
        return Refuse(request, "") with { Ok = true };
    }

    private async Task ReleaseLocal(CancellationToken cancellation)
    {
        if (_claimed)
        {
            _claimed = false;
            await _local.ReleaseAsync(cancellation).ConfigureAwait(false);
        }
    }

    private ControlReply Renew(ControlRequest request)
    {
        if (NotHolder(request) is { } refusal)
        {
            return No(request, refusal);
        }

        _lease!.Renew(MonotonicTime.Now(_clock));
        return Yes(request);
    }

    private ControlReply Hold(ControlRequest request)
    {
        _operatorHold = true;
        HoldFor(HoldReason.OperatorStop, $"'{request.Client}' asked for a hold");
        return Yes(request);
    }

    private ControlReply Resume(ControlRequest request)
    {
        if (NotHolder(request) is { } refusal)
        {
            return No(request, refusal);
        }

        if (Stopped() is { } stopped)
        {
            return No(request, stopped);
        }

        _operatorHold = false;
        _block = HoldReason.None;
        _lease!.Gate.Reset();
        _lease.Renew(MonotonicTime.Now(_clock));
        Raise($"'{request.Client}' resumed");
        return Yes(request);
    }

    private ControlReply EmergencyStop(ControlRequest request)
    {
        _emergency = true;
        _local.EmergencyStop();
        HoldFor(HoldReason.EmergencyStop, $"'{request.Client}' stopped the robot");
        return Yes(request);
    }

    private ControlReply Clear(ControlRequest request)
    {
        if (!_emergency && _localMode != RobotMode.EmergencyStop)
        {
            return Yes(request);
        }

        if (_localMode == RobotMode.EmergencyStop && _options.ClearEmergencyStop is null)
        {
            return No(request, "the robot's own emergency stop is latched; clear it at the robot.");
        }

        _options.ClearEmergencyStop?.Invoke();
        _emergency = false;
        _localMode = _localMode == RobotMode.EmergencyStop ? RobotMode.Holding : _localMode; // the next measurement tells
        _block = HoldReason.EmergencyStop;
        Raise($"'{request.Client}' cleared the emergency stop; the robot holds until it is resumed or claimed");
        return Yes(request);
    }

    // Under the lock: what stands against a claim.
    private string? Against(ControlRequest request)
    {
        var now = MonotonicTime.Now(_clock);
        return _lease is { } lease && lease.Client != request.Client && now <= lease.ExpiresAt
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"robot '{_local.Spec.Name}' is held by '{lease.Client}' for another {(lease.ExpiresAt - now).TotalSeconds:F1} s unless it renews; release it there or wait.")
            : Stopped();
    }

    private string? Stopped() =>
        _ended ? $"the robot side of '{_local.Spec.Name}' ends; start it again."
        : _emergency || _localMode == RobotMode.EmergencyStop ? $"robot '{_local.Spec.Name}' is in emergency stop; clear it first."
        : _localMode == RobotMode.Fault ? $"robot '{_local.Spec.Name}' reports a fault ({_localReason}{Because()}); repair it and try again."
        : null;

    private string? NotHolder(ControlRequest request) =>
        _lease is not { } lease || MonotonicTime.Now(_clock) > lease.ExpiresAt ? $"nobody holds robot '{_local.Spec.Name}'; claim it first."
        : lease.Client != request.Client ? $"robot '{_local.Spec.Name}' is held by '{lease.Client}', not by '{request.Client}'."
        : lease.Epoch != request.Epoch ? string.Create(CultureInfo.InvariantCulture, $"epoch {request.Epoch} is over, the lease in force is {lease.Epoch}; claim again.")
        : null;

    private static string? Wrong(ControlRequest request) =>
        request.LeaseMs is < MinLeaseMs or > MaxLeaseMs ? string.Create(CultureInfo.InvariantCulture, $"leaseMs is {request.LeaseMs}, expected {MinLeaseMs} to {MaxLeaseMs}.")
        : request.PeriodMs is not (>= 0.1 and <= 1000) ? string.Create(CultureInfo.InvariantCulture, $"periodMs is {request.PeriodMs}, expected 0.1 to 1000.")
        : request.Kinds is { } kinds && !kinds.All(Enum.IsDefined) ? "kinds has an entry that is none of position, velocity and effort."
        : request.Servo is { } servo && !(Gains(servo.Stiffness) && Gains(servo.Damping) && Gains(servo.EffortLimit))
            ? "servo gains must be lists of finite numbers, at least 0."
        : null;

    private static bool Gains(IReadOnlyList<float>? gains) => gains is not null && gains.All(gain => float.IsFinite(gain) && gain >= 0);

    private ControlReply Refuse(ControlRequest request, string text)
    {
        lock (_gateway)
        {
            return No(request, text);
        }
    }

    private ControlReply Yes(ControlRequest request) => new(request.Id, true, _lease?.Epoch ?? 0, "");

    private ControlReply No(ControlRequest request, string text) => new(request.Id, false, _lease?.Epoch ?? 0, text);
}
