using System.Xml.Linq;

namespace Robotics.Tests.Architecture;

public sealed class ProjectReferences
{
    [Fact]
    public void EveryRoomReferencesOnlyCore()
    {
        var strays =
            from file in ProjectFiles()
            let room = Path.GetFileNameWithoutExtension(file)
            where room is not ("Robotics.Host" or "Robotics.Lab") && !file.Contains("/tests/", StringComparison.Ordinal)
            from reference in XDocument.Load(file).Descendants("ProjectReference")
            let target = Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/'))
            where target != "Robotics.Core"
            select $"{room} -> {target}";
        Assert.Empty(strays);
    }

    [Fact]
    public void CoreReferencesNothing()
    {
        var core = XDocument.Load(ProjectFiles().Single(file => file.EndsWith("/Robotics.Core.csproj", StringComparison.Ordinal)));
        Assert.Empty(core.Descendants("ProjectReference"));
        Assert.Empty(core.Descendants("PackageReference"));
    }

    private static IEnumerable<string> ProjectFiles() =>
        Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/artifacts/", StringComparison.Ordinal));
}
