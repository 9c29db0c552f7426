namespace Robotics.Sim;

/// <summary>Seeds that follow from others without being near them.</summary>
public static class Seeds
{
    /// <summary>The seed of one environment's episode: never 0, which means the nominal start.</summary>
    /// <param name="seed">Of the whole run.</param>
    /// <param name="environment">Which environment, from 0.</param>
    /// <param name="episode">Which of its episodes, from 0.</param>
    public static ulong Episode(ulong seed, int environment, ulong episode)
    {
        ulong mixed = Mix(Mix(Mix(seed) ^ (ulong)environment) ^ episode);
        return mixed == 0 ? 1 : mixed;
    }

    // The finaliser of SplitMix64 (Steele et al. 2014) after one step of its counter: a bijection.
    private static ulong Mix(ulong z)
    {
        z += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
