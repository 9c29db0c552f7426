namespace Robotics.Firmware.Servos;

public sealed partial class ServoArm
{
    /// <summary>Checks every servo and prepares it to hold where it is; says everything that stands against it.</summary>
    private List<string> BringUp(IServoBus bus)
    {
        var problems = new List<string>();
        for (int j = 0; j < _motors.Length; j++)
        {
            string servo = $"servo {_ids[j]} '{_motors[j].Name}'";
            var reply = ServoReply.Insist(() => bus.Ping(_ids[j], out _));
            if (!reply.Ok)
            {
                problems.Add($"{servo}: {bus.Explain(reply)} to a ping; check its power, cable and id ('robotics device info' asks every id)");
                continue;
            }

            problems.AddRange(Compare(bus, j).Select(problem => $"{servo}: {problem}"));
        }

        // Even a wrong servo is not left running to an old goal, but a right one keeps its goal until all are right.
        if (problems.Count > 0)
        {
            return problems;
        }

        if (!ServoReply.Insist(() => new(bus.ReadStates(_ids, _states), 0)).Ok)
        {
            return ["a servo stopped answering while the arm was being prepared"];
        }

        StayHere();
        for (int j = 0; j < _motors.Length; j++)
        {
            // The watchdog first: one that has stopped a servo refuses goals until it is set again.
            bus.SetWatchdog(_ids[j], _options.Watchdog);
        }

        if (!bus.WriteGoals(_ids, _goals))
        {
            return ["the line went while the arm was being prepared"];
        }

        _torque = false; // the first cycle puts it on, or leaves it off, as holding says
        _faults = 0;
        _active.Hold = true;
        _whole = MonotonicTime.SystemNow();
        return [];
    }

    private List<string> Compare(IServoBus bus, int j)
    {
        var problems = new List<string>();
        var motor = _motors[j];
        byte id = _ids[j];
        var table = bus.Table;
        int homing = Read("homing_offset");
        if (homing != motor.HomingOffset)
        {
            problems.Add($"its homing offset is {homing}, the calibration says {motor.HomingOffset}; this is another arm's calibration, or 'robotics device calibrate' was not run on this arm");
        }

        int mode = Read("operating_mode");
        if (mode != table.PositionMode)
        {
            problems.Add($"its operating_mode is {mode}, expected {table.PositionMode} (position); 'robotics device set' changes it");
        }

        int lowest = Read("min_position_limit");
        int highest = Read("max_position_limit");
        if (lowest > motor.RangeMin || highest < motor.RangeMax)
        {
            problems.Add($"it goes from {lowest} to {highest}, the calibration from {motor.RangeMin} to {motor.RangeMax}; calibrate again");
        }

        var limit = table["torque_limit"];
        float share = _options.TorqueLimits.GetValueOrDefault(motor.Name, _options.TorqueLimit);
        var reply = ServoReply.Insist(() => bus.Write(id, limit, (int)Math.Round(share * limit.Maximum)));
        if (!reply.Ok)
        {
            problems.Add($"its torque limit cannot be set: {bus.Explain(reply)}");
        }

        return problems;

        int Read(string name)
        {
            int value = 0;
            var answer = ServoReply.Insist(() => bus.Read(id, table[name], out value));
            if (!answer.Ok)
            {
                problems.Add($"its {name} cannot be read: {bus.Explain(answer)}");
            }

            return value;
        }
    }

    private void Lose(IServoBus bus, Loss how)
    {
        var silent = Enumerable.Range(0, _states.Length).Where(j => !_states[j].Answered).Select(j => $"{_ids[j]} '{_motors[j].Name}'");
        _trouble = how switch
        {
            Loss.Line => $"{bus.Name} is gone",
            Loss.Torque => $"a servo on {bus.Name} lost its torque or was stopped by its watchdog",
            _ => $"no answer from servo {string.Join(", ", silent)} on {bus.Name}",
        };
        _up = false;
        Losses++;
        bus.Dispose();
        _bus = null;
        Block(HoldReason.LinkLost);
    }

    /// <summary>One attempt to find the arm again, after a pause.</summary>
    private void Reconnect()
    {
        PreciseSleep.Until(MonotonicTime.SystemNow() + _options.Retry);
        IServoBus? bus = null;
        try
        {
            bus = _open();
            var problems = BringUp(bus);
            if (problems.Count == 0)
            {
                _bus = bus;
                bus = null;
                _trouble = null;
                TakeOrder(); // what was commanded meanwhile was commanded to nobody
                Block(HoldReason.LinkLost);
                _active.Hold = true;

                // Measured before it counts as there: whoever reads next must not see what was left from before the loss.
                Decide(_whole);
                Publish(_whole);
                _up = true;
            }
            else
            {
                _trouble = string.Join("; ", problems);
            }
        }
        catch (IOException absent)
        {
            _trouble = absent.Message;
        }
        finally
        {
            bus?.Dispose();
        }
    }
}
