using System.Globalization;
using System.Text;
using Robotics.Learning.Networks;
using Robotics.Learning.OnPolicy;
using Robotics.Numerics;
using Robotics.Sim;
using Robotics.Sim.Tasks;

namespace Robotics.Bench;

/// <summary>PolicyFlow beside PPO: how many of six equal goals one start leads to, and the return on the hopper.</summary>
internal sealed class FlowGoals : IBenchmark
{
    private const int Episodes = 300, Counts = 6, Aim = 4;

    private static readonly ulong[] s_seeds = [1, 2, 3];

    public string Name => "flow-goals";

    public string Claim => "PolicyFlow reaches at least four of six goals from one start where Gaussian PPO reaches one or two, and earns at least PPO's return on the hopper";

    public int Run(string[] args)
    {
        var runs = LearningRuns.From(args);
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            Multi-goal: {Episodes} episodes from one start, the middle, actions drawn as in training; a goal counts as reached where at least {Counts} of them (2 %) end
            there. Same steps for both methods: 400,000, sixteen environments, T 128, γ 0.99, 64 x 2.
            Settings of both were chosen on seed 101.

            | method | seed | goals reached | episodes per goal, 0° to 300° | at none | mean return, deterministic |
            |---|---|---|---|---|---|
            """);
        int[] flow = [.. s_seeds.Select(seed => Goals(text, runs, Flow("multi-goal", seed)))], gaussian = [.. s_seeds.Select(seed => Goals(text, runs, Ppo(seed)))];
        text.AppendLine();
        text.AppendLine("Hopper: 300,000 steps each, four environments, T 512; mean return of 100 evaluation episodes, interquartile mean of three seeds with its 95 % bootstrap interval.");
        text.AppendLine();
        text.AppendLine("| method | seed 1 | seed 2 | seed 3 | interquartile mean |");
        text.AppendLine("|---|---|---|---|---|");
        LearningResult[] flows = [.. s_seeds.Select(seed => runs.Result(Flow("hopper", seed)))], others = [.. s_seeds.Select(seed => runs.Result(OnlineLearning.Ppo("hopper", seed)))];
        Hopper(text, "PolicyFlow", flows);
        Hopper(text, "PPO", others);
        bool goals = flow.All(count => count >= Aim), hopper = LearningRuns.Interval(flows).Mean >= LearningRuns.Interval(others).Mean;
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"Goals: {(goals ? $"holds, at least {Aim} for every seed" : $"**falls short** of {Aim} for every seed")} (PolicyFlow {string.Join(", ", flow)}; PPO {string.Join(", ", gaussian)}). Hopper: {(hopper ? "holds" : "**falls short**")}.");
        Bench.Report(Name, Trials.Shown(args), text.ToString());
        return goals && hopper ? 0 : 1;
    }

    private static LearningRun Flow(string task, ulong seed)
    {
        PolicyFlowOptions options = task == "hopper"
            ? new() { LearningRate = 1e-3, Horizon = 512, Seed = seed }
            : new() { LearningRate = 1e-3, Horizon = 128, Seed = seed };
        return new(task, "flow", seed)
        {
            Count = task == "hopper" ? 4 : 16,
            Steps = task == "hopper" ? 300_000 : 400_000,
            Every = 2048,
            Look = task == "hopper" ? null : Reached,
            Create = (environment, _) => new PolicyFlow(environment, options),
        };
    }

    private static LearningRun Ppo(ulong seed)
    {
        OnPolicyOptions options = new() { LearningRate = 1e-3, Horizon = 128, AnnealOver = 400_000, Seed = seed };
        return new("multi-goal", "ppo", seed) { Count = 16, Steps = 400_000, Every = 2048, Look = Reached, Create = (environment, _) => new Ppo(environment, options) };
    }

    // Episodes per goal, then those at none; every one from the nominal start.
    private static double[] Reached(Actor actor)
    {
        var task = (MultiGoal)LearningTasks.Named("multi-goal");
        using var environment = new TaskEnvironment(task);
        var random = new SeededRandom(7);
        float[] signals = new float[task.Robot.Layout.Length], action = new float[2];
        double[] ended = new double[MultiGoal.Goals + 1];
        for (int episode = 0; episode < Episodes; episode++)
        {
            environment.Reset(0, signals); // seed 0 is the nominal start
            for (bool over = false; !over;)
            {
                actor.Act(signals.AsSpan(0, 2), action, random); // the observation is the position, an action is m/s
                var step = environment.Step([Math.Clamp(action[0], -1, 1), Math.Clamp(action[1], -1, 1)], signals);
                over = step.Terminated || step.Truncated;
            }

            int goal = MultiGoal.GoalAt(signals);
            ended[goal < 0 ? MultiGoal.Goals : goal]++;
        }

        return ended;
    }

    private static int Goals(StringBuilder text, LearningRuns runs, LearningRun run)
    {
        var result = runs.Result(run);
        int reached = result.Seen[..MultiGoal.Goals].Count(count => count >= Counts);
        text.AppendLine(string.Create(CultureInfo.InvariantCulture,
            $"| {(run.Method == "ppo" ? "PPO" : "PolicyFlow")} | {run.Seed} | **{reached}** | {string.Join(", ", result.Seen[..MultiGoal.Goals])} | {result.Seen[MultiGoal.Goals]} | {result.Mean:F1} |"));
        return reached;
    }

    private static void Hopper(StringBuilder text, string method, LearningResult[] results)
    {
        var (mean, low, high) = LearningRuns.Interval(results);
        text.AppendLine(string.Create(CultureInfo.InvariantCulture,
            $"| {method} | {string.Join(" | ", results.Select(r => r.Mean.ToString("F1", CultureInfo.InvariantCulture)))} | **{mean:F1}** ({low:F1} to {high:F1}) |"));
    }
}
