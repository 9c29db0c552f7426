using Robotics.Learning.Data;
using Robotics.Learning.Hybrid;
using Robotics.Learning.Offline;
using Robotics.Learning.OffPolicy;
using Robotics.Learning.OnPolicy;
using Robotics.Learning.Training;

namespace Robotics.Lab.Reinforcement;

/// <summary>What a method learns from.</summary>
[Flags]
internal enum LearnsFrom
{
    /// <summary>Steps that it takes in a simulator.</summary>
    Simulator = 1,

    /// <summary>Recorded transitions.</summary>
    Records = 2,
}

/// <summary>What a method is given.</summary>
/// <param name="Simulator">Where it acts; null for methods that only read records.</param>
/// <param name="Records">What was recorded; null for methods that only act.</param>
/// <param name="Folder">Where its replay lies; null: nowhere.</param>
/// <param name="CheckpointEvery">Steps between two checkpoints.</param>
internal sealed record MethodInput(IVectorEnvironment? Simulator, TransitionSet? Records, string? Folder, long CheckpointEvery);

/// <summary>A reinforcement learning method as the command line knows it.</summary>
/// <param name="Name">Its word.</param>
/// <param name="Description">One line.</param>
/// <param name="Options">Type of its settings, a record with a <c>Seed</c>.</param>
/// <param name="From">What it learns from.</param>
/// <param name="Create">Makes the learner from checked settings.</param>
internal sealed record LearningMethod(string Name, string Description, Type Options, LearnsFrom From, Func<MethodInput, object, IReinforcement> Create)
{
    /// <summary>Every method.</summary>
    public static IReadOnlyList<LearningMethod> All { get; } =
    [
        Of<SacOptions>("sac", "soft actor-critic, learning in a simulator (Haarnoja et al. 2018)", LearnsFrom.Simulator,
            (input, options) => new Sac(input.Simulator!, options, input.Folder, input.CheckpointEvery)),
        Of<OnPolicyOptions>("ppo", "proximal policy optimisation, learning in a simulator (Schulman et al. 2017)", LearnsFrom.Simulator,
            (input, options) => new Ppo(input.Simulator!, options)),
        Of<OnPolicyOptions>("spo", "simple policy optimisation: PPO that is pulled back to its bound instead of clipped (Xie et al. 2024)", LearnsFrom.Simulator,
            (input, options) => new Spo(input.Simulator!, options)),
        Of<PolicyFlowOptions>("policy-flow", "PPO with a flow as its actor, for actions with more than one mode (PolicyFlow)", LearnsFrom.Simulator,
            (input, options) => new PolicyFlow(input.Simulator!, options)),
        Of<BehaviourCloningOptions>("bc", "behaviour cloning: does what the record did", LearnsFrom.Records,
            (input, options) => new BehaviourCloning(input.Records!, options)),
        Of<GaussianCloningOptions>("bc-gaussian", "behaviour cloning by likelihood: a Gaussian or a mixture, which 'steering.improve' can move (Bishop 1994)", LearnsFrom.Records,
            (input, options) => new GaussianCloning(input.Records!, options)),
        Of<Td3BcOptions>("td3bc", "TD3 that stays near the record, offline (Fujimoto and Gu 2021)", LearnsFrom.Records,
            (input, options) => new Td3Bc(input.Records!, options)),
        Of<IqlOptions>("iql", "implicit Q-learning, offline (Kostrikov et al. 2021)", LearnsFrom.Records,
            (input, options) => new Iql(input.Records!, options)),
        Of<RlpdOptions>("rlpd", "learning in a simulator with a record at hand, half and half (Ball et al. 2023)", LearnsFrom.Simulator | LearnsFrom.Records,
            (input, options) => new Rlpd(input.Simulator!, input.Records!, options, input.Folder, input.CheckpointEvery)),
        Of<H2oOptions>("h2o", "records of a robot and a simulator that differs from it, weighed by how much (Niu et al. 2022)", LearnsFrom.Simulator | LearnsFrom.Records,
            (input, options) => new H2o(input.Simulator!, input.Records!, options, input.Folder, input.CheckpointEvery)),
    ];

    /// <summary>By name.</summary>
    /// <exception cref="ConfigException">Unknown.</exception>
    public static LearningMethod Named(string name) => All.FirstOrDefault(method => method.Name == name)
        ?? throw new ConfigException($"There is no method '{name}'; there are {string.Join(", ", All.Select(method => method.Name))}.");

    private static LearningMethod Of<T>(string name, string description, LearnsFrom from, Func<MethodInput, T, IReinforcement> create)
        where T : notnull => new(name, description, typeof(T), from, (input, options) => create(input, (T)options));
}
