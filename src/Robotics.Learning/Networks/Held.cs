using TorchSharp;
using static TorchSharp.torch;

namespace Robotics.Learning.Networks;

/// <summary>Sums, differences and products with numbers that live until the native call has read them.</summary>
/// <remarks>
/// TorchSharp turns a number into a <see cref="Scalar"/> that it frees when nobody names it any more; with other threads allocating,
/// that can be while libtorch still reads it: a training stopped with "Expected false to be true" in an addition, whose factor of 1 is
/// such a number. The conversions and the operators that hide one are therefore banned in this project (BannedSymbols.txt beside it).
/// </remarks>
internal static class Held
{
    public static Tensor Plus(this Tensor a, Tensor b)
    {
        using Scalar one = Number(1);
        return a.add(b, one);
    }

    public static Tensor Minus(this Tensor a, Tensor b)
    {
        using Scalar minus = Number(-1);
        return a.add(b, minus);
    }

    public static Tensor Plus(this Tensor a, double b)
    {
        using Scalar held = Number(b);
        return a.add(held);
    }

    public static Tensor Times(this Tensor a, double b)
    {
        using Scalar held = Number(b);
        return a.mul(held);
    }

    /// <summary>1 - a.</summary>
    public static Tensor OneMinus(this Tensor a) => a.negative().Plus(1);

    public static Tensor Power(this Tensor a, double exponent)
    {
        using Scalar held = Number(exponent);
        return a.pow(held);
    }

    public static Tensor AtMost(this Tensor a, double most)
    {
        using Scalar held = Number(most);
        return a.clamp_max(held);
    }

    /// <summary>a ← factor·a.</summary>
    public static Tensor Shrink(this Tensor a, double factor)
    {
        using Scalar held = Number(factor);
        return a.mul_(held);
    }

    /// <summary>a ← a + factor·b.</summary>
    public static Tensor Gather(this Tensor a, Tensor b, double factor = 1)
    {
        using Scalar held = Number(factor);
        return a.add_(b, held);
    }

    /// <summary>a ← a + factor·b·c.</summary>
    public static Tensor GatherProduct(this Tensor a, Tensor b, Tensor c, double factor)
    {
        using Scalar held = Number(factor);
        return a.addcmul_(b, c, held);
    }

    /// <summary>a ← a + factor·b/c.</summary>
    public static Tensor GatherQuotient(this Tensor a, Tensor b, Tensor c, double factor)
    {
        using Scalar held = Number(factor);
        return a.addcdiv_(b, c, held);
    }

    /// <summary>a ← a + share·(b - a).</summary>
    public static Tensor Approach(this Tensor a, Tensor b, double share)
    {
        using var held = tensor((float)share); // lerp_ takes no Scalar
        return a.lerp_(b, held);
    }

    // Its caller holds it.
    private static Scalar Number(double value) => ((float)value).ToScalar();
}
