#include "bench.h"

#include "../virtual/arm.h"

static uint64_t now_us(void *at)
{
    return ((struct bench *)at)->now_us;
}

static size_t uart_read(void *at, uint8_t *into, size_t room)
{
    struct bench *bench = at;
    size_t count = bench->to_device_count < room ? bench->to_device_count : room;
    memcpy(into, bench->to_device, count);
    bench->to_device_count -= count;
    memmove(bench->to_device, bench->to_device + count, bench->to_device_count);
    return count;
}

static bool uart_write(void *at, const uint8_t *bytes, size_t count)
{
    struct bench *bench = at;
    if (bench->line_full) {
        return false;
    }

    if (bench->from_device_count + count > sizeof bench->from_device) {
        bench->from_device_count = 0; /* nobody looked for a long time */
    }

    memcpy(bench->from_device + bench->from_device_count, bytes, count);
    bench->from_device_count += count;
    return true;
}

static void motor_set(void *at, unsigned joint, enum motor_mode mode, float effort)
{
    struct bench *bench = at;
    bench->joints[joint].mode = mode;
    bench->joints[joint].effort = effort;
}

static bool encoder_read(void *at, unsigned joint, float *position, float *velocity)
{
    return plant_measure(&((struct bench *)at)->joints[joint], position, velocity);
}

static float temperature_read(void *at, unsigned joint)
{
    return (float)((struct bench *)at)->joints[joint].temperature;
}

static bool stop_pressed(void *at)
{
    return ((struct bench *)at)->stop_pressed;
}

static void watchdog_kick(void *at)
{
    ((struct bench *)at)->kicks++;
}

static bool flash_write(void *at, enum flash_area area, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    struct bench *bench = at;
    bench->writes++;
    bool tears = bench->fail_at > 0 && bench->writes >= bench->fail_at;
    if (offset + count > BENCH_SLOT || (tears && bench->writes > bench->fail_at)) {
        return false;
    }

    memcpy(bench->flash[area] + offset, bytes, tears ? count / 2U : count);
    return !tears;
}

static bool flash_erase(void *at, enum flash_area area, uint32_t offset, uint32_t count)
{
    static uint8_t empty[UPDATE_PAGE];
    memset(empty, 0xFF, sizeof empty);
    return count == UPDATE_PAGE && flash_write(at, area, offset, empty, count);
}

static bool flash_read(void *at, enum flash_area area, uint32_t offset, uint8_t *into, uint32_t count)
{
    struct bench *bench = at;
    if (offset + count > BENCH_SLOT) {
        return false;
    }

    memcpy(into, bench->flash[area] + offset, count);
    return true;
}

static void reboot(void *at)
{
    ((struct bench *)at)->reboots++;
}

void bench_init(struct bench *bench, unsigned joints)
{
    const struct hal hal = {bench, now_us, uart_read, uart_write, motor_set, encoder_read, temperature_read, stop_pressed,
                            watchdog_kick, flash_erase, flash_write, flash_read, reboot};
    memset(bench, 0, sizeof *bench);
    memset(bench->flash, 0xFF, sizeof bench->flash);
    bench->hal = hal;
    bench->now_us = 1000;
    bench->config.name = "bench";
    memcpy(bench->config.id, "BENCH-000001", 12);
    bench->config.version = 0x010203;
    bench->config.servo_period_us = 1000;
    bench->config.state_period_us = 10000;
    bench->config.disarm_after_ms = 1000;
    bench->config.confirm_within_ms = 500;
    bench->config.slot_size = BENCH_SLOT;
    bench->config.joints = joints;
    for (unsigned j = 0; j < joints; j++) {
        bench->config.joint[j] = arm_joint(j == 0 ? "first" : "another", 2);
        bench->joints[j] = arm_plant(2.05);
    }
}

void bench_start(struct bench *bench)
{
    device_init(&bench->device, &bench->hal, &bench->config, 7, NO_SLOT);
    bench_ticks(bench, 1);
}

void bench_send(struct bench *bench, uint8_t type, const void *payload, size_t length)
{
    uint8_t wire[FRAME_MAX_WIRE];
    size_t count = frame_write(wire, type, 42, payload, length);
    if (bench->to_device_count + count <= sizeof bench->to_device) {
        memcpy(bench->to_device + bench->to_device_count, wire, count);
        bench->to_device_count += count;
    }
}

void bench_ticks(struct bench *bench, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        device_poll(&bench->device);
        bench->now_us += bench->config.servo_period_us;
        device_tick(&bench->device);
        for (unsigned j = 0; j < bench->config.joints; j++) {
            plant_step(&bench->joints[j], (double)bench->config.servo_period_us * 1e-6);
        }
    }
}

int bench_take(struct bench *bench, uint8_t type, uint8_t payload[FRAME_MAX_PAYLOAD])
{
    int length = -1;
    struct frame frame;
    for (size_t i = 0; i < bench->from_device_count; i++) {
        if (frame_reader_feed(&bench->replies, bench->from_device[i], &frame) && frame.type == type) {
            memcpy(payload, frame.payload, frame.length);
            length = (int)frame.length;
        }
    }

    bench->from_device_count = 0;
    return length;
}

int bench_ask(struct bench *bench, uint8_t type, const void *payload, size_t length, uint8_t answer[FRAME_MAX_PAYLOAD])
{
    bench_send(bench, type, payload, length);
    device_poll(&bench->device);
    return bench_take(bench, type | REPLY, answer) >= 2 ? answer[0] : -1;
}
