/* libFuzzer: the first byte says whether the rest is raw bytes for the wire, or a list of (type, length, payload) that is
 * framed correctly here, so that the fuzzer need not guess a CRC to reach what lies behind it. */
#include <stdlib.h>

#include "bench.h"

#include "bench.c"

#include "../virtual/plant.c"

static const struct device *checked(const struct bench *bench)
{
    const struct device *device = &bench->device;
    bool latched = device->mode == MODE_FAULT || device->mode == MODE_ESTOP;
    for (unsigned j = 0; j < bench->config.joints; j++) {
        if ((latched || device->mode == MODE_IDLE) && bench->joints[j].mode != MOTOR_BRAKE) {
            abort(); /* no bytes may let a motor run in a braked mode */
        }

        if (!is_finite((float)bench->joints[j].effort)) {
            abort();
        }
    }

    return device;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bench bench;
    if (size < 1) {
        return 0;
    }

    bench_init(&bench, 1U + (data[0] >> 1) % DEVICE_MAX_JOINTS);
    bench_start(&bench);
    if ((data[0] & 1U) == 0) {
        for (size_t at = 1; at < size; at += 64U) {
            size_t count = size - at < 64U ? size - at : 64U;
            memcpy(bench.to_device, data + at, count);
            bench.to_device_count = count;
            bench_ticks(&bench, 1);
        }
    } else {
        size_t at = 1;
        while (at + 2U <= size) {
            uint8_t type = data[at];
            size_t length = data[at + 1U];
            at += 2U;
            length = length < size - at ? length : size - at;
            length = length < FRAME_MAX_PAYLOAD ? length : FRAME_MAX_PAYLOAD;
            bench_send(&bench, type, data + at, length);
            bench_ticks(&bench, 1);
            at += length;
        }
    }

    bench_ticks(&bench, 3);
    (void)checked(&bench);
    return 0;
}
