using System.Globalization;
using Robotics.Sim.Planar;

namespace Robotics.Sim.Tasks;

/// <summary>A picture of the PushT table, read from the robot's signal frame: as SVG for reports, as text for a terminal.</summary>
/// <param name="Agent">px.</param>
/// <param name="Block">px and rad.</param>
/// <param name="Coverage">0 to 1.</param>
public readonly record struct PushTScene(Vec2 Agent, PlanarPose Block, double Coverage)
{
    /// <summary>Reads the scene from a signal frame of <see cref="PushT.Describe"/>.</summary>
    /// <exception cref="ArgumentException">The frame has another length.</exception>
    public static PushTScene From(ReadOnlySpan<float> signals)
    {
        if (signals.Length != PushT.Describe().Layout.Length)
        {
            throw new ArgumentException($"The signal frame has {signals.Length} elements, robot 'push-t' has {PushT.Describe().Layout.Length}.", nameof(signals));
        }

        const double px = PushT.PixelsPerMetre;
        return new(new(signals[0] * px, signals[1] * px), new(signals[6] * px, signals[7] * px, signals[8]), signals[30]);
    }

    /// <summary>Number of characters that <see cref="WriteText"/> needs.</summary>
    public static int TextLength(int columns, int rows) => (columns + 1) * rows;

    /// <summary>Draws the table as one SVG element, 512 px square.</summary>
    /// <param name="to">Receives the text; culture-independent.</param>
    /// <param name="path">Where the agent has been, px; may be empty.</param>
    /// <param name="chunk">Planned targets, px; may be empty.</param>
    public void WriteSvg(TextWriter to, ReadOnlySpan<Vec2> path = default, ReadOnlySpan<Vec2> chunk = default)
    {
        ArgumentNullException.ThrowIfNull(to);
        to.Write("""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512" width="512" height="512" font-family="system-ui, sans-serif">
            <rect width="512" height="512" fill="#f8fafc"/>
            <rect x="5" y="5" width="501" height="501" rx="3" fill="none" stroke="#94a3b8" stroke-width="4"/>

            """);
        Outline(to, PushTWorld.Goal, "fill=\"#bbf7d0\" stroke=\"#22c55e\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"");
        Outline(to, Block, "fill=\"#64748b\" fill-opacity=\"0.88\" stroke=\"#334155\" stroke-width=\"1.5\" stroke-linejoin=\"round\"");
        if (path.Length > 1)
        {
            to.Write("<polyline fill=\"none\" stroke=\"#3b82f6\" stroke-opacity=\"0.45\" stroke-width=\"2.5\" stroke-linejoin=\"round\" points=\"");
            Points(to, path);
            to.Write("\"/>\n");
        }

        Write(to, $"<circle cx=\"{Agent.X:F2}\" cy=\"{Agent.Y:F2}\" r=\"{PushTWorld.AgentRadius}\" fill=\"#2563eb\" stroke=\"#1e3a8a\" stroke-width=\"1.5\"/>\n");
        for (int i = 0; i < chunk.Length; i++)
        {
            // Later rows fade: they are the least certain to be executed.
            double opacity = 1 - (0.75 * i / chunk.Length);
            Write(to, $"<circle cx=\"{chunk[i].X:F2}\" cy=\"{chunk[i].Y:F2}\" r=\"4\" fill=\"#f97316\" fill-opacity=\"{opacity:F2}\"/>\n");
        }

        Write(to, $"<text x=\"16\" y=\"30\" font-size=\"15\" fill=\"#334155\">coverage {Coverage * 100:F1} %</text>\n</svg>\n");
    }

    /// <summary>Draws the table as lines of text: goal ░, block ▓, both █, agent ●, next target +. Allocation-free.</summary>
    /// <param name="into">At least <see cref="TextLength"/> characters; every line ends with a newline.</param>
    /// <param name="columns">Characters per line, 8 to 200; twice the rows looks square.</param>
    /// <param name="rows">Lines, 4 to 100.</param>
    /// <param name="target">Next target, px; null: none.</param>
    /// <returns>Characters written.</returns>
    /// <exception cref="ArgumentException">The buffer is too short or the size is out of range.</exception>
    public int WriteText(Span<char> into, int columns, int rows, Vec2? target = null)
    {
        if (columns is < 8 or > 200 || rows is < 4 or > 100 || into.Length < TextLength(columns, rows))
        {
            throw new ArgumentException($"{columns} x {rows} characters in a buffer of {into.Length}, expected 8 to 200 columns, 4 to 100 rows and room for {TextLength(columns, rows)}.", nameof(into));
        }

        double width = PushTWorld.Side / columns;
        double height = PushTWorld.Side / rows;
        int at = 0;
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                var point = new Vec2((column + 0.5) * width, (row + 0.5) * height);
                bool marked = target is { } t && (int)(t.X / width) == column && (int)(t.Y / height) == row;
                into[at++] = marked ? '+'
                    : (point - Agent).Length <= PushTWorld.AgentRadius ? '●'
                    : (Covers(Block, point), Covers(PushTWorld.Goal, point)) switch
                    {
                        (true, true) => '█',
                        (true, false) => '▓',
                        (false, true) => '░',
                        _ => '·',
                    };
            }

            into[at++] = '\n';
        }

        return at;
    }

    private static bool Covers(PlanarPose block, Vec2 point)
    {
        var local = (point - new Vec2(block.X, block.Y)).Rotate(Vec2.FromAngle(-block.Angle));
        return local is { X: >= -60 and <= 60, Y: >= 0 and <= 30 } or { X: >= -15 and <= 15, Y: >= 30 and <= 120 };
    }

    private static void Outline(TextWriter to, PlanarPose pose, string style)
    {
        Span<Vec2> corners = stackalloc Vec2[PushTWorld.Outline.Count];
        PushTWorld.Transform([.. PushTWorld.Outline], pose, corners);
        to.Write("<polygon points=\"");
        Points(to, corners);
        to.Write("\" ");
        to.Write(style);
        to.Write("/>\n");
    }

    private static void Points(TextWriter to, ReadOnlySpan<Vec2> points)
    {
        foreach (var point in points)
        {
            Write(to, $"{point.X:F2},{point.Y:F2} ");
        }
    }

    private static void Write(TextWriter to, FormattableString text) => to.Write(text.ToString(CultureInfo.InvariantCulture));
}
