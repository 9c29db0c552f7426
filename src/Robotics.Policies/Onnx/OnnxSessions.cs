using Microsoft.ML.OnnxRuntime;
using Robotics.Packages;

namespace Robotics.Policies.Onnx;

/// <summary>Opens every network of a package under the first provider that serves them all.</summary>
internal static class OnnxSessions
{
    /// <summary>Opens the models.</summary>
    /// <exception cref="ConfigException">A file that is no ONNX graph this build can run; the file and ONNX Runtime's words.</exception>
    public static (List<OnnxModel> Models, ProviderChoice Provider) Open(PolicyManifest manifest, Func<string, ReadOnlyMemory<byte>> read, ProviderOrder order)
    {
        Ort.Start();
        var passed = new List<string>();
        using var external = new ExternalData(manifest, read);
        foreach (string provider in order.Names)
        {
            using var options = new SessionOptions
            {
                // One thread: a second one gains little on small networks and costs tails of many milliseconds.
                IntraOpNumThreads = 1,
                InterOpNumThreads = 1,
                ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
            };
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            if (ProviderOrder.Append(provider, options) is { } why)
            {
                passed.Add(why);
                continue;
            }

            var models = new List<OnnxModel>();
            int at = 0;
            try
            {
                for (; at < manifest.Models.Count; at++)
                {
                    var spec = manifest.Models[at];
                    options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", external.Beside(spec.File));
                    models.Add(new OnnxModel(spec, $"models[{at}]", read(spec.File), options));
                }

                return (models, new(provider, order.ChosenBy, passed));
            }
            catch (OnnxRuntimeException error)
            {
                models.ForEach(model => model.Dispose());
                if (provider == "cpu")
                {
                    string file = manifest.Models[at].File;
                    throw new ConfigException(manifest.Origin, [$"models[{at}].file '{file}' ({read(file).Length} bytes) cannot be opened as an ONNX graph: {Ort.OneLine(error)}. Export it again, or check that the whole file was copied."]);
                }

                passed.Add($"{provider}: {manifest.Models[at].File}: {Ort.OneLine(error)}");
            }
            catch
            {
                models.ForEach(model => model.Dispose());
                throw;
            }
        }

        throw new InvalidOperationException("cpu ends every order of providers."); // ProviderOrder's promise
    }

    /// <summary>The package's external data in a folder of its own for as long as sessions are being opened. A graph finds the
    /// files listed in the manifest there, and nothing else on this machine.</summary>
    private sealed class ExternalData : IDisposable
    {
        private readonly string _folder = "the-manifest-lists-no-external-data"; // stands in ONNX Runtime's message

        public ExternalData(PolicyManifest manifest, Func<string, ReadOnlyMemory<byte>> read)
        {
            string[] files = [.. manifest.Files.Select(file => file.Path)
                .Where(path => path != manifest.Golden?.File && manifest.Models.All(model => model.File != path))];
            if (files.Length == 0)
            {
                return;
            }

            _folder = Directory.CreateTempSubdirectory("robotics-onnx-").FullName;
            foreach (string file in files)
            {
                string target = Inside(file);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                using var stream = File.Create(target);
                stream.Write(read(file).Span);
            }
        }

        /// <summary>Where a graph's external data lies.</summary>
        public string Beside(string model) => Path.GetDirectoryName(Inside(model))!;

        public void Dispose()
        {
            if (Path.IsPathRooted(_folder))
            {
                Directory.Delete(_folder, recursive: true);
            }
        }

        private string Inside(string relative)
        {
            string full = Path.GetFullPath(Path.Combine(_folder, relative));
            return full.StartsWith(Path.GetFullPath(_folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal)
                ? full
                : throw new ConfigException($"files names '{relative}', which leaves the package.");
        }
    }
}
