using Robotics.Firmware.Serial;

namespace Robotics.Tests.Firmware;

/// <summary>Discovery of ports, on a system of files made for the test.</summary>
public sealed class SerialPortsTests : IDisposable
{
    private readonly TemporaryFolder _root = new();

    public void Dispose() => _root.Dispose();

    [Fact]
    public void List_NamesAUsbPortByWhatOutlivesAReplug_AndLeavesConsolesOut()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "device files are Linux here");
        string usb = Folder("sys/devices/usb1/1-2");
        string terminal = Folder("sys/devices/usb1/1-2/1-2:1.0/tty/ttyACM0");
        Folder("sys/class/tty/tty1"); // a console: nothing behind it
        Folder("dev/serial/by-id");
        Folder("dev/serial/by-path");
        foreach (string device in new[] { "dev/ttyACM0", "dev/tty1" })
        {
            File.WriteAllText(_root.At(device), "");
        }

        foreach (var (name, text) in new[] { ("idVendor", "1a86\n"), ("idProduct", "55d3\n"), ("manufacturer", "QinHeng\n"), ("product", "USB Single Serial\n") })
        {
            File.WriteAllText(Path.Combine(usb, name), text);
        }

        File.CreateSymbolicLink(_root.At("sys/class/tty/ttyACM0"), terminal);
        File.CreateSymbolicLink(Path.Combine(terminal, "device"), "../..");
        File.CreateSymbolicLink(_root.At("dev/serial/by-id/usb-QinHeng-if00"), "../../ttyACM0");
        File.CreateSymbolicLink(_root.At("dev/serial/by-path/pci-0-usb-2"), "../../ttyACM0");

        var port = Assert.Single(SerialPorts.List(_root.Path));
        Assert.Equal(_root.At("dev/serial/by-id/usb-QinHeng-if00"), port.Path);
        Assert.Equal(port.Path, port.ById);
        Assert.Equal(_root.At("dev/serial/by-path/pci-0-usb-2"), port.ByPath);
        Assert.Equal(_root.At("dev/ttyACM0"), port.Device);
        Assert.Equal(("1a86", "55d3", "QinHeng USB Single Serial"), (port.VendorId, port.ProductId, port.Product));
    }

    [Fact]
    public void List_WhereThereIsNothing_IsEmpty() => Assert.Empty(SerialPorts.List(_root.Path));

    private string Folder(string path) => Directory.CreateDirectory(_root.At(path)).FullName;
}
