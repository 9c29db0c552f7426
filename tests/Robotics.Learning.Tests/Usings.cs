global using Xunit;

// libtorch's random state and thread count are the process's: one test at a time.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
