/* One joint of the virtual arm that PROTOCOL.md's "Stopping, in numbers" is about: for the virtual device and for the tests. */
#ifndef ROBOTICS_ARM_H
#define ROBOTICS_ARM_H

#include "../device.h"
#include "plant.h"

/* Follows positions from -reach to reach, rad. */
static inline struct joint_config arm_joint(const char *name, float reach)
{
    const struct joint_config joint = {
        .name = name,
        .kind = JOINT_REVOLUTE,
        .command = TARGET_POSITION,
        .position_scale = 1e-4F,
        .velocity_scale = 1e-3F,
        .effort_scale = 1e-3F,
        .lower = -reach,
        .upper = reach,
        .margin = 0.1F,
        .max_speed = 6,
        .brake_deceleration = 60,
        .max_effort = 4,
        .stiffness = 40,
        .damping = 1.6F,
        .temperature_limit = 80,
        .following_limit = 0.6F,
        .following_ms = 300,
        .frozen_ms = 50,
    };
    return joint;
}

/* Its motor, between two end stops, rad. */
static inline struct plant_joint arm_plant(double end)
{
    const struct plant_joint plant = {
        .inertia = 0.02,
        .damping = 0.02,
        .brake_damping = 0.8,
        .torque_limit = 4.5,
        .lower = -end,
        .upper = end,
        .heating = 0.5,
        .temperature = 25,
        .mode = MOTOR_BRAKE,
    };
    return plant;
}

#endif
