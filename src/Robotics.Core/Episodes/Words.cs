using System.Text;

namespace Robotics.Episodes;

/// <summary>Names of states and reasons as a person reads them.</summary>
public static class Words
{
    /// <summary><c>ObservationStale</c> becomes "observation stale"; a set is listed with commas. Allocates.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum
    {
        var text = new StringBuilder();
        foreach (char letter in value.ToString())
        {
            if (char.IsUpper(letter))
            {
                text.Append(text.Length > 0 && text[^1] != ' ' ? " " : "").Append(char.ToLowerInvariant(letter));
            }
            else
            {
                text.Append(letter);
            }
        }

        return text.ToString();
    }
}
