using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Offsets = Robotics.Sim.Mujoco.MujocoOffsets;

namespace Robotics.Sim.Mujoco;

/// <summary>The MuJoCo library of this machine: found, checked and bound once per process. Safe for any thread.</summary>
/// <remarks>
/// Structures are read by byte offsets from a table that belongs to one MuJoCo version, so another version is refused, and a
/// self-test on a tiny model proves the table before the first use.
/// <para>MuJoCo's fatal errors (<c>mju_error</c>: out of memory, its stack too small) must not return to the C code that raised
/// them, which would write out of bounds, and by default they wait for a key and end the process. Neither a .NET exception nor
/// longjmp may cross those C frames. So the handler records the text in <see cref="Fault"/>, writes it to standard error, and
/// parks the thread that was stepping for good; other threads live on, and whoever waits for that robot sees stale
/// observations and holds.</para>
/// </remarks>
public static unsafe class MujocoLibrary
{
    /// <summary>Environment variable that names the library file.</summary>
    public const string Variable = "ROBOTICS_MUJOCO";

    private const string SelfTestModel = """
        <mujoco><compiler angle="radian"/><option timestep="0.003" gravity="0 0 0"/><worldbody><body pos="1 2 3"><freejoint/>
        <geom size="0.1"/><body><joint name="a" axis="0 1 0"/><geom size="0.1" pos="0.3 0 0"/></body></body></worldbody>
        <actuator><motor joint="a"/><motor joint="a" gear="2"/><motor joint="a"/></actuator></mujoco>
        """;

    private static readonly Lock Gate = new();
    private static readonly ConcurrentQueue<string> Faults = new();
    private static nint _handle;
    private static string? _problem;

    [ThreadStatic]
    private static string? _warning;

    internal static delegate* unmanaged<byte*, void*, byte*, int, byte*> LoadXml { get; private set; }

    internal static delegate* unmanaged<byte*, void> DeleteModel { get; private set; }

    internal static delegate* unmanaged<byte*, byte*> MakeData { get; private set; }

    internal static delegate* unmanaged<byte*, void> DeleteData { get; private set; }

    internal static delegate* unmanaged<byte*, byte*, void> ResetData { get; private set; }

    internal static delegate* unmanaged<byte*, byte*, int, void> ResetDataKeyframe { get; private set; }

    internal static delegate* unmanaged<byte*, byte*, void> Forward { get; private set; }

    internal static delegate* unmanaged<byte*, byte*, void> StepOnce { get; private set; }

    internal static delegate* unmanaged<byte*, byte*, void> SetConstants { get; private set; }

    internal static delegate* unmanaged<byte*, int, byte*, int> NameToId { get; private set; }

    internal static delegate* unmanaged<byte*, int, int, byte*> IdToName { get; private set; }

    internal static delegate* unmanaged<byte*, byte*, int, int, double*, int, void> ObjectVelocity { get; private set; }

    internal static delegate* unmanaged<double*, double*, void> MatrixToQuaternion { get; private set; }

    /// <summary>Text of the first fatal error that MuJoCo reported in this process; null while there is none.</summary>
    public static string? Fault => Faults.TryPeek(out string? text) ? text : null;

    /// <summary>Says whether simulations can run here.</summary>
    /// <param name="problem">Null when they can; else what was looked for and what to do.</param>
    public static bool IsAvailable(out string? problem)
    {
        lock (Gate)
        {
            if (_handle == 0 && _problem is null)
            {
                _problem = Load();
            }

            problem = _problem;
            return problem is null;
        }
    }

    /// <summary>Loads the library, or says why not.</summary>
    /// <exception cref="ConfigException">MuJoCo is absent, of a version without a table, or laid out unexpectedly.</exception>
    public static void Require()
    {
        if (!IsAvailable(out string? problem))
        {
            throw new ConfigException(problem!);
        }
    }

    /// <summary>Looks for the library in the given places and says what it found; for tests and diagnosis. Loads nothing
    /// that stays.</summary>
    /// <param name="candidates">File names or paths, in order.</param>
    /// <returns>The problem, or null when one of them is a MuJoCo with a table.</returns>
    public static string? Probe(IReadOnlyList<string> candidates)
    {
        string? problem = Find(candidates, out nint handle);
        if (handle != 0)
        {
            NativeLibrary.Free(handle);
        }

        return problem;
    }

    /// <summary>Takes the text of the newest MuJoCo warning on this thread.</summary>
    internal static string? TakeWarning()
    {
        string? text = _warning;
        _warning = null;
        return text;
    }

    /// <summary>Reads a model; the caller deletes it.</summary>
    /// <exception cref="ConfigException">MuJoCo's own text, with the file.</exception>
    internal static byte* ReadModel(string path, void* vfs = null)
    {
        const int ErrorSize = 1000;
        byte* error = stackalloc byte[ErrorSize];
        error[0] = 0;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            // MuJoCo's XML reader keeps global state (locale, error text).
            lock (Gate)
            {
                byte* model = LoadXml(name, vfs, error, ErrorSize);
                return model != null ? model : throw new ConfigException(path, [Text(error).Trim()]);
            }
        }
    }

    /// <summary>Reads a model from its text; the caller deletes it.</summary>
    /// <param name="name">A file name for messages; no such file is looked for.</param>
    /// <param name="xml">MJCF.</param>
    /// <exception cref="ConfigException">MuJoCo's own text, with the name.</exception>
    internal static byte* ReadModelText(string name, string xml)
    {
        void* vfs = NativeMemory.AllocZeroed(Offsets.SizeOfVfs);
        try
        {
            byte[] text = Encoding.UTF8.GetBytes(xml);
            fixed (byte* file = Encoding.UTF8.GetBytes(name + '\0'))
            {
                var make = (delegate* unmanaged<void*, byte*, int, int>)NativeLibrary.GetExport(_handle, "mj_makeEmptyFileVFS");
                make(vfs, file, text.Length);
            }

            text.CopyTo(new Span<byte>(*(byte**)((byte*)vfs + Offsets.VfsFiledata), text.Length));
            return ReadModel(name, vfs);
        }
        finally
        {
            ((delegate* unmanaged<void*, void>)NativeLibrary.GetExport(_handle, "mj_deleteVFS"))(vfs);
            NativeMemory.Free(vfs);
        }
    }

    internal static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    private static string? Find(IReadOnlyList<string> candidates, out nint handle)
    {
        handle = 0;
        foreach (string candidate in candidates)
        {
            if (NativeLibrary.TryLoad(candidate, out nint found))
            {
                if (!NativeLibrary.TryGetExport(found, "mj_version", out nint version))
                {
                    NativeLibrary.Free(found);
                    return $"'{candidate}' is not MuJoCo: it has no mj_version. Set {Variable} to libmujoco.so.2.2.2.";
                }

                int number = ((delegate* unmanaged<int>)version)();
                if (number != Offsets.Version)
                {
                    NativeLibrary.Free(found);
                    return $"'{candidate}' is MuJoCo version {number}, and there is no table for version {number}, only for "
                        + $"{Offsets.Version} (2.2.2). Install libmujoco2.2.2 or set {Variable} to its file; with its headers "
                        + "installed, sim/Robotics.Sim/Mujoco/generate-offsets.sh writes a table for another version.";
                }

                handle = found;
                return null;
            }
        }

        return $"MuJoCo is not installed. Looked for: {string.Join(", ", candidates)}. "
            + $"Do: apt install libmujoco2.2.2, or set {Variable} to the library file.";
    }

    private static string? Load()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        string[] candidates = string.IsNullOrEmpty(named) ? ["libmujoco.so.2.2.2", "libmujoco.so"] : [named];
        if (Find(candidates, out nint handle) is { } problem)
        {
            return problem;
        }

        try
        {
            Bind(handle);
        }
        catch (EntryPointNotFoundException missing)
        {
            return $"The MuJoCo library lacks a function: {missing.Message}";
        }

        try
        {
            _handle = handle;
            return SelfTest();
        }
        catch (ConfigException wrong)
        {
            return $"MuJoCo cannot read the self-test model: {wrong.Message}";
        }
    }

    private static void Bind(nint library)
    {
        LoadXml = (delegate* unmanaged<byte*, void*, byte*, int, byte*>)NativeLibrary.GetExport(library, "mj_loadXML");
        DeleteModel = (delegate* unmanaged<byte*, void>)NativeLibrary.GetExport(library, "mj_deleteModel");
        MakeData = (delegate* unmanaged<byte*, byte*>)NativeLibrary.GetExport(library, "mj_makeData");
        DeleteData = (delegate* unmanaged<byte*, void>)NativeLibrary.GetExport(library, "mj_deleteData");
        ResetData = (delegate* unmanaged<byte*, byte*, void>)NativeLibrary.GetExport(library, "mj_resetData");
        ResetDataKeyframe = (delegate* unmanaged<byte*, byte*, int, void>)NativeLibrary.GetExport(library, "mj_resetDataKeyframe");
        Forward = (delegate* unmanaged<byte*, byte*, void>)NativeLibrary.GetExport(library, "mj_forward");
        StepOnce = (delegate* unmanaged<byte*, byte*, void>)NativeLibrary.GetExport(library, "mj_step");
        SetConstants = (delegate* unmanaged<byte*, byte*, void>)NativeLibrary.GetExport(library, "mj_setConst");
        NameToId = (delegate* unmanaged<byte*, int, byte*, int>)NativeLibrary.GetExport(library, "mj_name2id");
        IdToName = (delegate* unmanaged<byte*, int, int, byte*>)NativeLibrary.GetExport(library, "mj_id2name");
        ObjectVelocity = (delegate* unmanaged<byte*, byte*, int, int, double*, int, void>)NativeLibrary.GetExport(library, "mj_objectVelocity");
        MatrixToQuaternion = (delegate* unmanaged<double*, double*, void>)NativeLibrary.GetExport(library, "mju_mat2Quat");
        *(delegate* unmanaged<byte*, void>*)NativeLibrary.GetExport(library, "mju_user_error") = &OnError;
        *(delegate* unmanaged<byte*, void>*)NativeLibrary.GetExport(library, "mju_user_warning") = &OnWarning;
    }

    [UnmanagedCallersOnly]
    private static void OnError(byte* text)
    {
        string message = $"MuJoCo stopped for good: {Text(text)}";
        Faults.Enqueue(message);
        Console.Error.WriteLine(message);
        Thread.Sleep(Timeout.Infinite);
    }

    [UnmanagedCallersOnly]
    private static void OnWarning(byte* text) => _warning = Text(text); // MuJoCo's own handler would write MUJOCO_LOG.TXT

    /// <summary>Steps a tiny model whose nq 8, nv 7 and nu 3 differ, and compares what the table reads with what is known.</summary>
    private static string? SelfTest()
    {
        byte* model = null;
        byte* data = null;
        try
        {
            model = ReadModelText("self-test.xml", SelfTestModel);
            data = MakeData(model);
            double* qpos0 = *(double**)(model + Offsets.ModelQpos0);
            double* torque = *(double**)(data + Offsets.DataQfrcActuator);
            (*(double**)(data + Offsets.DataCtrl))[1] = 0.5;
            StepOnce(model, data);
            bool sound = *(int*)(model + Offsets.ModelNq) == 8 && *(int*)(model + Offsets.ModelNv) == 7
                && *(int*)(model + Offsets.ModelNu) == 3 && *(double*)(model + Offsets.ModelOptTimestep) == 0.003
                && qpos0[0] == 1 && qpos0[1] == 2 && qpos0[2] == 3 && qpos0[3] == 1
                && *(double*)(data + Offsets.DataTime) == 0.003 && torque[6] == 1
                && (*(double**)(data + Offsets.DataQvel))[6] != 0;
            return sound ? null : $"MuJoCo's structures do not lie where the table for version {Offsets.Version} says: this build "
                + $"of the library differs from Debian's libmujoco2.2.2. Set {Variable} to another file.";
        }
        finally
        {
            if (data != null)
            {
                DeleteData(data);
            }

            if (model != null)
            {
                DeleteModel(model);
            }
        }
    }
}
