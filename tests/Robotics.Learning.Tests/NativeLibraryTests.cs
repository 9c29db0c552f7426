using TorchSharp;

namespace Robotics.Learning.Tests;

public sealed class NativeLibraryTests
{
    [Fact]
    public void LibTorch_Loads_AlsoWhereLibstdcxxIsOlderThanGcc13()
    {
        using var scope = torch.NewDisposeScope();
        Assert.Equal(6f, torch.tensor(new[] { 1f, 2f, 3f }).sum().item<float>());
    }
}
