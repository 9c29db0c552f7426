/* One joint: targets become efforts. Limits, interpolation between targets, PD control, braking, and the watch over the
 * encoder, the temperature and the following error. No input and output of its own: the device hands measurements in. */
#ifndef ROBOTICS_SERVO_H
#define ROBOTICS_SERVO_H

#include <stdbool.h>
#include <stdint.h>

#include "hal.h"
#include "protocol.h"

#define SERVO_MAX_ROWS 8U

/* What a board builder writes down, and what the host may change through registers. SI units; rad or m by `kind`. */
struct joint_config {
    const char *name; /* at most 24 characters */
    enum joint_kind kind;
    enum target_kind command; /* what its targets mean unless the host arms it otherwise */
    float position_scale;     /* rad or m per count on the wire */
    float velocity_scale;     /* rad/s or m/s per count */
    float effort_scale;       /* Nm or N per count */
    float lower;
    float upper;
    float margin;             /* how far outside the range a command is clamped (beyond: refused) and a measurement tolerated */
    float max_speed;          /* of the setpoint */
    float brake_deceleration; /* of the setpoint when commands run out */
    float max_effort;
    float home;
    float stiffness;          /* Nm/rad or N/m */
    float damping;            /* Nm s/rad or N s/m */
    float temperature_limit;  /* degrees C */
    float following_limit;    /* rad or m; 0: not watched */
    uint32_t following_ms;    /* for how long before it is a fault */
    uint32_t frozen_ms;       /* effort without any change of the encoder for so long is a fault; 0: not watched */
};

struct servo {
    enum target_kind kind; /* of the targets while armed */
    float position;        /* measured */
    float velocity;
    float effort;          /* put out in the last tick */
    float temperature;
    float setpoint;        /* what the PD control follows now, by `kind` */
    float from;            /* where the interpolation of the current row began */
    float rows[SERVO_MAX_ROWS];
    float brake_speed;     /* of the setpoint while braking */
    float seen_position;   /* the encoder's value when it last changed */
    uint32_t frozen_us;
    uint32_t following_us;
};

/* Writes the setpoint to where the joint stands; nothing moves. */
void servo_rest(struct servo *servo, enum target_kind kind);

/* Takes the measurement of this tick; the fault it shows, or REASON_NONE. `driven`: the motor had an effort in the last tick. */
enum reason servo_measure(struct servo *servo, const struct joint_config *config, bool answered, float position, float velocity,
                          float temperature, bool driven, uint32_t tick_us);

/* True when a target may be taken: finite, and inside the range by less than the margin. */
bool servo_accepts(const struct joint_config *config, enum target_kind kind, float target);

/* Begins to follow `count` rows, each `row_us` long (0: at once). */
void servo_follow(struct servo *servo, const struct joint_config *config, const float *rows, unsigned count);

/* Moves the setpoint along the rows; `elapsed_us` since servo_follow. */
void servo_interpolate(struct servo *servo, const struct joint_config *config, unsigned count, uint32_t row_us, uint32_t elapsed_us, uint32_t tick_us);

/* Begins to brake: the setpoint goes on from the measured motion and slows down by brake_deceleration. */
void servo_brake(struct servo *servo, const struct joint_config *config);

/* One tick of braking; the setpoint comes to rest and stays. */
void servo_slow(struct servo *servo, const struct joint_config *config, uint32_t tick_us);

/* The effort that follows the setpoint, inside the limit. */
float servo_effort(struct servo *servo, const struct joint_config *config);

#endif
