namespace Robotics.Tests.Policies;

public sealed class PackageCorruptionTests
{
    [Fact]
    public void Load_WithAnyValueSpoilt_RefusesAndSaysSomethingOfItsOwn()
    {
        string folder = Path.Combine(Repository.Root, "models", "push-t-diffusion");
        Assert.Null(PackageCorruption.Refusal(folder));
        var tried = PackageCorruption.Try(folder);
        Assert.Empty(tried.Where(one => one.Refusal is null).Select(one => one.What));
        Assert.Empty(tried.GroupBy(one => one.Refusal).Where(same => same.Count() > 1).Select(same => $"{string.Join("; ", same.Select(one => one.What))}: {same.Key}"));
    }
}
