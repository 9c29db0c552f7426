#include "servo.h"

#include "bytes.h"

/* Below this share of its effort limit a motor may stand still with good reason. */
static const float frozen_effort_share = 0.05F;

static float clamp(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

static float magnitude(float value)
{
    return value < 0 ? -value : value;
}

static float seconds(uint32_t us)
{
    return (float)us * 1e-6F;
}

/* Adds without wrapping: a watch that ran for an hour must not start again. */
static uint32_t longer(uint32_t us, uint32_t tick_us)
{
    return us > UINT32_MAX - tick_us ? UINT32_MAX : us + tick_us;
}

void servo_rest(struct servo *servo, enum target_kind kind)
{
    servo->kind = kind;
    servo->setpoint = kind == TARGET_POSITION ? servo->position : 0;
    servo->from = servo->setpoint;
    servo->brake_speed = 0;
    servo->frozen_us = 0;
    servo->following_us = 0;
}

enum reason servo_measure(struct servo *servo, const struct joint_config *config, bool answered, float position, float velocity,
                          float temperature, bool driven, uint32_t tick_us)
{
    if (!answered || !is_finite(position) || !is_finite(velocity)) {
        return REASON_ENCODER_INVALID;
    }

    servo->position = position;
    servo->velocity = velocity;
    servo->temperature = temperature;

    /* Written so that a temperature of NaN, a broken sensor, is a fault as well. */
    if (!(temperature < config->temperature_limit)) {
        return REASON_OVER_TEMPERATURE;
    }

    if (position < config->lower - config->margin || position > config->upper + config->margin) {
        return REASON_POSITION_RANGE;
    }

    /* A motor that pushes moves, and a moving encoder changes in every tick. A stalled motor looks the same and deserves the
     * same answer: it is heating up. */
    bool pushes = driven && magnitude(servo->effort) > frozen_effort_share * config->max_effort;
    bool changed = position < servo->seen_position || position > servo->seen_position;
    servo->seen_position = position;
    servo->frozen_us = pushes && !changed ? longer(servo->frozen_us, tick_us) : 0;
    if (config->frozen_ms > 0 && servo->frozen_us >= config->frozen_ms * 1000U) {
        return REASON_ENCODER_FROZEN;
    }

    bool follows = !driven || servo->kind != TARGET_POSITION || magnitude(servo->setpoint - position) <= config->following_limit;
    servo->following_us = follows ? 0 : longer(servo->following_us, tick_us);
    if (config->following_limit > 0 && servo->following_us >= config->following_ms * 1000U) {
        return REASON_FOLLOWING;
    }

    return REASON_NONE;
}

bool servo_accepts(const struct joint_config *config, enum target_kind kind, float target)
{
    if (!is_finite(target)) {
        return false;
    }

    switch (kind) {
    case TARGET_POSITION:
        return target >= config->lower - config->margin && target <= config->upper + config->margin;
    case TARGET_VELOCITY:
        return magnitude(target) <= 2 * config->max_speed;
    default:
        return magnitude(target) <= 2 * config->max_effort;
    }
}

void servo_follow(struct servo *servo, const struct joint_config *config, const float *rows, unsigned count)
{
    /* By kind: a little outside is cut to the limit. */
    float low = servo->kind == TARGET_POSITION ? config->lower : servo->kind == TARGET_VELOCITY ? -config->max_speed : -config->max_effort;
    float high = servo->kind == TARGET_POSITION ? config->upper : -low;
    for (unsigned i = 0; i < count; i++) {
        servo->rows[i] = clamp(rows[i], low, high);
    }

    servo->from = servo->setpoint;
}

void servo_interpolate(struct servo *servo, const struct joint_config *config, unsigned count, uint32_t row_us, uint32_t elapsed_us, uint32_t tick_us)
{
    float wanted = servo->rows[count - 1U];
    if (row_us > 0 && elapsed_us < row_us * count) {
        uint32_t row = elapsed_us / row_us;
        float begin = row == 0 ? servo->from : servo->rows[row - 1U];
        float share = (float)(elapsed_us - (row * row_us)) / (float)row_us;
        wanted = begin + (share * (servo->rows[row] - begin));
    }

    if (servo->kind == TARGET_POSITION) {
        float reach = config->max_speed * seconds(tick_us);
        wanted = clamp(wanted, servo->setpoint - reach, servo->setpoint + reach);
    }

    servo->setpoint = wanted;
}

void servo_brake(struct servo *servo, const struct joint_config *config)
{
    if (servo->kind == TARGET_POSITION) {
        servo->setpoint = servo->position;
        servo->brake_speed = clamp(servo->velocity, -config->max_speed, config->max_speed);
    } else {
        servo->brake_speed = servo->kind == TARGET_VELOCITY ? clamp(servo->velocity, -config->max_speed, config->max_speed) : 0;
        servo->setpoint = servo->brake_speed;
    }
}

void servo_slow(struct servo *servo, const struct joint_config *config, uint32_t tick_us)
{
    float less = config->brake_deceleration * seconds(tick_us);
    servo->brake_speed -= clamp(servo->brake_speed, -less, less);
    if (servo->kind == TARGET_POSITION) {
        float next = servo->setpoint + (servo->brake_speed * seconds(tick_us));
        if (next < config->lower || next > config->upper) {
            servo->brake_speed = 0; /* no room left to slow down in: stay */
        } else {
            servo->setpoint = next;
        }
    } else {
        servo->setpoint = servo->brake_speed; /* effort targets have no brake speed: their setpoint is 0 */
    }
}

float servo_effort(struct servo *servo, const struct joint_config *config)
{
    float effort = servo->setpoint;
    if (servo->kind == TARGET_POSITION) {
        effort = (config->stiffness * (servo->setpoint - servo->position)) - (config->damping * servo->velocity);
    } else if (servo->kind == TARGET_VELOCITY) {
        effort = config->damping * (servo->setpoint - servo->velocity);
    }

    servo->effort = clamp(effort, -config->max_effort, config->max_effort);
    return servo->effort;
}
