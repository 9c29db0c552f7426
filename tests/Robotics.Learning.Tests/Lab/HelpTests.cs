using Robotics.Lab.Reinforcement;
using Robotics.Tests;

namespace Robotics.Learning.Tests.Lab;

/// <summary>What a person gets who asks, and who forgets something.</summary>
public sealed class HelpTests
{
    [Theory]
    [InlineData("collect", "--episodes")]
    [InlineData("eval", "--policy")]
    [InlineData("export", "--run")]
    [InlineData("train", "diffusion")]
    [InlineData("train sac", "learning_rate          0.0003")]
    public void Help_WithoutWhatIsRequired_StillHelps(string command, string expected)
    {
        var (code, output, errors) = LabProcess.Run(Repository.Root, [.. command.Split(' '), "--help"]);
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_OfEveryMethod_SaysWhatEachSettingIs()
    {
        foreach (var method in LearningMethod.All)
        {
            foreach (string line in MethodSettings.Describe(method.Options).Split('\n').Skip(1))
            {
                Assert.True(line.TrimEnd().Split(' ', StringSplitOptions.RemoveEmptyEntries).Length > 3, $"{method.Name}: no words for '{line}'");
            }
        }
    }

    [Fact]
    public void Train_WithoutATask_NamesTheOptionAndTheHelpThatLists()
    {
        var (code, _, errors) = LabProcess.Run(Repository.Root, "train", "sac", "--run", "nowhere");
        Assert.Equal(2, code);
        Assert.Equal("robotics-lab: Option '--task' is required.\nSee 'robotics-lab train sac --help'.\n", errors);
    }

    [Theory]
    [InlineData("learning_rte=1", "--set learning_rte=1 is not NAME=VALUE with a NAME of hidden, learning_rate")]
    [InlineData("learning_rate=fast", "learning_rate: is 'fast', which cannot be read as a number")]
    [InlineData("learning_rate=2", "learning_rate is 2, expected above 0, up to 1")]
    public void Train_WithAWrongSetting_SaysWhatThereIs(string setting, string expected)
    {
        using var folder = new TemporaryFolder();
        var (code, _, errors) = LabProcess.Run(folder.Path, "train", "sac", "--task", "pendulum", "--run", "run", "--set", setting);
        Assert.Equal(2, code);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
    }
}
