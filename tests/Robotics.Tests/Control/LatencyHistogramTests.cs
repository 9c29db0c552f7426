using Robotics.Control;

namespace Robotics.Tests.Control;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void PercentileNs_IsNeverTooLowAndAtMostOneThirtySecondTooHigh()
    {
        // Against the exact order statistic of the same samples, drawn log-uniformly over nine decades.
        var random = new Random(7);
        double[] samples = [.. Enumerable.Range(0, 20_000).Select(_ => Math.Floor(Math.Pow(10, 9 * random.NextDouble())))];
        var histogram = new LatencyHistogram();
        foreach (double sample in samples)
        {
            histogram.Record((long)sample);
        }

        Array.Sort(samples);
        foreach (double fraction in new[] { 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1 })
        {
            double exact = samples[(int)Math.Ceiling(fraction * samples.Length) - 1];
            Assert.InRange(histogram.PercentileNs(fraction), exact, exact * (1 + (1.0 / 32)));
        }

        Assert.Equal(samples[^1], histogram.MaxNs);
        Assert.Equal(samples.Length, histogram.Count);
        Assert.Equal(samples.Length, histogram.Buckets().Sum(bucket => bucket.Count));
    }

    [Theory]
    [InlineData(-5, 0)]             // woke early: not late
    [InlineData(0, 0)]
    [InlineData(63, 63)]            // exact up to two octaves of the resolution
    [InlineData(long.MaxValue, long.MaxValue)]
    public void Record_AtTheEnds_IsExact(long sample, long expected)
    {
        var histogram = new LatencyHistogram();
        histogram.Record(sample);
        Assert.Equal(expected, histogram.PercentileNs(0.5));
    }

    [Fact]
    public void Record_AllocatesNothing()
    {
        var histogram = new LatencyHistogram();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (long i = 0; i < 10_000; i++)
        {
            histogram.Record(i * i);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        histogram.Clear();
        Assert.Equal((0, 0, 0), (histogram.Count, histogram.MaxNs, histogram.PercentileNs(0.99)));
    }
}
