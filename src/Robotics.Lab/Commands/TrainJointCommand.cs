using System.CommandLine;
using Robotics.Host;
using Robotics.Learning.Data;
using Robotics.Learning.Evaluation;
using Robotics.Learning.Networks;
using Robotics.Numerics;
using Robotics.Observations;

namespace Robotics.Lab.Commands;

/// <summary><c>robotics-lab train joint</c>: demonstrations and rollouts to one model that acts, imagines and judges.</summary>
internal static class TrainJointCommand
{
    private const int Known = 2000; // held-out windows that a finished model is asked about

    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "demonstrations: records or folders of them", Required = true, AllowMultipleArgumentsPerToken = true };
        var rollouts = new Option<string[]>("--rollouts") { Description = "records of what policies did, failures among them", Required = true, AllowMultipleArgumentsPerToken = true };
        var run = new Option<DirectoryInfo>("--run") { Description = "the run's folder: config, metrics, checkpoint, plot, package", Required = true };
        var outcome = new Option<string[]>("--outcome") { Description = "what the future is: observation terms, or elements as 'robotics check' names them, whose change over the chunk it is; all when left out", AllowMultipleArgumentsPerToken = true };
        var discount = new Option<double>("--discount") { Description = "γ per step: success k steps later is worth 2·γ^k - 1", DefaultValueFactory = _ => 0.99 };
        var candidates = new Option<int>("--candidates") { Description = "N, chunks drawn per plan, 1 to 256", DefaultValueFactory = _ => 8 };
        var width = new Option<int>("--width") { Description = "of the network's layers", DefaultValueFactory = _ => 512 };
        var layers = new Option<int>("--layers") { Description = "of the network", DefaultValueFactory = _ => 4 };
        var executed = new Option<int?>("--executed") { Description = "Ta: rows executed of each chunk; the task's own when left out" };
        var steps = new Option<long>("--steps") { Description = "updates", DefaultValueFactory = _ => 20000 };
        var batch = new Option<int>("--batch") { Description = "windows per update, half of them rollouts", DefaultValueFactory = _ => 256 };
        var rate = new Option<double>("--learning-rate") { Description = "at its peak", DefaultValueFactory = _ => 1e-3 };
        var seed = new Option<ulong>("--seed") { Description = "of weights, batches and noise", DefaultValueFactory = _ => 1 };
        var threads = new Option<int>("--threads") { Description = "of libtorch", DefaultValueFactory = _ => 1 };
        var validation = new Option<double>("--validation") { Description = "share of rollouts kept to see what the model knows", DefaultValueFactory = _ => 0.05 };
        var name = new Option<string?>("--name") { Description = "of the policy; TASK-joint when left out" };
        var flags = new DataFlags();
        var command = new Command("joint", """
            One denoiser of action chunk, future and value: it acts, imagines what its chunks lead to, and judges them (Cosmos Policy).

            Half of every batch is demonstrations, to act like; half is rollouts, good and bad, to learn consequences from. The package
            plans: it draws several chunks and executes the one whose futures are worth most, within the deadline.

            Interrupt it at any time, or kill it: the same command goes on from the last checkpoint and ends with the same bytes.

            Example:
              robotics-lab collect --policy runs/push-t-flow/package --noise 0.01 --seed 7 --out data/push-t-rollouts
              robotics-lab train joint --data data/push-t --rollouts data/push-t-rollouts --run runs/push-t-joint
            """)
        { data, rollouts, run, outcome, discount, candidates, width, layers, executed, steps, batch, rate, seed, threads, validation, name };
        flags.AddTo(command);
        command.SetGuardedAction((parsed, cancellation) =>
        {
            var task = flags.Task(parsed);
            var wiring = flags.Wiring(parsed, task);
            var filter = flags.Filter(parsed);
            var shown = EpisodeSet.Read(parsed.GetValue(data)!, wiring, filter);
            var done = EpisodeSet.Read(parsed.GetValue(rollouts)!, wiring, filter with { Outcome = null, Sent = true });
            var check = new ConfigCheck("command line");
            check.That(shown.Robot.Name == done.Robot.Name, "--rollouts", $"were recorded on robot '{done.Robot.Name}', --data on '{shown.Robot.Name}'");
            check.Range(parsed.GetValue(candidates), 1, 256, "--candidates");
            check.That(parsed.GetValue(batch) >= 4, "--batch", $"is {parsed.GetValue(batch)}, expected 4 or more: half demonstrations, a quarter world model, a quarter value");
            int[] elements = Elements(parsed.GetValue(outcome) ?? [], new ObservationAssembler(wiring, shown.Robot).Elements, check);
            check.Throw();
            var (seen, horizon, rows) = task.Windows;
            rows = parsed.GetValue(executed) ?? rows;
            var demonstrations = Told(shown);
            var (training, held) = Demonstration.Split(Told(done), parsed.GetValue(validation), parsed.GetValue(seed));
            int frame = demonstrations[0].ObservationSize, size = demonstrations[0].ActionSize;
            var wanted = new OutcomeOptions { Elements = elements, Discount = parsed.GetValue(discount) };
            var cut = new WindowOptions { ObservationSteps = seen, Horizon = horizon, Executed = task.PaddedRows + 1 };
            Demonstration[] all = [.. demonstrations, .. training];
            var observations = Statistics.Fit("min_max", all.Select(episode => episode.Observations), frame);
            var actions = Statistics.Fit("min_max", all.Select(episode => episode.Actions), size);
            var futures = JointWindows.FitFutures(all, cut, wanted);
            var config = new TrainingConfig
            {
                Command = "robotics-lab " + string.Join(' ', parsed.Tokens.Select(token => token.Value)),
                Task = task.Name,
                Method = "joint",
                Network = JointDenoiser.Of(horizon * size, elements.Length, seen * frame, NetworkHead.Action) with { Width = parsed.GetValue(width), Layers = parsed.GetValue(layers) },
                Options = TrainCommand.Options(parsed.GetValue(steps), parsed.GetValue(batch), parsed.GetValue(rate), parsed.GetValue(seed), parsed.GetValue(threads)),
                ObservationSteps = seen,
                Executed = rows,
                DataSha256 = shown.Sha256,
                Episodes = demonstrations.Count + training.Count,
                Observations = observations,
                Actions = actions,
                Examples = TrainCommand.Examples(demonstrations, seen, frame),
                Sampler = new()
                {
                    Horizon = horizon,
                    Flow = new() { Steps = 5 },
                    Candidates = parsed.GetValue(candidates),
                    Joint = new() { Future = elements.Length, Outcome = elements, Normalization = futures },
                },
            };
            var (o, a, f) = (new Normalizer(observations, frame), new Normalizer(actions, size), new Normalizer(futures, elements.Length));
            string source = string.Join(", ", [.. parsed.GetValue(data)!, .. parsed.GetValue(rollouts)!]);
            var windows = JointWindows.Cut(demonstrations, training, cut, wanted, o, a, f, source);
            Console.Error.WriteLine($"{demonstrations.Count} demonstrations ({shown.Successes} succeeded), {training.Count} rollouts ({training.Count(episode => episode.Success == true)} succeeded), {windows.Count} windows; {held.Count} rollouts are held out");
            string folder = parsed.GetValue(run)!.FullName;
            string policy = parsed.GetValue(name) ?? $"{task.Name}-joint";
            return Task.FromResult(TrainCommand.Train(config, task, wiring, windows, Knowledge, folder, policy, cancellation));

            IEnumerable<(string, double)> Knowledge(Learning.Imitation.IImitation method, Network average)
            {
                if (held.Count == 0 || held.All(episode => episode.Success == true))
                {
                    return [];
                }

                var tests = JointWindows.Cut(demonstrations[..1], held, cut, wanted, o, a, f, "held-out rollouts");
                var known = JointKnowledge.Of(average, config.Sampler, tests, Known, seed: 12345);
                (string, double Value)[] numbers = [("outcome_r2", known.OutcomeR2), ("value_auc", known.ValueAuc)];
                return numbers.Where(number => !double.IsNaN(number.Value)); // a future that never changes, or one kind of ending only
            }
        });
        return command;
    }

    // An episode whose record went on after it has no end to be worth something.
    private static List<Demonstration> Told(EpisodeSet set) => [.. set.Episodes.Where(episode => episode.Success is not null)];

    private static int[] Elements(string[] terms, IReadOnlyList<ObservationElement> elements, ConfigCheck check)
    {
        foreach (string term in terms)
        {
            check.That(elements.Any(element => Is(element, term)), "--outcome",
                $"names '{term}'; the observation's terms are {string.Join(", ", elements.Select(element => element.Term).Distinct())}, its elements {string.Join(", ", elements.Select(element => element.Element))}");
        }

        return [.. elements.Where(element => terms.Length == 0 || Array.Exists(terms, term => Is(element, term))).Select(element => element.Index)];

        static bool Is(ObservationElement element, string term) => element.Term == term || element.Element == term;
    }
}
