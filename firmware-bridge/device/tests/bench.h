/* A device on a bench: a hal over memory, time by hand, a plant per joint. For the tests and for the fuzzer. */
#ifndef ROBOTICS_TEST_BENCH_H
#define ROBOTICS_TEST_BENCH_H

#include <string.h>

#include "../bytes.h"
#include "../device.h"
#include "../virtual/plant.h"

#define BENCH_SLOT (8U * UPDATE_PAGE)

struct bench {
    struct hal hal;
    struct device device;
    struct device_config config;
    struct plant_joint joints[DEVICE_MAX_JOINTS];
    uint64_t now_us;
    uint8_t to_device[4096];
    size_t to_device_count;
    struct frame_reader replies;
    uint8_t from_device[65536];
    size_t from_device_count;
    bool line_full;
    bool stop_pressed;
    unsigned kicks;
    unsigned reboots;
    uint8_t flash[4][BENCH_SLOT];
    long writes;
    long fail_at; /* this write and every later one tears or fails; 0: never */
};

void bench_init(struct bench *bench, unsigned joints);
void bench_start(struct bench *bench); /* device_init and the first tick */
void bench_send(struct bench *bench, uint8_t type, const void *payload, size_t length);
void bench_ticks(struct bench *bench, unsigned count);

/* The newest frame of this type that the device sent; payload is copied. Its length, or -1. Forgets everything older. */
int bench_take(struct bench *bench, uint8_t type, uint8_t payload[FRAME_MAX_PAYLOAD]);

/* Sends a request and returns the result byte of its answer, or -1. */
int bench_ask(struct bench *bench, uint8_t type, const void *payload, size_t length, uint8_t answer[FRAME_MAX_PAYLOAD]);

#endif
