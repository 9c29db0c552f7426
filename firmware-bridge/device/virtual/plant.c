#include "plant.h"

#include <math.h>

static const double ambient = 25;      /* degrees C */
static const double cooling_rate = 0.01; /* 1/s towards the ambient temperature */

void plant_step(struct plant_joint *joint, double dt)
{
    double effort = joint->mode == MOTOR_EFFORT ? joint->effort : 0;
    if (joint->torque_limit > 0) {
        effort = fmax(-joint->torque_limit, fmin(joint->torque_limit, effort));
        double share = effort / joint->torque_limit;
        joint->temperature += dt * ((joint->heating * share * share) - (cooling_rate * (joint->temperature - ambient)));
    }

    double damping = joint->damping + (joint->mode == MOTOR_BRAKE ? joint->brake_damping : 0);
    joint->velocity += dt * effort / joint->inertia;
    joint->velocity /= 1 + (dt * damping / joint->inertia); /* implicit: a strong brake stays stable */
    joint->position += dt * joint->velocity;
    if (joint->position < joint->lower || joint->position > joint->upper) {
        joint->position = fmax(joint->lower, fmin(joint->upper, joint->position));
        joint->velocity = 0;
    }
}

bool plant_measure(const struct plant_joint *joint, float *position, float *velocity)
{
    *position = (float)(joint->broken ? NAN : joint->frozen ? joint->frozen_position : joint->position);
    *velocity = (float)(joint->frozen ? joint->frozen_velocity : joint->velocity);
    return !joint->silent;
}

void plant_freeze(struct plant_joint *joint, bool frozen)
{
    joint->frozen = frozen;
    joint->frozen_position = joint->position;
    joint->frozen_velocity = joint->velocity;
}
