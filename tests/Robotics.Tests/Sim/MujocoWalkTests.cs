using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Robotics.Sim.Mujoco;

namespace Robotics.Tests.Sim;

/// <summary>The quadruped's walking network in closed loop with the simulator, against the reference run of its case.</summary>
public sealed class MujocoWalkTests(ITestOutputHelper output)
{
    private static readonly float[] Pose = [0.1f, 0.9f, -1.8f, -0.1f, 0.9f, -1.8f, 0.1f, 0.9f, -1.8f, -0.1f, 0.9f, -1.8f];

    private readonly record struct Instant(float X, float Y, float Z, float Up, float Vx, float YawRate);

    [Fact]
    public void Step_WhenTheNetworkWalks_FollowsTheReferenceRun()
    {
        float[][] golden = [.. Lines("golden.csv").Select(line => Numbers(line.Split(';')[0]))];
        float[][] trajectory = [.. Lines("trajectory.csv").Select(Numbers)];
        var observations = new List<float[]>();
        var run = Walk(1, 0, 0, observations);
        double observed = 0;
        for (int k = 0; k < 50; k++)
        {
            observed = Math.Max(observed, observations[k].Zip(golden[k], (a, b) => Math.Abs(a - b)).Max());
        }

        // Bodies are read one physics step (4 of 20 ms) before the instant of the reference's row.
        float Then(int k, int column) => trajectory[k][column] - (0.2f * (trajectory[k][column] - trajectory[k - 1][column]));
        double Deviation(int steps) => Enumerable.Range(1, steps - 1).Max(k =>
            Math.Max(Math.Abs(run[k].X - Then(k, 1)), Math.Max(Math.Abs(run[k].Y - Then(k, 2)), Math.Abs(run[k].Z - Then(k, 3)))));
        output.WriteLine($"observation deviation over 50 steps {observed:G3}; path deviation over 1 s {Deviation(50):G3} m, over 5 s {Deviation(250):G3} m");
        Assert.True(observed < 1e-2, $"observations deviate by {observed}");
        Assert.True(Deviation(50) < 1e-3, $"the path deviates by {Deviation(50)} m in the first second");

        float speed = run.Skip(50).Average(at => at.Vx);
        output.WriteLine($"mean vx after 1 s {speed:F3}, end x {run[^1].X:F3} y {run[^1].Y:F3}, z {run.Min(at => at.Z):F3}..{run.Max(at => at.Z):F3}, up {run.Min(at => at.Up):F3}");
        Assert.InRange(speed, 0.95f, 1.06f);
        Assert.All(run, at => Assert.True(at.Up > 0.9f && Math.Abs(at.Y) < 0.4f && at.Z is > 0.25f and < 0.33f, at.ToString()));
    }

    [Fact]
    public void Step_WhenTheCommandIsZero_StaysInPlace()
    {
        var run = Walk(0, 0, 0);
        Assert.All(run, at => Assert.True(MathF.Sqrt((at.X * at.X) + (at.Y * at.Y)) < 0.05f && at.Up > 0.9f, at.ToString()));
    }

    [Fact]
    public void Step_WhenTheCommandTurns_TurnsAtTheRate() => Assert.InRange(Walk(0, 0, 1).Average(at => at.YawRate), 0.80f, 1.0f);

    private static string[] Lines(string file) => [.. File.ReadLines(Repository.Case("go1-joystick/" + file)).Where(line => line.Length > 0 && line[0] != '#')];

    private static float[] Numbers(string line) => [.. line.Split(',').Select(text => float.Parse(text, CultureInfo.InvariantCulture))];

    private static RobotSpec Robot()
    {
        MujocoScenes.Require();
        string[] joints = [.. from leg in new[] { "FR", "FL", "RR", "RL" } from part in new[] { "hip", "thigh", "calf" } select $"{leg}_{part}_joint"];
        return new()
        {
            Name = "go1",
            Joints = [.. joints.Select((name, j) => new JointSpec { Name = name, Lower = -3, Upper = 5, MaxSpeed = 30, Default = Pose[j] })],
            Signals =
            [
                new() { Name = "linvel", Length = 3, Source = "sensor:local_linvel" },
                new() { Name = "gyro", Length = 3, Source = "sensor:gyro" },
                new() { Name = "orientation", Length = 4, Source = "site_orientation:imu" },
                new() { Name = "base", Length = 3, Source = "body_position:trunk" },
                new() { Name = "velocity", Length = 3, Source = "body_linear_velocity:trunk", Frame = "body" },
            ],
            StatePeriodMs = 20,
            ServoPeriodMs = 4,
            Simulator = new() { Kind = "mujoco", Model = "scene.xml", Keyframe = "home" },
            Origin = Repository.Case("go1-joystick/scene.xml"),
        };
    }

    private static List<Instant> Walk(float vx, float vy, float yaw, List<float[]>? observations = null)
    {
        using var environment = new MujocoEnvironment(Robot(), TimeSpan.FromMilliseconds(20));
        using var options = new SessionOptions { IntraOpNumThreads = 1 };
        using var session = new InferenceSession(Repository.Case("go1-joystick/policy.onnx"), options);
        float[] frame = new float[environment.Robot.Layout.Length];
        float[] obs = new float[48];
        float[] target = new float[12];
        float[] action = new float[12];
        using var input = OrtValue.CreateTensorValueFromMemory(obs, [1, 48]);
        using var run = new RunOptions();
        var instants = new List<Instant>();
        environment.Reset(0, frame);
        for (int k = 0; k < 250; k++)
        {
            frame.AsSpan(36, 6).CopyTo(obs);
            float w = frame[42], x = frame[43], y = frame[44], z = frame[45];
            obs[6] = -2 * ((x * z) - (w * y));
            obs[7] = -2 * ((y * z) + (w * x));
            obs[8] = -(1 - (2 * ((x * x) + (y * y))));
            for (int j = 0; j < 12; j++)
            {
                obs[9 + j] = frame[j] - Pose[j];
                obs[21 + j] = frame[12 + j];
                obs[33 + j] = action[j];
            }

            (obs[45], obs[46], obs[47]) = (vx, vy, yaw);
            observations?.Add([.. obs]);
            using var outputs = session.Run(run, ["obs"], [input], ["continuous_actions"]);
            outputs[0].GetTensorDataAsSpan<float>().CopyTo(action);
            for (int j = 0; j < 12; j++)
            {
                target[j] = Pose[j] + (0.5f * action[j]);
            }

            environment.Step(target, frame);
            instants.Add(new(frame[46], frame[47], frame[48], -obs[8], frame[49], frame[41]));
        }

        return instants;
    }
}
