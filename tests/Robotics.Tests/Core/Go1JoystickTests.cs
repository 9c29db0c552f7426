using System.Globalization;
using Robotics.Observations;
using Robotics.Packages;

namespace Robotics.Tests.Core;

/// <summary>A real policy of another project, described by two files alone.</summary>
public sealed class Go1JoystickTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "Robotics.Tests", "Cases", "go1-joystick");

    [Fact]
    public void Load_WhenThePackageIsAssembled_VerifiesTheForeignOnnx()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Path.Combine(Folder, "policy.json"), folder.At("policy.json"));
        File.Copy(Repository.Case("go1-joystick/policy.onnx"), folder.At("policy.onnx"));
        var package = PolicyPackage.Load(folder.Path);
        Assert.Equal(772916, package.Read("policy.onnx").Length); // bytes, from the case's contract.json
        Assert.Equal(1, package.Manifest.Timing.LateTicks);
        Assert.Equal([TargetKind.Position], package.Manifest.Action.Kind);
        Assert.Equal(1, package.Manifest.Action.Rows);
    }

    [Fact]
    public void Run_OnItsOwnRobot_FindsNoProblemAndNamesEveryElement()
    {
        var (policy, robot) = Read();
        var check = PolicyCheck.Run(policy, robot);
        Assert.Empty(check.Problems);
        Assert.Empty(check.Notes);
        Assert.Equal(48, check.Elements.Count);
        Assert.Equal(12, check.ActionLength);
        Assert.Equal(new ObservationElement(9, "obs", "joint_pos", "FR_hip_joint", "rad", 1, 0), check.Elements[9]);
        Assert.Equal(new ObservationElement(47, "obs", "command", "yaw_rate", "rad/s", 1, 0), check.Elements[47]);
    }

    [Fact]
    public void Assemble_ReproducesEveryGoldenObservation()
    {
        // golden.csv: what the reference run fed to the network. The robot's frame is rebuilt from each row; orientation is the
        // shortest rotation with that projected gravity (its heading is free).
        var (policy, robot) = Read();
        var assembler = new ObservationAssembler(policy, robot);
        var map = new ActionMap(policy, robot);
        string[] rows = [.. File.ReadLines(Repository.Case("go1-joystick/golden.csv")).Where(line => !line.StartsWith('#'))];
        Assert.True(rows.Length > 200);
        float[] pose = robot.DefaultPose();
        float[] frame = new float[robot.Layout.Length];
        float[] made = new float[48];
        float[] target = new float[12];
        float[] previous = new float[12];
        map.Reset(pose);
        foreach (string row in rows)
        {
            float[][] sides = [.. row.Split(';').Select(side => side.Split(',').Select(text => float.Parse(text, CultureInfo.InvariantCulture)).ToArray())];
            float[] golden = sides[0];
            Assert.Equal(previous, golden[33..45]);
            for (int j = 0; j < 12; j++)
            {
                frame[j] = golden[9 + j] + pose[j];
                frame[12 + j] = golden[21 + j];
            }

            golden.AsSpan(3, 3).CopyTo(frame.AsSpan(robot.Layout.Find("imu.angular_velocity")!.Offset));
            golden.AsSpan(0, 3).CopyTo(frame.AsSpan(robot.Layout.Find("base.linear_velocity")!.Offset));
            Tilt(golden.AsSpan(6, 3)).CopyTo(frame.AsSpan(robot.Layout.Find("imu.orientation")!.Offset));
            assembler.Assemble(frame, TimeSpan.Zero, golden.AsSpan(45, 3), previous, target, made);
            for (int i = 0; i < 48; i++)
            {
                Assert.True(Math.Abs(golden[i] - made[i]) < 1e-6f, $"element {i}: golden {golden[i]}, assembled {made[i]}");
            }

            previous = sides[1];
            map.Map(previous, frame.AsSpan(0, 12), target);
            for (int j = 0; j < 12; j++)
            {
                Assert.Equal(pose[j] + (0.5f * previous[j]), target[j], 1e-6f); // NOTES.md: ctrl = default + 0.5 action
            }
        }
    }

    // The quaternion that turns the measured down (body) into the world's down.
    private static float[] Tilt(ReadOnlySpan<float> down)
    {
        double w = 1 - down[2], x = -down[1], y = down[0];
        double length = Math.Sqrt((w * w) + (x * x) + (y * y));
        return [(float)(w / length), (float)(x / length), (float)(y / length), 0];
    }

    private static (PolicyManifest Policy, RobotSpec Robot) Read() =>
        (PolicyPackage.Parse(File.ReadAllText(Path.Combine(Folder, "policy.json")), "policy.json"), RobotFile.Load(Path.Combine(Folder, "robot.json")));
}
