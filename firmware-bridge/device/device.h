/* The device: the protocol, the state machine and the servos of a handful of joints.
 *
 *     boot ──▶ idle ──arm──▶ armed ──command──▶ active
 *               ▲  ◀─disarm── │  ◀──expiry, hold── │
 *               └──clear── fault / e-stop ◀────────┘  from anywhere; latched
 *
 * boot, idle, fault, e-stop: every motor brakes by itself (MOTOR_BRAKE). armed: the servos hold where the joints came to rest.
 * active: they follow commands, each of which says how long it is good for.
 *
 * One thread of control: call device_poll as often as you like and device_tick once per servo period. */
#ifndef ROBOTICS_DEVICE_H
#define ROBOTICS_DEVICE_H

#include "frame.h"
#include "hal.h"
#include "protocol.h"
#include "servo.h"
#include "update.h"

#ifndef DEVICE_MAX_JOINTS
#define DEVICE_MAX_JOINTS 8U
#endif

#define DEVICE_NAME_MAX 24U

struct device_config {
    const char *name; /* at most DEVICE_NAME_MAX characters of A-Z a-z 0-9 _ . - */
    uint8_t id[12];   /* the chip's own number */
    uint32_t version; /* of the firmware: major << 16 | minor << 8 | patch */
    uint32_t servo_period_us;
    uint32_t state_period_us;
    uint32_t disarm_after_ms; /* without a good frame; 0: never */
    uint32_t slot_size;       /* bytes of an image slot; 0: no update over the wire */
    uint32_t confirm_within_ms; /* an image on trial that no host confirms in this time is given up */
    unsigned joints;          /* 1 to DEVICE_MAX_JOINTS */
    struct joint_config joint[DEVICE_MAX_JOINTS];
};

struct device {
    const struct hal *hal;
    struct device_config config; /* a copy: registers change it */
    struct frame_reader reader;
    struct servo servos[DEVICE_MAX_JOINTS];
    struct update update;

    enum mode mode;
    enum reason reason;       /* why it is not active, or the fault */
    enum reason last_drop;    /* why the newest dropped command was dropped */
    uint32_t dropped;         /* commands, since power-on */
    bool braking;             /* armed, and the setpoints still slow down */

    uint16_t session;         /* of the host that armed */
    bool commanded;           /* a command of this session was taken */
    uint32_t newest;          /* its sequence */
    uint32_t action_age_us;
    uint64_t taken_us;        /* when it came */
    uint32_t valid_us;
    uint32_t row_us;
    unsigned rows;

    uint64_t heard_us;        /* newest good frame */
    uint64_t ticked_us;
    uint64_t state_due_us;
    uint64_t booted_us;
    uint32_t ticks_late;
    uint32_t boot_number;
    uint32_t lost_frames;     /* of ours, because the line was full */
    uint16_t sent;            /* sequence of our own frames */
};

/* Starts in boot; the first tick that measures every joint goes to idle. The boot number tells a host that the device was
 * restarted: any value that differs from boot to boot. `running` is the image slot that was booted, or NO_SLOT. */
void device_init(struct device *device, const struct hal *hal, const struct device_config *config, uint32_t boot_number, uint8_t running);

/* Takes what came over the wire and answers. */
void device_poll(struct device *device);

/* Measures, decides, drives, reports: once per servo period, whether or not anything came. */
void device_tick(struct device *device);

/* Sends a line of text for people, level as in LOG_*; at most 200 characters. */
void device_log(struct device *device, enum log_level level, const char *text);

/* ---- between the files of the device ---- */

/* Answers a request with `length` bytes after result and detail. */
void device_reply(struct device *device, const struct frame *request, enum result result, uint8_t detail, const uint8_t *payload, size_t length);

/* Answers READ, DESCRIBE and WRITE (registers.c). */
void registers_read(struct device *device, const struct frame *request);
void registers_describe(struct device *device, const struct frame *request);
void registers_write(struct device *device, const struct frame *request);
unsigned registers_count(const struct device *device);

/* Answers the UPDATE requests and REBOOT (update_wire.c). */
void update_request(struct device *device, const struct frame *request);

#endif
