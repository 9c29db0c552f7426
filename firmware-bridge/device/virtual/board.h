/* The board of the virtual device: a pty for the serial line, files for the flash, a plant for the motors, the system's clock. */
#ifndef ROBOTICS_BOARD_H
#define ROBOTICS_BOARD_H

#include "../device.h"
#include "plant.h"

struct board {
    struct hal hal;
    struct plant_joint joints[DEVICE_MAX_JOINTS];

    /* clock: the instant of the newest tick, and how far real time has gone since */
    uint64_t tick_us;      /* device time */
    uint64_t tick_real_us; /* CLOCK_MONOTONIC */
    uint64_t period_us;

    /* line */
    int master;
    int slave; /* kept open, so that a host may come and go without a hang-up on our side */
    char path[64];
    const char *link;  /* symbolic link to the pty, or null */
    uint8_t unsent[FRAME_MAX_WIRE];
    size_t unsent_count;
    unsigned cut_after; /* bytes from the host until the cable goes; 0: it stays */

    bool stop_pressed;
    bool rebooting;

    /* flash */
    const char *folder; /* or null: no flash */
    uint32_t slot_size;
    long writes;        /* erases and writes so far */
    long die_at;        /* the process ends in the middle of this one; 0: never */
};

uint64_t board_real_us(void);

void board_init(struct board *board);

/* Opens a pty and points the link at it; false with errno set when that fails. */
bool board_plug(struct board *board);

/* Closes the pty: for the host the cable is out. */
void board_unplug(struct board *board);

#endif
