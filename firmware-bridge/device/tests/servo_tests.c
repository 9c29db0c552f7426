#include <math.h>

#include "../servo.h"
#include "check.h"

static struct joint_config joint(void)
{
    const struct joint_config config = {
        .position_scale = 1e-4F, .velocity_scale = 1e-3F, .effort_scale = 1e-3F, .lower = -1, .upper = 1, .margin = 0.1F, .max_speed = 2,
        .brake_deceleration = 10, .max_effort = 4, .stiffness = 10, .damping = 1, .temperature_limit = 80, .following_limit = 0.5F,
        .following_ms = 20, .frozen_ms = 10};
    return config;
}

static enum reason measure(struct servo *servo, const struct joint_config *config, float position)
{
    return servo_measure(servo, config, true, position, 0, 25, true, 1000);
}

static void interpolation(void)
{
    struct joint_config config = joint();
    struct servo servo = {0};
    const float rows[2] = {0.1F, 0.3F};
    measure(&servo, &config, 0);
    servo_rest(&servo, TARGET_POSITION);
    servo_follow(&servo, &config, rows, 2);
    servo.setpoint = 0.05F; /* so that the speed limit does not bite below */
    servo_interpolate(&servo, &config, 2, 100000, 50000, 1000000);
    CHECK(fabsf(servo.setpoint - 0.05F) < 1e-6F); /* half way to row 0 */
    servo_interpolate(&servo, &config, 2, 100000, 150000, 1000000);
    CHECK(fabsf(servo.setpoint - 0.2F) < 1e-6F); /* half way from row 0 to row 1 */
    servo_interpolate(&servo, &config, 2, 100000, 500000, 1000000);
    CHECK(fabsf(servo.setpoint - 0.3F) < 1e-6F); /* the last row stays */
    servo_interpolate(&servo, &config, 2, 0, 0, 1000000);
    CHECK(fabsf(servo.setpoint - 0.3F) < 1e-6F); /* no row length: the last row at once */

    servo.setpoint = 0;
    servo_interpolate(&servo, &config, 2, 0, 0, 1000);
    CHECK(fabsf(servo.setpoint - 0.002F) < 1e-6F); /* 2 rad/s for 1 ms */

    const float outside[1] = {1.05F};
    servo_follow(&servo, &config, outside, 1);
    CHECK(servo.rows[0] <= 1.0F); /* inside the margin: cut to the range */
}

static void targets(void)
{
    struct joint_config config = joint();
    CHECK(servo_accepts(&config, TARGET_POSITION, 1.05F));
    CHECK(!servo_accepts(&config, TARGET_POSITION, 1.2F));
    CHECK(!servo_accepts(&config, TARGET_POSITION, -1.2F));
    CHECK(!servo_accepts(&config, TARGET_POSITION, NAN));
    CHECK(servo_accepts(&config, TARGET_VELOCITY, -3));
    CHECK(!servo_accepts(&config, TARGET_VELOCITY, 5));
    CHECK(servo_accepts(&config, TARGET_EFFORT, 8));
    CHECK(!servo_accepts(&config, TARGET_EFFORT, -9));

    struct servo servo = {.kind = TARGET_VELOCITY};
    const float fast[1] = {3};
    servo_follow(&servo, &config, fast, 1);
    CHECK(servo.rows[0] <= 2);
    servo.kind = TARGET_EFFORT;
    const float strong[1] = {-7};
    servo_follow(&servo, &config, strong, 1);
    CHECK(servo.rows[0] >= -4);
}

static void efforts(void)
{
    struct joint_config config = joint();
    struct servo servo = {.kind = TARGET_POSITION, .position = 0.1F, .velocity = 0.5F, .setpoint = 0.3F};
    CHECK(fabsf(servo_effort(&servo, &config) - ((10 * 0.2F) - (1 * 0.5F))) < 1e-6F);
    servo.setpoint = 1;
    servo.position = -1;
    CHECK(servo_effort(&servo, &config) <= 4); /* clipped */
    servo.kind = TARGET_VELOCITY;
    servo.setpoint = 1;
    CHECK(fabsf(servo_effort(&servo, &config) - 0.5F) < 1e-6F);
    servo.kind = TARGET_EFFORT;
    servo.setpoint = -9;
    CHECK(servo_effort(&servo, &config) >= -4);
}

static void braking(void)
{
    struct joint_config config = joint();
    struct servo servo = {.kind = TARGET_POSITION, .position = 0.2F, .velocity = 1};
    servo_brake(&servo, &config);
    int ticks = 0;
    for (; servo.brake_speed > 0 && ticks < 1000; ticks++) {
        servo_slow(&servo, &config, 1000);
    }

    CHECK(ticks >= 99 && ticks <= 101); /* 1 rad/s at 10 rad/s2 */
    CHECK(fabsf(servo.setpoint - 0.25F) < 0.002F); /* v2 / 2a further */

    servo.position = 0.99F;
    servo.velocity = 1;
    servo_brake(&servo, &config);
    for (int i = 0; i < 200; i++) {
        servo_slow(&servo, &config, 1000);
    }

    CHECK(servo.setpoint <= 1); /* no room: it stays inside the range */

    servo.kind = TARGET_VELOCITY;
    servo.velocity = -50;
    servo_brake(&servo, &config);
    CHECK(servo.setpoint >= -2); /* from the fastest allowed at most */
    for (int i = 0; i < 300; i++) {
        servo_slow(&servo, &config, 1000);
    }

    CHECK(servo.setpoint <= 0 && servo.setpoint >= 0);
    servo.kind = TARGET_EFFORT;
    servo.setpoint = 3;
    servo_brake(&servo, &config);
    CHECK(servo.setpoint <= 0 && servo.setpoint >= 0);
}

static void faults(void)
{
    struct joint_config config = joint();
    struct servo servo = {0};
    CHECK_EQUAL(REASON_ENCODER_INVALID, servo_measure(&servo, &config, false, 0, 0, 25, true, 1000));
    CHECK_EQUAL(REASON_ENCODER_INVALID, measure(&servo, &config, INFINITY));
    CHECK_EQUAL(REASON_ENCODER_INVALID, servo_measure(&servo, &config, true, 0, NAN, 25, true, 1000));
    CHECK_EQUAL(REASON_OVER_TEMPERATURE, servo_measure(&servo, &config, true, 0, 0, 80.5F, true, 1000));
    CHECK_EQUAL(REASON_OVER_TEMPERATURE, servo_measure(&servo, &config, true, 0, 0, NAN, true, 1000));
    CHECK_EQUAL(REASON_POSITION_RANGE, measure(&servo, &config, 1.2F));
    CHECK_EQUAL(REASON_POSITION_RANGE, measure(&servo, &config, -1.2F));
    CHECK_EQUAL(REASON_NONE, measure(&servo, &config, 1.05F));

    /* Frozen: pushes for 10 ms and not one change. */
    measure(&servo, &config, 0);
    servo_rest(&servo, TARGET_POSITION);
    servo.effort = 1;
    for (int i = 0; i < 9; i++) {
        CHECK_EQUAL(REASON_NONE, measure(&servo, &config, 0));
    }

    CHECK_EQUAL(REASON_ENCODER_FROZEN, measure(&servo, &config, 0));
    CHECK_EQUAL(REASON_NONE, measure(&servo, &config, 1e-5F)); /* the smallest change counts */
    servo.effort = 0.1F; /* 2.5 % of the limit: standing still is no wonder */
    for (int i = 0; i < 50; i++) {
        CHECK_EQUAL(REASON_NONE, measure(&servo, &config, 0));
    }

    servo.setpoint = 0.9F;
    for (int i = 0; i < 19; i++) {
        CHECK_EQUAL(REASON_NONE, measure(&servo, &config, 0));
    }

    CHECK_EQUAL(REASON_FOLLOWING, measure(&servo, &config, 0));
    servo.frozen_us = UINT32_MAX - 10;
    servo.effort = 1;
    CHECK_EQUAL(REASON_ENCODER_FROZEN, measure(&servo, &config, 0)); /* an hour later it is still one */
    config.frozen_ms = 0;
    config.following_limit = 0;
    CHECK_EQUAL(REASON_NONE, measure(&servo, &config, 0)); /* not watched */
}

void servo_tests(void)
{
    interpolation();
    targets();
    efforts();
    braking();
    faults();
}
