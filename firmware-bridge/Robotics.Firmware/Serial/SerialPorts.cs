namespace Robotics.Firmware.Serial;

/// <summary>A serial port that is there now.</summary>
/// <param name="Path">What to open and write down: the name that stays the same across replugging, where there is one.</param>
/// <param name="Device">The name until it is unplugged, for example <c>/dev/ttyACM0</c>.</param>
/// <param name="ById">Name by maker, product and serial number; null where there is none.</param>
/// <param name="ByPath">Name by the socket it is plugged into; null where there is none.</param>
/// <param name="VendorId">USB vendor, four hex digits; null when it is not on USB.</param>
/// <param name="ProductId">USB product, four hex digits; null when it is not on USB.</param>
/// <param name="Product">Maker and product in words; null when the device does not say.</param>
public sealed record SerialPortInfo(string Path, string Device, string? ById, string? ByPath, string? VendorId, string? ProductId, string? Product);

/// <summary>Finds serial ports, with names that outlive a replug.</summary>
public static class SerialPorts
{
    /// <summary>The ports that are there now, by device name.</summary>
    /// <param name="root">Where <c>/dev</c> and <c>/sys</c> are; tests have their own.</param>
    public static IReadOnlyList<SerialPortInfo> List(string root = "/")
    {
        if (root == "/" && !OperatingSystem.IsLinux())
        {
            return [.. System.IO.Ports.SerialPort.GetPortNames().Order(StringComparer.Ordinal).Select(name => new SerialPortInfo(name, name, null, null, null, null, null))];
        }

        var byId = Links(Path.Combine(root, "dev/serial/by-id"));
        var byPath = Links(Path.Combine(root, "dev/serial/by-path"));
        string classes = Path.Combine(root, "sys/class/tty");
        var found = new SortedDictionary<string, SerialPortInfo>(StringComparer.Ordinal);
        foreach (string device in byId.Keys.Union(byPath.Keys).Union(Hardware(root, classes)))
        {
            string? usb = Usb(Path.Combine(classes, Path.GetFileName(device)));
            string? id = byId.GetValueOrDefault(device);
            string? path = byPath.GetValueOrDefault(device);
            string? words = usb is null ? null : $"{Text(usb, "manufacturer")} {Text(usb, "product")}".Trim();
            found[device] = new(
                id ?? path ?? device, device, id, path, usb is null ? null : Text(usb, "idVendor"), usb is null ? null : Text(usb, "idProduct"), words is "" ? null : words);
        }

        return [.. found.Values];
    }

    /// <summary>What to tell a person whose port could not be opened: why, and which ports there are.</summary>
    /// <param name="absent">As <see cref="SerialLine.Open"/> threw it.</param>
    public static ConfigException Absent(IOException absent)
    {
        ArgumentNullException.ThrowIfNull(absent);
        string ports = string.Join(", ", List().Select(port => port.Path)) is { Length: > 0 } list ? list : "none";
        return new($"{absent.Message} Ports here: {ports}.", absent);
    }

    /// <summary>Device of each link in <paramref name="folder"/>, with the link.</summary>
    private static Dictionary<string, string> Links(string folder)
    {
        var links = new Dictionary<string, string>();
        if (Directory.Exists(folder))
        {
            foreach (string link in Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal))
            {
                if (new FileInfo(link).LinkTarget is { } target)
                {
                    links.TryAdd(Path.GetFullPath(Path.Combine(folder, target)), link);
                }
            }
        }

        return links;
    }

    /// <summary>Terminals with hardware behind them; the kernel also lists consoles, pseudo-terminals and empty 8250 sockets.</summary>
    private static IEnumerable<string> Hardware(string root, string classes)
    {
        if (!Directory.Exists(classes))
        {
            yield break;
        }

        foreach (string entry in Directory.EnumerateFileSystemEntries(classes))
        {
            string device = Path.Combine(root, "dev", Path.GetFileName(entry));
            bool socket = Text(entry, "type") == "0"; // PORT_UNKNOWN: an 8250 that was not found
            if (Directory.Exists(Path.Combine(entry, "device")) && !socket && File.Exists(device))
            {
                yield return device;
            }
        }
    }

    /// <summary>The USB device that a terminal belongs to: the nearest folder above its interface that names a vendor.</summary>
    private static string? Usb(string entry)
    {
        // Link by link: the second is relative to where the first one leads.
        string device = Path.Combine(Target(entry), "device");
        if (!Directory.Exists(device))
        {
            return null;
        }

        for (var folder = new DirectoryInfo(Target(device)); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "idVendor")))
            {
                return folder.FullName;
            }
        }

        return null;
    }

    private static string Target(string link) => new DirectoryInfo(link).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? link;

    private static string? Text(string folder, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, file)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // unplugged meanwhile, or a device that does not say
        }
    }
}
