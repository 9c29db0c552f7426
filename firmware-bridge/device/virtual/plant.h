/* A motor plant: inertia, damping, a torque limit, an encoder and a thermometer per joint, and the faults that tests inject. */
#ifndef ROBOTICS_PLANT_H
#define ROBOTICS_PLANT_H

#include <stdbool.h>
#include <stdint.h>

#include "../hal.h"

struct plant_joint {
    /* constants */
    double inertia;       /* kg m2 or kg */
    double damping;       /* Nm s/rad or N s/m, of bearings and air */
    double brake_damping; /* the same with the phases shorted */
    double torque_limit;  /* what the motor can give; 0: anything */
    double lower;         /* end stops; the joint stops dead there */
    double upper;
    double heating;       /* K/s at the torque limit */

    /* state */
    double position;
    double velocity;
    double temperature; /* degrees C */
    enum motor_mode mode;
    double effort;

    /* faults */
    bool frozen;  /* the encoder repeats itself */
    bool silent;  /* the encoder does not answer */
    bool broken;  /* the encoder says NaN */
    double frozen_position;
    double frozen_velocity;
};

/* One step of `dt` seconds, semi-implicit Euler: velocity first. */
void plant_step(struct plant_joint *joint, double dt);

/* What the encoder says; false when it is silent. */
bool plant_measure(const struct plant_joint *joint, float *position, float *velocity);

/* The encoder repeats from now on what it says now. */
void plant_freeze(struct plant_joint *joint, bool frozen);

#endif
