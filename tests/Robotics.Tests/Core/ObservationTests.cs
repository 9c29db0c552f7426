using Robotics.Numerics;
using Robotics.Observations;
using Robotics.Packages;

namespace Robotics.Tests.Core;

/// <summary>Terms, histories and actions against hand calculations on a robot of two joints.</summary>
public sealed class ObservationTests
{
    private const string Command = """, "commands": [{ "name": "v", "elements": ["vx", "hz"], "lower": -5, "upper": 5, "default": 0 }]""";
    private const string Quarter = "0.70710678, 0, 0, 0.70710678"; // a quarter turn to the left, w x y z

    private static readonly RobotSpec Robot = RobotFile.Parse("""
        { "format": "robot", "version": 1, "name": "duo", "absent": ["joint.effort"],
          "joints": [{ "name": "a", "lower": -1, "upper": 1, "max_speed": 2, "default": 0.25 },
                     { "name": "b", "kind": "prismatic", "lower": -1, "upper": 1, "max_speed": 2, "default": 0.5 }],
          "signals": [{ "name": "imu.orientation", "length": 4 }, { "name": "other", "length": 4 },
                      { "name": "imu.angular_velocity", "length": 3, "unit": "rad/s", "frame": "body" },
                      { "name": "base.linear_velocity", "length": 3, "unit": "m/s", "frame": "world" }] }
        """, "duo.json");

    // Frame: positions, velocities, efforts, orientation turned left by 90 degrees, other = identity, rates, world velocity.
    private static readonly float[] Frame = [0.5f, 0.75f, 2, 3, 0, 0, 0.70710678f, 0, 0, 0.70710678f, 1, 0, 0, 0, 0.1f, 0.2f, 0.3f, 4, 5, 6];

    [Theory]
    [InlineData("\"kind\": \"joint_position\"", new[] { 0.5f, 0.75f })]
    [InlineData("\"kind\": \"joint_position\", \"relative_to\": \"default\"", new[] { 0.25f, 0.25f })]
    [InlineData("\"kind\": \"joint_position\", \"joints\": [\"b\", \"a\"], \"offset\": 1, \"scale\": [2, 10]", new[] { 3.5f, 15f })]
    [InlineData("\"kind\": \"joint_velocity\", \"clip\": [-1, 2.5]", new[] { 2f, 2.5f })]
    [InlineData("\"kind\": \"joint_velocity\", \"clip_raw\": [[-1, 1], [-2, 2]], \"scale\": 10", new[] { 10f, 20f })]
    [InlineData("\"kind\": \"signal\", \"signal\": \"base.linear_velocity\", \"select\": [2, 0]", new[] { 6f, 4f })]
    [InlineData("\"kind\": \"angular_velocity\"", new[] { 0.1f, 0.2f, 0.3f })]
    [InlineData("\"kind\": \"angular_velocity\", \"frame\": \"world\"", new[] { -0.2f, 0.1f, 0.3f })] // left turn: x to y
    [InlineData("\"kind\": \"linear_velocity\", \"frame\": \"body\"", new[] { 5f, -4f, 6f })]
    [InlineData("\"kind\": \"linear_velocity\", \"frame\": \"yaw\"", new[] { 5f, -4f, 6f })]         // level: body and heading agree
    [InlineData("\"kind\": \"orientation\"", new[] { 0.70710678f, 0, 0, 0.70710678f })]
    [InlineData("\"kind\": \"orientation\", \"layout\": \"xyzw\"", new[] { 0, 0, 0.70710678f, 0.70710678f })]
    [InlineData("\"kind\": \"orientation\", \"layout\": \"rotation6d\"", new[] { 0f, 1, 0, -1, 0, 0 })]
    [InlineData("\"kind\": \"orientation\", \"layout\": \"euler\"", new[] { 0, 0, 1.5707963f })]
    [InlineData("\"kind\": \"orientation\", \"reference_quaternion\": [" + Quarter + "]", new[] { 1f, 0, 0, 0 })]
    [InlineData("\"kind\": \"orientation\", \"reference_quaternion\": [-1, 0, 0, 0], \"positive_w\": true", new[] { 0.70710678f, 0, 0, 0.70710678f })]
    [InlineData("\"kind\": \"orientation_difference\", \"signal\": \"other\", \"reference\": \"imu.orientation\"", new[] { 0.70710678f, 0, 0, -0.70710678f })]
    [InlineData("\"kind\": \"projected_gravity\"", new[] { 0f, 0, -1 })]
    [InlineData("\"kind\": \"command\", \"command\": \"v\"", new[] { 1f, 2f })]
    [InlineData("\"kind\": \"previous_action\"", new[] { 7f, 8f })]
    [InlineData("\"kind\": \"previous_action\", \"source\": \"processed\"", new[] { 0.1f, 0.2f })]
    [InlineData("\"kind\": \"constant\", \"values\": [3, 4]", new[] { 3f, 4f })]
    public void Assemble_OneTerm_MatchesTheHandCalculation(string term, float[] expected)
    {
        var assembler = Assembler(Group(term));
        Assert.Equal(expected.Length, assembler.Length);
        Close(expected, Sample(assembler, Frame, 0));
    }

    [Fact]
    public void Assemble_WhenPitched_TurnsGravityAndHeadingApart()
    {
        // Nose down by 90 degrees about y: the body's x points to the world's down.
        float[] frame = [.. Frame];
        new float[] { 0.70710678f, 0, 0.70710678f, 0 }.CopyTo(frame, 6);
        Close([1, 0, 0], Sample(Assembler(Group("\"kind\": \"projected_gravity\"")), frame, 0));
        Close([-6, 5, 4], Sample(Assembler(Group("\"kind\": \"linear_velocity\", \"frame\": \"body\"")), frame, 0));
    }

    [Fact]
    public void Assemble_WhenAnOrientationIsAllZeros_IsNaN()
    {
        float[] frame = [.. Frame];
        frame.AsSpan(6, 4).Clear();
        Assert.All(Sample(Assembler(Group("\"kind\": \"projected_gravity\"")), frame, 0), value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void Assemble_PhaseAndClock_StartWithTheFirstSampleAfterAReset()
    {
        var assembler = Assembler("""
            { "name": "obs", "terms": [{ "name": "p", "kind": "phase", "frequency": 2, "phase_offsets": [0, 0.5], "output": "fraction" },
              { "name": "s", "kind": "phase", "frequency": 2 }, { "name": "c", "kind": "phase", "command": "v.hz", "output": "fraction" }, { "name": "t", "kind": "clock" }] }
            """);
        Close([0, 0.5f, 0, 1, 0, 0], Sample(assembler, Frame, 5));
        Close([0.25f, 0.75f, 1, 0, 0.25f, 0.125f], Sample(assembler, Frame, 5.125)); // hz is 2, too
        assembler.Reset();
        Close([0, 0.5f, 0, 1, 0, 0], Sample(assembler, Frame, 9));
    }

    [Theory]
    [InlineData("frame", "oldest_first", "first", "1,10 1,10 1,10", "1,10 1,10 2,20")]
    [InlineData("frame", "newest_first", "first", "1,10 1,10 1,10", "2,20 1,10 1,10")]
    [InlineData("frame", "oldest_first", "zeros", "0,0 0,0 1,10", "0,0 1,10 2,20")]
    [InlineData("term", "oldest_first", "zeros", "0,0,1 0,0,10", "0,1,2 0,10,20")]
    [InlineData("term", "newest_first", "first", "1,1,1 10,10,10", "2,1,1 20,10,10")]
    public void Assemble_KeepsTheHistoryAsLaidOut(string layout, string order, string fill, string first, string second)
    {
        var assembler = Assembler($$"""
            { "name": "obs", "history": { "length": 3, "layout": "{{layout}}", "order": "{{order}}", "fill": "{{fill}}" },
              "terms": [{ "name": "x", "kind": "joint_velocity", "joints": ["a"] }, { "name": "y", "kind": "joint_velocity", "joints": ["b"] }] }
            """);
        float[] frame = [.. Frame];
        for (int run = 0; run < 2; run++)
        {
            (frame[2], frame[3]) = (1, 10);
            Close(Numbers(first), Sample(assembler, frame, 0));
            (frame[2], frame[3]) = (2, 20);
            Close(Numbers(second), Sample(assembler, frame, 0.02));
            assembler.Reset();
        }

        int newest = order == "newest_first" ? 0 : layout == "frame" ? 4 : 2;
        Assert.Equal(0, assembler.Elements[newest].Age);
        Assert.Equal(2, assembler.Elements[order == "newest_first" ? (layout == "frame" ? 4 : 2) : 0].Age);

        static float[] Numbers(string text) => [.. text.Split(' ', ',').Select(float.Parse)];
    }

    [Fact]
    public void Assemble_TermHistory_StandsBesideTermsWithout()
    {
        var assembler = Assembler("""
            { "name": "obs", "terms": [{ "name": "x", "kind": "joint_velocity", "joints": ["a"], "history": { "length": 2 } }, { "name": "y", "kind": "joint_velocity", "joints": ["b"] }] }
            """);
        Close([2, 2, 3], Sample(assembler, Frame, 0));
    }

    [Fact]
    public void Assemble_AllocatesNothing()
    {
        var assembler = Assembler("""
            { "name": "obs", "history": { "length": 5 }, "terms": [{ "name": "a", "kind": "joint_position" }, { "name": "b", "kind": "linear_velocity", "frame": "yaw" },
              { "name": "c", "kind": "orientation", "layout": "euler" }, { "name": "d", "kind": "phase", "command": "v.hz" }, { "name": "e", "kind": "previous_action", "source": "processed" }] }
            """);
        float[] into = new float[assembler.Length];
        float[] command = [1, 2], action = [7, 8], target = [0.1f, 0.2f];
        var map = new ActionMap(PolicyPackage.Parse(PolicyPackageTests.Minimal(), "p"), Robot);
        assembler.Assemble(Frame, TimeSpan.Zero, command, action, target, into);
        map.Reset(target);
        map.Map(action, target, target);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++)
        {
            assembler.Assemble(Frame, TimeSpan.FromMilliseconds(i), command, action, target, into);
            map.Map(action, target, target);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Constructor_WhenManyThingsDoNotFit_ReportsAllWithBothSides()
    {
        var policy = PolicyPackage.Parse(PolicyPackageTests.Minimal(observations: """
            { "name": "obs", "terms": [{ "name": "g", "kind": "signal", "signal": "imu.gyro" }, { "name": "e", "kind": "joint_effort" },
              { "name": "q", "kind": "joint_position", "joints": ["a", "gripper"] }, { "name": "s", "kind": "angular_velocity", "scale": [1, 2] }, { "name": "o", "kind": "orientation", "signal": "base.linear_velocity" }] }
            """), "policy.json");
        var problems = Assert.Throws<ConfigException>(() => new ObservationAssembler(policy, Robot)).Problems;
        Assert.Equal(5, problems.Count);
        Assert.StartsWith("observations[0].terms[0] 'g' reads signal 'imu.gyro', robot 'duo' (duo.json) has: joint.position, ", problems[0], StringComparison.Ordinal);
        Assert.Contains("does not measure", problems[1], StringComparison.Ordinal);
        Assert.Contains("joints only in the policy: gripper; only in the robot: b", problems[2], StringComparison.Ordinal);
        Assert.Contains("scale has 2 numbers, expected 1 or 3", problems[3], StringComparison.Ordinal);
        Assert.Contains("as 4 elements, robot 'duo' (duo.json) gives it 3", problems[4], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ }""", new[] { 3f, -3f }, new[] { 3f, -3f })]
    [InlineData("""{ "clip_raw": [-1, 1], "scale": 0.5, "relative_to": "default" }""", new[] { 3f, -3f }, new[] { 0.75f, 0f })]
    [InlineData("""{ "joints": ["b", "a"], "scale": [1, 2], "offset": 0.5 }""", new[] { 0.1f, 0.2f }, new[] { 0.9f, 0.6f })]
    [InlineData("""{ "joints": ["b"], "mode": "delta", "scale": 0.1 }""", new[] { 1f }, new[] { 0.2f, 0.5f })] // a keeps 0.2; b measured 0.4
    [InlineData("""{ "mode": "integrate" }""", new[] { 0.1f, 5f }, new[] { 0.3f, 1f })]                         // inside the range
    [InlineData("""{ "relative_to": "default", "default_pose": { "a": -0.5 }, "clip": [[-1, -0.4], [-9, 9]] }""", new[] { 0.3f, 0f }, new[] { -0.4f, 0.5f })]
    public void Map_MatchesTheHandCalculation(string action, float[] raw, float[] expected)
    {
        var map = new ActionMap(PolicyPackage.Parse(PolicyPackageTests.Minimal().Replace("\"action\": {}", $"\"action\": {action}", StringComparison.Ordinal), "p"), Robot);
        float[] target = new float[2];
        map.Reset([0.2f, 0.4f]);
        map.Map(raw, [0.2f, 0.4f], target);
        Close(expected, target);
    }

    [Fact]
    public void Mode_WhenDrivesTakeEfforts_CarriesTheGainsInTheRobotsOrder()
    {
        var robot = Robot with { Joints = [.. Robot.Joints.Select(joint => joint with { Command = TargetKind.Effort, MaxEffort = 9 })] };
        string Json(string action) => PolicyPackageTests.Minimal().Replace("\"action\": {}", $"\"action\": {action}", StringComparison.Ordinal);
        var map = new ActionMap(PolicyPackage.Parse(Json("""{ "joints": ["b", "a"], "servo": { "stiffness": [20, 30], "damping": 1 } }"""), "p"), robot);
        Assert.Equal([30, 20], map.Mode.Servo!.Stiffness);
        Assert.Equal([9, 9], map.Mode.Servo.EffortLimit);
        Assert.Null(map.Mode.Mismatch(robot));
        var error = Assert.Throws<ConfigException>(() => new ActionMap(PolicyPackage.Parse(Json("{}"), "p"), robot));
        Assert.Equal(2, error.Problems.Count);
        Assert.Contains("action.kind sends position targets to joint 'a', which takes effort targets; give 'action.servo' gains", error.Problems);
    }

    [Fact]
    public void Normalizer_GoesThereAndBack()
    {
        var standard = new Normalizer(new NormalizationSpec { Mode = "mean_std", Mean = [1, 2], Std = [2, 4], Epsilon = 0, Clip = 3 }, 4); // two frames
        float[] made = new float[4];
        standard.Normalize([3, 2, 100, -2], made);
        Assert.Equal([1, 0, 3, -1], made);
        var range = new Normalizer(new NormalizationSpec { Mode = "min_max", Min = [-2, 5], Max = [6, 5.00001f] }, 2);
        range.Normalize([4, 5], made.AsSpan(0, 2));
        Assert.Equal([0.5f, 0], made[..2]); // the constant becomes 0
        range.Denormalize(made.AsSpan(0, 2), made.AsSpan(0, 2));
        Assert.Equal([4, 5], made[..2]);
        Assert.Throws<ArgumentException>(() => new Normalizer(new NormalizationSpec { Mode = "mean_std", Mean = [1, 2, 3], Std = [1] }, 4));
    }

    [Fact]
    public void RobotFile_WritesWhatItReads_AndReportsEverything()
    {
        string text = RobotFile.Write(Robot);
        Assert.Equal(text, RobotFile.Write(RobotFile.Parse(text, "again")));
        Assert.StartsWith("{\n  \"format\": \"robot\",\n  \"version\": 1,", text, StringComparison.Ordinal);
        var problems = Assert.Throws<ConfigException>(() => RobotFile.Parse("""
            { "format": "robot", "version": 1, "name": "r", "servo_period_ms": 20, "joints": [{ "name": "a", "lower": 1, "upper": -1, "max_speed": 2 }, { "name": "a", "lower": -1, "upper": 1, "max_speed": 2, "default": 3 }],
              "workspace": [{ "signal": "nowhere", "lower": [0], "upper": [1] }], "simulator": { "kind": "mujoco" } }
            """, "r")).Problems;
        Assert.Contains(problems, p => p.Contains("lower 1 and upper -1", StringComparison.Ordinal));
        Assert.Contains("joints[1].name is 'a', as joints[0].name already is", problems);
        Assert.Contains(problems, p => p.StartsWith("workspace[0].signal is 'nowhere'", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("servo_period_ms is 20", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("simulator has no 'model'", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("default 3, which lies outside", StringComparison.Ordinal));
    }

    // How other projects deploy, in our words: each must load and wire. Lengths are counted by hand.
    [Theory]
    [InlineData("isaac-lab", 2 * 5 * 2, """{ "name": "obs", "history": { "length": 5, "layout": "term" }, "terms": [{ "name": "q", "kind": "joint_position", "relative_to": "default", "clip_raw": [-100, 100] }, { "name": "dq", "kind": "joint_velocity", "scale": 0.05 }] }""")]
    [InlineData("playground", 3 + 2 + 2, """{ "name": "obs", "terms": [{ "name": "g", "kind": "projected_gravity" }, { "name": "c", "kind": "phase", "frequency": 1.25, "phase_offsets": [0, 0.5], "output": "cos" }, { "name": "s", "kind": "phase", "frequency": 1.25, "phase_offsets": [0, 0.5], "output": "sin" }] }""")]
    [InlineData("rl_sar, legged_gym", 6 * (3 + 2 + 2), """{ "name": "obs", "clip": [-100, 100], "history": { "length": 6, "order": "newest_first", "fill": "zeros" }, "terms": [{ "name": "w", "kind": "angular_velocity", "scale": 0.25 }, { "name": "cmd", "kind": "command", "command": "v", "scale": [2, 0.25] }, { "name": "a", "kind": "previous_action" }] }""")]
    [InlineData("stable-baselines", 4, """{ "name": "obs", "terms": [{ "name": "q", "kind": "joint_position" }, { "name": "dq", "kind": "joint_velocity" }], "normalization": { "mode": "mean_std", "mean": [0, 0, 1, 1], "std": 1, "clip": 10 } }""")]
    [InlineData("ml-agents", 4 + 3, """{ "name": "obs", "terms": [{ "name": "o", "kind": "orientation", "layout": "xyzw" }, { "name": "v", "kind": "linear_velocity", "frame": "body" }] }""")]
    public void PolicyCheck_OfPeersStyles_Wires(string peer, int length, string group)
    {
        var check = PolicyCheck.Run(PolicyPackage.Parse(PolicyPackageTests.Minimal(Command, group), peer), Robot);
        Assert.Empty(check.Problems);
        Assert.Equal(length, check.Elements.Count);
        Assert.Equal(Enumerable.Range(0, length), check.Elements.Select(element => element.Index));
    }

    [Fact]
    public void Parse_OfARecurrentPolicyAndAChunk_KeepsStatesAndRows()
    {
        string json = PolicyPackageTests.Minimal(""", "states": { "h": {} }""")
            .Replace("\"from\": \"observation:obs\" }]", "\"from\": \"observation:obs\" }, { \"name\": \"h_in\", \"from\": \"state:h\" }, { \"name\": \"mask\", \"from\": \"constant\", \"value\": 1, \"dtype\": \"int64\" }]", StringComparison.Ordinal)
            .Replace("\"to\": \"action\" }]", "\"to\": \"action\" }, { \"name\": \"h_out\", \"to\": \"state:h\" }]", StringComparison.Ordinal)
            .Replace("\"action\": {}", "\"action\": { \"first_row\": 1, \"rows\": 8, \"row_period_ms\": 40, \"normalization\": { \"mode\": \"min_max\", \"min\": -1, \"max\": [1, 2] } }", StringComparison.Ordinal);
        var policy = PolicyPackage.Parse(json, "p");
        Assert.Equal((1, 8, 40), (policy.Action.FirstRow, policy.Action.Rows, policy.Action.RowPeriodMs!.Value));
        Assert.Equal(0, policy.States["h"].Reset);
        Assert.Empty(PolicyCheck.Run(policy, Robot).Problems);
        Assert.Contains("action.row_period_ms is 30, expected a multiple of timing.period_ms 20",
            Assert.Throws<ConfigException>(() => PolicyPackage.Parse(json.Replace("\"row_period_ms\": 40", "\"row_period_ms\": 30", StringComparison.Ordinal), "p")).Problems);
    }

    private static string Group(string term) => $$"""{ "name": "obs", "terms": [{ "name": "x", {{term}} }] }""";

    private static ObservationAssembler Assembler(string group) => new(PolicyPackage.Parse(PolicyPackageTests.Minimal(Command, group), "p"), Robot);

    private static float[] Sample(ObservationAssembler assembler, float[] frame, double seconds)
    {
        float[] into = new float[assembler.Length];
        assembler.Assemble(frame, TimeSpan.FromSeconds(seconds), [1, 2], [7, 8], [0.1f, 0.2f], into);
        return into;
    }

    private static void Close(float[] expected, float[] made)
    {
        Assert.Equal(expected.Length, made.Length);
        for (int i = 0; i < made.Length; i++)
        {
            Assert.Equal(expected[i], made[i], 2e-6f);
        }
    }
}
