/* What the device needs from its board. Everything is called from the one loop that calls device_poll and device_tick;
 * nothing may wait. */
#ifndef ROBOTICS_HAL_H
#define ROBOTICS_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum motor_mode {
    MOTOR_BRAKE, /* phases shorted: stops without an encoder and without a decision; the safe state */
    MOTOR_EFFORT /* the effort given, Nm or N */
};

/* Areas of the flash: two for images, two for copies of the boot record. */
enum flash_area { FLASH_SLOT_A, FLASH_SLOT_B, FLASH_RECORD_A, FLASH_RECORD_B };

struct hal {
    void *board; /* handed to every call */

    uint64_t (*now_us)(void *board); /* since power-on; never runs backwards */

    /* Copies up to `room` received bytes; returns how many. */
    size_t (*uart_read)(void *board, uint8_t *into, size_t room);
    /* Takes all `count` bytes, or none and returns false: half a frame helps nobody. */
    bool (*uart_write)(void *board, const uint8_t *bytes, size_t count);

    void (*motor_set)(void *board, unsigned joint, enum motor_mode mode, float effort);
    /* Position in rad or m, velocity in rad/s or m/s; false when the encoder does not answer. */
    bool (*encoder_read)(void *board, unsigned joint, float *position, float *velocity);
    float (*temperature_read)(void *board, unsigned joint); /* of the motor or its driver, degrees C */
    bool (*stop_pressed)(void *board);                      /* the emergency stop input */
    void (*watchdog_kick)(void *board);                     /* once per tick; without it the board resets and brakes */

    /* Erases `count` bytes from `offset`; offset and count are multiples of UPDATE_PAGE in a slot. */
    bool (*flash_erase)(void *board, enum flash_area area, uint32_t offset, uint32_t count);
    bool (*flash_write)(void *board, enum flash_area area, uint32_t offset, const uint8_t *bytes, uint32_t count);
    bool (*flash_read)(void *board, enum flash_area area, uint32_t offset, uint8_t *into, uint32_t count);
    void (*reboot)(void *board);
};

#endif
