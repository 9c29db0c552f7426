using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Robotics.Sim;
using Robotics.Sim.External;

namespace Robotics.Tests.Sim;

public sealed class ExternalEnvironmentTests
{
    private static readonly (bool Ours, byte[] Bytes)[] Exchange = ReadExchange();

    [Fact]
    public void Exchange_OfTheDocument_IsPlayedByteByByte()
    {
        using var simulator = new Script(Exchange);
        var step = new VectorStep(1, 2);
        using (var environment = simulator.Open(count: 1))
        {
            Assert.Equal(("cart", 1, 2, 1, 100), (environment.Name, environment.Count, environment.ObservationSize, environment.ActionSize, environment.StepLimit));
            environment.Reset(7, step.Observations);
            Assert.Equal([0.5f, 0], step.Observations);
            environment.Step([1], step);
            Assert.Equal([0.5f, 0.25f], step.Reached);
            Assert.Equal([0.5f, 0.25f], step.Observations);
            Assert.Equal(-0.5f, step.Rewards[0]);
            Assert.False(step.Terminated[0] || step.Truncated[0]);
        }

        simulator.Played();
    }

    // At: which of the simulator's answers is changed (0 welcome, 1 started, 2 stepped); Byte: where; Value: to what.
    [Theory]
    [InlineData(0, 0, 0x48, "its answer starts with 4853494D, expected 5253494D")]
    [InlineData(0, 4, 2, "it speaks version 2, expected 1")]
    [InlineData(0, 5, 4, "it answered with frame type 4, expected 2 (Welcome)")]
    [InlineData(0, 8, 9, "it answered request 9, expected 1")]
    [InlineData(0, 15, 0x7F, "its answer says 2130706454 bytes, expected at most")]
    [InlineData(0, 16, 3, "it offers 3 environments, 1 were asked for")]
    [InlineData(0, 16, 0, "it offers 0 environments, expected 1 to 65536")]
    [InlineData(0, 22, 1, "it offers 65538 observation elements, expected 1 to 65536")]
    [InlineData(0, 25, 5, "it offers 1281 action elements, expected 1 to 1024")]
    [InlineData(0, 28, 0, "it says episodes have at most 0 steps")]
    [InlineData(0, 32, 9, "its name is not 1 to 64")]
    [InlineData(0, 34, 0x20, "its name is not 1 to 64")]
    [InlineData(1, 12, 4, "its answer to Reset has 4 bytes, and its welcome (1 environments, 2 observation and 1 action elements) means 8")]
    [InlineData(1, 19, 0x7F, "failed: environment 0 gave NaN as element 0 of its first observations", 18, 0xC0)]
    [InlineData(2, 12, 0x11, "its answer to Step has 17 bytes")]
    [InlineData(2, 27, 0x7F, "goes on from another observation than the one it reached", 26, 0)]
    [InlineData(2, 35, 0xFF, "environment 0 gave -Infinity as element 0 of its reward", 34, 0x80)]
    [InlineData(2, 36, 4, "the end of environment 0 is 4, expected 0 to 3")]
    [InlineData(2, 8, 2, "it answered request 2, expected 3")]
    public void Lie_IsAnErrorThatSaysWhatWasExpectedAndWhatCame(int at, int place, byte value, string expected, int place2 = -1, byte value2 = 0)
    {
        var answers = Exchange.Select(frame => (frame.Ours, Bytes: frame.Bytes.ToArray())).ToArray();
        byte[] changed = answers.Where(frame => !frame.Ours).ElementAt(at).Bytes;
        changed[place] = value;
        if (place2 >= 0)
        {
            changed[place2] = value2;
        }

        using var simulator = new Script(answers);
        var error = Assert.Throws<SimulatorFailedException>(() => Play(simulator));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(simulator.Address, error.Message, StringComparison.Ordinal);
        Assert.Contains("go on from the checkpoint", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Death_InEveryPlaceOfAnAnswer_IsAnError()
    {
        byte[] stepped = Exchange.Last(frame => !frame.Ours).Bytes;
        for (int cut = 0; cut < stepped.Length; cut++)
        {
            var answers = Exchange.ToArray();
            answers[5].Bytes = stepped[..cut];
            using var simulator = new Script(answers[..6]);
            Assert.Contains($"it ended the connection after {cut} bytes", Assert.Throws<SimulatorFailedException>(() => Play(simulator)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Failure_InTheSimulatorsOwnWords_IsPassedOn()
    {
        var answers = Exchange.ToArray();
        answers[5].Bytes = [.. Exchange[5].Bytes[..5], 7, .. Exchange[5].Bytes[6..12], 5, 0, 0, 0, .. "motor"u8];
        using var simulator = new Script(answers);
        Assert.Contains("it says: motor.", Assert.Throws<SimulatorFailedException>(() => Play(simulator)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Hang_EndsAfterTheTimeThatWasSet()
    {
        var answers = Exchange.ToArray();
        answers[5].Bytes = Exchange[5].Bytes[..20];
        using var simulator = new Script([.. answers[..6], (true, new byte[1])]); // waits for a frame that never comes
        Assert.Contains("no answer to request 3 within 0.2 s: it hangs", Assert.Throws<SimulatorFailedException>(() => Play(simulator, 0.2)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Episode_LongerThanPromised_IsAnError()
    {
        var frames = new List<(bool Ours, byte[] Bytes)>(Exchange[..4]);
        for (byte i = 0; i < 100; i++)
        {
            frames.Add((true, [.. Exchange[4].Bytes[..8], (byte)(i + 3), .. Exchange[4].Bytes[9..]]));
            frames.Add((false, [.. Exchange[5].Bytes[..8], (byte)(i + 3), .. Exchange[5].Bytes[9..]]));
        }

        using var simulator = new Script([.. frames]);
        Assert.Contains("environment 0 did not end: it is at step 100, and its welcome promised at most 100", Assert.Throws<SimulatorFailedException>(() => Play(simulator, steps: 101)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tcp:10.0.0.1:5600")]
    [InlineData("tcp:127.0.0.1:70000")]
    [InlineData("127.0.0.1:5600")]
    [InlineData("unix:")]
    public void Address_ThatIsNone_IsAConfigurationError(string address) =>
        Assert.Contains($"'{address}' is no address", Assert.Throws<ConfigException>(() => new ExternalEnvironment(new() { Address = address })).Message, StringComparison.Ordinal);

    [Fact]
    public void Open_ByName_ReachesATaskOrAProgram()
    {
        using var simulator = new Script(Exchange);
        using (var environment = LearningTasks.Open("external:" + simulator.Address, new() { Count = 1 }))
        {
            Assert.Equal("cart", environment.Name);
        }

        using var pendulum = LearningTasks.Open("pendulum", new() { Count = 3 });
        Assert.Equal(("pendulum", 3, 3, 1), (pendulum.Name, pendulum.Count, pendulum.ObservationSize, pendulum.ActionSize));
        var gap = new VectorOptions { Dynamics = DynamicsRanges.Parse("gravity=2", "test") };
        Assert.Contains("are its own; 'gravity=2'", Assert.Throws<ConfigException>(() => LearningTasks.Open("external:tcp:127.0.0.1:1", gap)).Message, StringComparison.Ordinal);
        Assert.Contains("there is no task 'pendulun'; there are: cart-pole", Assert.Throws<ConfigException>(() => LearningTasks.Open("pendulun", new())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_IsAnErrorThatSaysWhatToDo()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<SimulatorFailedException>(() => new ExternalEnvironment(new() { Address = "unix:" + folder.At("nobody"), ConnectTimeout = TimeSpan.FromMilliseconds(50) }));
        Assert.Contains("start the simulator", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Python_SimulatorIsSteppedAndRepeats(bool tcp)
    {
        using var folder = new TemporaryFolder();
        using var python = new PythonSimulator(tcp ? "0" : folder.At("s"), null);
        float[] Play()
        {
            using var environment = new ExternalEnvironment(new() { Address = python.Address, Count = 3 });
            var step = new VectorStep(3, 2);
            environment.Reset(5, step.Observations);
            var all = new List<float>(step.Observations);
            int ends = 0;
            for (int i = 0; i < 120; i++)
            {
                float[] before = [.. step.Observations];
                environment.Step([1, 0, -1], step);
                Assert.Equal(before[0] + (0.1f * (before[1] + 0.1f)), step.Reached[0], 1e-5f); // the cart's own equations
                Assert.Equal(-Math.Abs(step.Reached[2]), step.Rewards[1], 1e-6f);
                ends += step.Terminated.Concat(step.Truncated).Count(ended => ended);
                all.AddRange(step.Reached);
            }

            Assert.True(ends > 6);
            return [.. all];
        }

        Assert.Equal(Play(), Play());
    }

    [Theory]
    [InlineData("hang", "it hangs")]
    [InlineData("die", "it ended the connection")]
    [InlineData("nan", "environment 0 gave NaN as element 0 of its observation")]
    [InlineData("short", "its answer to Step has 8 bytes")]
    public void Python_SimulatorThatMisbehaves_LosesNothingAndCanBeRestarted(string fault, string expected)
    {
        using var folder = new TemporaryFolder();
        string path = folder.At("s");
        var step = new VectorStep(2, 2);
        ExternalEnvironment environment;
        using (var python = new PythonSimulator(path, fault))
        {
            environment = new ExternalEnvironment(new() { Address = python.Address, Count = 2, AnswerTimeout = TimeSpan.FromSeconds(0.5) });
            environment.Reset(5, step.Observations);
            environment.Step([1, 1], step);
            environment.Step([1, 1], step);
            Assert.Contains(expected, Assert.Throws<SimulatorFailedException>(() => environment.Step([1, 1], step)).Message, StringComparison.Ordinal);
            Assert.Throws<InvalidOperationException>(() => environment.Step([1, 1], step));
        }

        File.Delete(path);
        using (environment)
        using (new PythonSimulator(path, null))
        {
            environment.Reset(6, step.Observations); // the same object goes on with the new process
            environment.Step([1, 1], step);
        }
    }

    [Fact]
    public void Step_WhenWarm_AllocatesNothing()
    {
        using var python = new PythonSimulator("0", null);
        using var environment = new ExternalEnvironment(new() { Address = python.Address, Count = 4 });
        var step = new VectorStep(4, 2);
        environment.Reset(5, step.Observations);
        float[] actions = new float[4];
        environment.Step(actions, step);
        Assert.Equal(0, Allocated.ByThisThread(() =>
        {
            for (int i = 0; i < 50; i++)
            {
                environment.Step(actions, step);
            }
        }));
    }

    private static void Play(Script simulator, double seconds = 10, int steps = 1)
    {
        using var environment = simulator.Open(1, seconds);
        var step = new VectorStep(1, 2);
        environment.Reset(7, step.Observations);
        for (int i = 0; i < steps; i++)
        {
            environment.Step([1], step);
        }
    }

    private static (bool Ours, byte[] Bytes)[] ReadExchange() =>
    [
        .. from line in File.ReadLines(Path.Combine(Repository.Root, "sim", "Robotics.Sim", "EXTERNAL.md"))
           where line.StartsWith("learner    ", StringComparison.Ordinal) || line.StartsWith("simulator  ", StringComparison.Ordinal)
           select (line[0] == 'l', Convert.FromHexString(line[11..].Replace(" ", "", StringComparison.Ordinal))),
    ];

    /// <summary>A simulator that expects and says given bytes, then hangs up.</summary>
    private sealed class Script : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly Task _play;

        public Script((bool Ours, byte[] Bytes)[] frames)
        {
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen();
            Address = $"tcp:127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}";
            _play = Task.Run(() =>
            {
                using var connection = _listener.Accept();
                foreach (var (ours, bytes) in frames)
                {
                    if (!ours)
                    {
                        connection.Send(bytes);
                        continue;
                    }

                    byte[] got = new byte[bytes.Length];
                    for (int at = 0, more; at < got.Length; at += more)
                    {
                        more = connection.Receive(got.AsSpan(at));
                        if (more == 0)
                        {
                            return; // the learner hung up at a lie
                        }
                    }

                    Assert.Equal(Convert.ToHexString(bytes), Convert.ToHexString(got));
                }
            });
        }

        public string Address { get; }

        public ExternalEnvironment Open(int count, double seconds = 10) => new(new() { Address = Address, Count = count, AnswerTimeout = TimeSpan.FromSeconds(seconds) });

        public void Played() => _play.GetAwaiter().GetResult();

        public void Dispose() => _listener.Dispose();
    }

    private sealed class PythonSimulator : IDisposable
    {
        private readonly Process _process;

        public PythonSimulator(string address, string? fault)
        {
            string script = Path.Combine(Repository.Root, "tests", "Robotics.Tests", "Sim", "external_simulator.py");
            var start = new ProcessStartInfo("python3", fault is null ? [script, address] : [script, address, "--fault", fault]) { RedirectStandardOutput = true };
            try
            {
                _process = Process.Start(start)!;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                Assert.Skip("python3 is not installed");
                throw;
            }

            Address = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("the simulator said nothing");
        }

        public string Address { get; }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
