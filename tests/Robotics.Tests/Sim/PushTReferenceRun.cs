using System.Globalization;

namespace Robotics.Tests.Sim;

/// <summary>One row of the published engine's trajectories (pusht-dynamics/trajectories.csv), px and rad.</summary>
internal sealed record PushTRow(int Episode, int Step, double[] Values)
{
    public Robotics.Sim.Planar.Vec2 Action => new(Values[0], Values[1]);

    public Robotics.Sim.Planar.Vec2 Agent => new(Values[2], Values[3]);

    public Robotics.Sim.Tasks.PlanarPose Block => new(Values[6], Values[7], Values[8]);

    public double Coverage => Values[9];

    /// <summary>Rows of each episode, in order; row 0 is the state after the reset.</summary>
    public static PushTRow[][] Read(string path) =>
        [.. File.ReadLines(path).Skip(1)
            .Select(line => line.Split(','))
            .Select(cells => new PushTRow(int.Parse(cells[0], CultureInfo.InvariantCulture), int.Parse(cells[1], CultureInfo.InvariantCulture),
                [.. cells[2..13].Select(cell => double.Parse(cell, CultureInfo.InvariantCulture))]))
            .GroupBy(row => row.Episode)
            .Select(group => group.ToArray())];
}
