namespace Robotics.Sim;

/// <summary>What can be different about a simulated robot on purpose.</summary>
public enum DynamicsParameter
{
    /// <summary>Multiplies gravity.</summary>
    Gravity,

    /// <summary>Multiplies every contact's sliding friction.</summary>
    Friction,

    /// <summary>Multiplies every mass and inertia.</summary>
    Mass,

    /// <summary>Multiplies the damping of every joint.</summary>
    Damping,

    /// <summary>Multiplies what every motor exerts.</summary>
    Motor,

    /// <summary>Control steps, a whole number, by which targets arrive late.</summary>
    Latency,

    /// <summary>Deviation of the noise on every measurement: m and rad; ten times as much per second on velocities (m/s, rad/s).</summary>
    Noise,

    /// <summary>Largest constant error of a measurement, drawn evenly for each element and episode; units as <see cref="Noise"/>.</summary>
    Bias,
}

/// <summary>The dynamics of one episode: a value for every <see cref="DynamicsParameter"/>. Filled again by every draw.</summary>
public sealed class Dynamics
{
    private readonly double[] _values = new double[DynamicsRanges.Parameters.Count];

    /// <summary>Nominal dynamics.</summary>
    public Dynamics() => SetNominal();

    /// <summary>Multiplies gravity; 1 is nominal.</summary>
    public double Gravity => this[DynamicsParameter.Gravity];

    /// <summary>Multiplies sliding friction; 1 is nominal.</summary>
    public double Friction => this[DynamicsParameter.Friction];

    /// <summary>Multiplies masses and inertias; 1 is nominal.</summary>
    public double Mass => this[DynamicsParameter.Mass];

    /// <summary>Multiplies joint damping; 1 is nominal.</summary>
    public double Damping => this[DynamicsParameter.Damping];

    /// <summary>Multiplies what motors exert; 1 is nominal.</summary>
    public double Motor => this[DynamicsParameter.Motor];

    /// <summary>Control steps by which targets arrive late; 0 is nominal.</summary>
    public int Latency => (int)this[DynamicsParameter.Latency];

    /// <summary>Deviation of measurement noise; 0 is nominal.</summary>
    public double Noise => this[DynamicsParameter.Noise];

    /// <summary>Largest measurement bias; 0 is nominal.</summary>
    public double Bias => this[DynamicsParameter.Bias];

    /// <summary>The value of one parameter.</summary>
    public double this[DynamicsParameter parameter]
    {
        get => _values[(int)parameter];
        internal set => _values[(int)parameter] = value;
    }

    /// <summary>Copies every value from <paramref name="other"/>.</summary>
    public void CopyFrom(Dynamics other)
    {
        ArgumentNullException.ThrowIfNull(other);
        other._values.CopyTo(_values, 0);
    }

    /// <summary>What differs from nominal, as <c>--gap</c> reads it; empty where nothing does.</summary>
    public override string ToString() => string.Join(',', DynamicsRanges.Parameters
        .Where(known => this[known.Parameter] != known.Nominal)
        .Select(known => FormattableString.Invariant($"{known.Name}={this[known.Parameter]}")));

    internal void SetNominal()
    {
        for (int i = 0; i < _values.Length; i++)
        {
            _values[i] = DynamicsRanges.Parameters[i].Nominal;
        }
    }
}
