namespace Robotics.Tests;

/// <summary>Where the checkout is, and the material that lies beside it.</summary>
internal static class Repository
{
    /// <summary>The folder with Robotics.sln.</summary>
    public static string Root { get; } = Find();

    /// <summary>Path under <c>../shared/cases</c>; skips the test, saying what is missing, when it is absent.</summary>
    public static string Case(string path)
    {
        string full = Path.Combine(Root, "..", "shared", "cases", path);
        Assert.SkipUnless(Path.Exists(full), $"../shared/cases/{path} is absent");
        return Path.GetFullPath(full);
    }

    private static string Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Robotics.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException($"No Robotics.sln above {AppContext.BaseDirectory}.");
    }
}
