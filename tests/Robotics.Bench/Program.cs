// dotnet run -c Release --project tests/Robotics.Bench -- NAME [options]
// One file per claim; each is found by its type. Without a name: the list.
using System.Globalization;
using Robotics.Bench;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
var all = typeof(IBenchmark).Assembly.GetTypes()
    .Where(type => type.IsClass && type.IsAssignableTo(typeof(IBenchmark)))
    .Select(type => (IBenchmark)Activator.CreateInstance(type)!)
    .OrderBy(bench => bench.Name, StringComparer.Ordinal)
    .ToArray();

if (args is [var name, .. var rest] && all.SingleOrDefault(bench => bench.Name == name) is { } chosen)
{
    return chosen.Run(rest);
}

Console.WriteLine("usage: Robotics.Bench NAME [options]");
foreach (var bench in all)
{
    Console.WriteLine($"  {bench.Name,-16} {bench.Claim}");
}

return args.Length == 0 ? 0 : 2;
