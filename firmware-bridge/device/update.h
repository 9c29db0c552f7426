/* Two image slots, a boot record in two copies, and the order of writes that keeps one whole image bootable at every instant:
 *   1. blocks go to the slot that is not running;
 *   2. the hash of what lies in flash is checked;
 *   3. the record names that slot as the trial (one record write: the older copy is replaced, the newer one stays);
 *   4. the next boot marks the trial as begun and starts it;
 *   5. the new image confirms itself once a host has talked to it; without that the boot after it goes back to the old one. */
#ifndef ROBOTICS_UPDATE_H
#define ROBOTICS_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "hal.h"
#include "protocol.h"
#include "sha256.h"

#define UPDATE_BLOCK 128U
#define UPDATE_PAGE 4096U           /* erased at once; progress survives a reboot in whole pages */
#define NO_SLOT 0xFFU

enum trial { TRIAL_NONE = 0, TRIAL_READY = 1, TRIAL_BEGUN = 2, TRIAL_FAILED = 3 };

struct image {
    uint32_t length; /* 0: no image */
    uint32_t version;
    uint8_t hash[SHA256_BYTES];
};

/* What the boot loader needs to know; written as a whole, with a checksum, to the older of two copies. */
struct boot_record {
    uint32_t sequence; /* the higher of the two valid copies counts */
    uint8_t active;    /* slot of the image that proved itself, or NO_SLOT */
    uint8_t trial;     /* slot of the image that has yet to, or NO_SLOT */
    uint8_t trial_state;
    uint8_t loading;   /* slot that is being written, or NO_SLOT */
    uint32_t loaded_pages;
    struct image images[2];
    struct image incoming;
};

struct update {
    const struct hal *hal;
    struct boot_record record;
    uint32_t slot_size;
    uint8_t running; /* slot that was booted, or NO_SLOT: the boot loader itself */
    uint32_t next_block;
};

/* Reads the record; what the flash does not hold is empty. */
void update_init(struct update *update, const struct hal *hal, uint32_t slot_size);

/* The boot loader's decision: which slot to start, or NO_SLOT when none holds a whole image. Writes the record when a trial
 * begins or failed. */
uint8_t update_boot(struct update *update);

/* The requests of PROTOCOL.md. */
enum result update_begin(struct update *update, const struct image *incoming);
enum result update_block(struct update *update, uint32_t index, const uint8_t *bytes, uint32_t count);
enum result update_finish(struct update *update);
enum result update_confirm(struct update *update);

/* Blocks of the incoming image; 0 when none is loading. */
uint32_t update_blocks(const struct update *update);

/* True while the running image is on trial and has not been confirmed. */
bool update_on_trial(const struct update *update);

#endif
