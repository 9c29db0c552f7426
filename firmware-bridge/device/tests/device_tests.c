/* The whole device on a bench: requests, the state machine, the ways to stop. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../bytes.h"
#include "bench.h"
#include "check.h"

static struct bench bench;
static uint8_t answer[FRAME_MAX_PAYLOAD];
static uint32_t sequence;

static void start(unsigned joints)
{
    bench_init(&bench, joints);
    bench_start(&bench);
    sequence = 0;
}

static int ask(uint8_t type, const void *payload, size_t length)
{
    return bench_ask(&bench, type, payload, length, answer);
}

static int arm(uint16_t session)
{
    uint8_t payload[2 + DEVICE_MAX_JOINTS] = {0};
    put_u16(payload, session);
    return ask(MESSAGE_ARM, payload, 2 + bench.config.joints);
}

struct order {
    uint16_t session;
    uint16_t valid_ms;
    uint32_t sequence;
    uint32_t expires_us;
    uint16_t row_100us;
    unsigned rows;
    float target;
};

static void send(struct order order)
{
    uint8_t payload[FRAME_MAX_PAYLOAD] = {0};
    put_u16(payload, order.session);
    put_u16(payload + 2, order.valid_ms);
    put_u32(payload + 4, order.sequence);
    put_u32(payload + 8, (uint32_t)bench.now_us - 3000U);
    put_u32(payload + 12, order.expires_us);
    put_u16(payload + 16, order.row_100us);
    payload[18] = (uint8_t)order.rows;
    for (unsigned i = 0; i < order.rows * bench.config.joints; i++) {
        put_u16(payload + COMMAND_HEADER + ((size_t)2U * i), (uint16_t)(int16_t)lroundf(order.target / 1e-4F));
    }

    bench_send(&bench, MESSAGE_COMMAND, payload, COMMAND_HEADER + ((size_t)2U * order.rows * bench.config.joints));
    device_poll(&bench.device);
}

/* Drives every joint for `ms`, a command every 10 ms. */
static void move(float target, unsigned ms)
{
    for (unsigned i = 0; i < ms; i += 10) {
        send((struct order){5, 50, ++sequence, 0, 100, 1, target});
        bench_ticks(&bench, 10);
    }
}

static bool all_braked(void)
{
    bool braked = true;
    for (unsigned j = 0; j < bench.config.joints; j++) {
        braked = braked && bench.joints[j].mode == MOTOR_BRAKE;
    }

    return braked;
}

/* Milliseconds until no joint moves any more. */
static unsigned standstill(void)
{
    unsigned last = 0;
    for (unsigned ms = 1; ms <= 1000; ms++) {
        bench_ticks(&bench, 1);
        for (unsigned j = 0; j < bench.config.joints; j++) {
            last = fabs(bench.joints[j].velocity) > 0.02 ? ms : last;
        }
    }

    return last;
}

static void greetings(void)
{
    uint8_t hello[8] = {1, 1, 0, 0, 0xAA, 0xBB, 0xCC, 0xDD};
    start(2);
    CHECK_EQUAL(MODE_IDLE, bench.device.mode);
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_HELLO, hello, 8));
    CHECK_EQUAL(2, answer[3]);
    CHECK_EQUAL(7, get_u32(answer + 6));
    CHECK(memcmp(answer + 10, "BENCH-000001", 12) == 0);
    CHECK_EQUAL(0x010203, get_u32(answer + 22));
    CHECK(memcmp(answer + 42, hello + 4, 4) == 0);
    CHECK(memcmp(answer + 46, "bench", 5) == 0);
    CHECK_EQUAL(RESULT_WRONG_LENGTH, ask(MESSAGE_HELLO, hello, 7));
    hello[0] = 2;
    hello[1] = 3;
    CHECK_EQUAL(RESULT_WRONG_VERSION, ask(MESSAGE_HELLO, hello, 8));

    uint8_t joint = 1;
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_JOINT, &joint, 1));
    CHECK(get_f32(answer + 2 + 20) > 1.99F);
    CHECK(memcmp(answer + 46, "another", 7) == 0);
    joint = 2;
    CHECK_EQUAL(RESULT_NO_SUCH_ITEM, ask(MESSAGE_JOINT, &joint, 1));
    CHECK_EQUAL(RESULT_WRONG_LENGTH, ask(MESSAGE_JOINT, &joint, 0));

    uint8_t time[8] = {9, 8, 7, 6, 5, 4, 3, 2};
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_TIME, time, 8));
    CHECK(memcmp(answer + 2, time, 8) == 0);
    CHECK_EQUAL(bench.now_us, get_u32(answer + 10));
    CHECK_EQUAL(RESULT_WRONG_LENGTH, ask(MESSAGE_TIME, time, 7));
    CHECK_EQUAL(RESULT_UNKNOWN_REQUEST, ask(0x7E, 0, 0));
    CHECK_EQUAL(-1, ask(MESSAGE_HELLO | REPLY, hello, 8)); /* our own words are no requests */

    device_log(&bench.device, LOG_WARNING, "a line");
    CHECK_EQUAL(8 + 6, bench_take(&bench, MESSAGE_LOG, answer));
    CHECK(memcmp(answer + 8, "a line", 6) == 0);
}

static void map(void)
{
    uint8_t request[6];
    start(2);
    unsigned listed = 0;
    for (uint16_t i = 0;; i++) {
        put_u16(request, i);
        if (ask(MESSAGE_DESCRIBE, request, 2) != RESULT_OK) {
            break;
        }

        uint16_t id = get_u16(answer + 2);
        uint8_t type = answer[4];
        uint8_t access = answer[5];
        put_u16(request, id);
        CHECK_EQUAL(RESULT_OK, ask(MESSAGE_READ, request, 2));
        CHECK_EQUAL(type, answer[1]);
        /* What was read may be written back, unless it is read-only. */
        memcpy(request + 2, answer + 2, 4);
        CHECK_EQUAL(access == 0 ? RESULT_READ_ONLY : RESULT_OK, ask(MESSAGE_WRITE, request, 6));
        listed++;
    }

    CHECK_EQUAL(registers_count(&bench.device), listed);
    CHECK_EQUAL(RESULT_WRONG_LENGTH, ask(MESSAGE_DESCRIBE, request, 1));
    CHECK_EQUAL(RESULT_WRONG_LENGTH, ask(MESSAGE_READ, request, 1));
    CHECK_EQUAL(RESULT_WRONG_LENGTH, ask(MESSAGE_WRITE, request, 5));
    put_u16(request, 0x01FF);
    CHECK_EQUAL(RESULT_NO_SUCH_ITEM, ask(MESSAGE_READ, request, 2));
    CHECK_EQUAL(RESULT_NO_SUCH_ITEM, ask(MESSAGE_WRITE, request, 6));
    put_u16(request, 0xFFFF);
    CHECK_EQUAL(RESULT_NO_SUCH_ITEM, ask(MESSAGE_READ, request, 2));

    put_u16(request, 0x0140); /* stiffness of joint 1 */
    put_f32(request + 2, 55);
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_WRITE, request, 6));
    CHECK(bench.device.config.joint[1].stiffness > 54);
    put_f32(request + 2, NAN);
    CHECK_EQUAL(RESULT_OUT_OF_RANGE, ask(MESSAGE_WRITE, request, 6));
    put_f32(request + 2, -1);
    CHECK_EQUAL(RESULT_OUT_OF_RANGE, ask(MESSAGE_WRITE, request, 6));
    put_u16(request, 0x0103); /* lower of joint 0, not above its upper */
    put_f32(request + 2, 3);
    CHECK_EQUAL(RESULT_OUT_OF_RANGE, ask(MESSAGE_WRITE, request, 6));
    put_u16(request, 0x0104);
    put_f32(request + 2, -3);
    CHECK_EQUAL(RESULT_OUT_OF_RANGE, ask(MESSAGE_WRITE, request, 6));
    CHECK_EQUAL(RESULT_OK, arm(5));
    put_f32(request + 2, 1.5F);
    CHECK_EQUAL(RESULT_WRONG_MODE, ask(MESSAGE_WRITE, request, 6)); /* not under a joint that may move */
    put_u16(request, 0x0002);
    put_u32(request + 2, 5000);
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_WRITE, request, 6)); /* the rate of reports may change at any time */
    CHECK_EQUAL(5000, bench.device.config.state_period_us);
}

static void arming(void)
{
    uint8_t payload[4] = {5, 0, 0, 0};
    start(2);
    CHECK(all_braked());
    CHECK_EQUAL(RESULT_WRONG_LENGTH, ask(MESSAGE_ARM, payload, 3));
    CHECK_EQUAL(RESULT_WRONG_SESSION, arm(0));
    payload[3] = TARGET_VELOCITY;
    CHECK_EQUAL(RESULT_WRONG_KIND, ask(MESSAGE_ARM, payload, 4)); /* a position drive takes positions */
    payload[3] = 9;
    CHECK_EQUAL(RESULT_WRONG_KIND, ask(MESSAGE_ARM, payload, 4));
    CHECK_EQUAL(RESULT_OK, arm(5));
    CHECK_EQUAL(MODE_ARMED, bench.device.mode);
    CHECK_EQUAL(RESULT_WRONG_MODE, arm(6));
    bench_ticks(&bench, 100);
    CHECK(fabs(bench.joints[0].position) < 1e-6); /* armed: nothing moves */
    move(0.5F, 1000);
    CHECK_EQUAL(MODE_ACTIVE, bench.device.mode);
    CHECK(fabs(bench.joints[0].position - 0.5) < 0.01);
    CHECK_EQUAL(STATE_HEADER + 12, bench_take(&bench, MESSAGE_STATE, answer));
    CHECK_EQUAL(sequence, get_u32(answer + 4));
    CHECK(get_u32(answer + 8) < 4000); /* observed 3 ms before */
    CHECK_EQUAL(MODE_ACTIVE, answer[12]);
    CHECK(abs(get_i16(answer + 16) - 5000) < 100);
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_DISARM, 0, 0));
    CHECK_EQUAL(MODE_IDLE, bench.device.mode);
    CHECK_EQUAL(REASON_DISARMED, bench.device.reason);
    CHECK(all_braked());
    CHECK(bench.kicks > 1000);
}

static void effort_drives(void)
{
    start(2);
    bench.config.joint[0].command = TARGET_EFFORT;
    bench_start(&bench);
    uint8_t payload[4] = {5, 0, TARGET_EFFORT, TARGET_POSITION};
    bench.device.config.disarm_after_ms = 0;
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_ARM, payload, 4));
    bench_ticks(&bench, 2);
    CHECK_EQUAL(MOTOR_BRAKE, bench.joints[0].mode); /* no command: an effort is no place to stay */
    CHECK_EQUAL(MOTOR_EFFORT, bench.joints[1].mode);
    send((struct order){5, 50, 1, 0, 0, 1, 0.05F}); /* 500 counts: 0.5 Nm and 0.05 rad */
    bench_ticks(&bench, 2);
    CHECK_EQUAL(MOTOR_EFFORT, bench.joints[0].mode);
    CHECK(fabs(bench.joints[0].effort - 0.5) < 1e-3);
    bench_ticks(&bench, 60);
    CHECK_EQUAL(MODE_ARMED, bench.device.mode);
    CHECK_EQUAL(MOTOR_BRAKE, bench.joints[0].mode);

    /* The same drive with positions and with velocities, by its gains. */
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_DISARM, 0, 0));
    payload[2] = TARGET_VELOCITY;
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_ARM, payload, 4));
    double before = bench.joints[0].position;
    for (int i = 1; i < 20; i++) {
        send((struct order){5, 50, (uint32_t)i, 0, 0, 1, 0.05F}); /* 500 counts: 0.5 rad/s */
        bench_ticks(&bench, 10);
    }

    CHECK(fabs(bench.joints[0].velocity - 0.5) < 0.1);
    CHECK(bench.joints[0].position > before + 0.05);
    CHECK(standstill() < 200);
    CHECK_EQUAL(REASON_EXPIRED, bench.device.reason);
}

/* Everything that the command handler refuses, with the reason it gives. */
static void drops(void)
{
    uint8_t payload[64] = {0};
    start(2);
    send((struct order){5, 50, 1, 0, 0, 1, 0.1F});
    CHECK_EQUAL(REASON_SESSION, bench.device.last_drop); /* not armed */
    CHECK_EQUAL(RESULT_OK, arm(5));
    send((struct order){6, 50, 1, 0, 0, 1, 0.1F});
    CHECK_EQUAL(REASON_SESSION, bench.device.last_drop);
    CHECK_EQUAL(2, bench.device.dropped);
    bench_send(&bench, MESSAGE_COMMAND, payload, 3);
    device_poll(&bench.device);
    CHECK_EQUAL(REASON_MALFORMED, bench.device.last_drop);
    send((struct order){5, 50, 1, 0, 0, 9, 0.1F});
    CHECK_EQUAL(4, bench.device.dropped);
    payload[18] = 1;
    payload[19] = 1; /* flags of a later version */
    bench_send(&bench, MESSAGE_COMMAND, payload, 24);
    device_poll(&bench.device);
    CHECK_EQUAL(5, bench.device.dropped);
    CHECK_EQUAL(MODE_ARMED, bench.device.mode);

    send((struct order){5, 50, 0xFFFFFFFFU, 0, 0, 1, 0}); /* sequences may wrap */
    CHECK_EQUAL(MODE_ACTIVE, bench.device.mode);
    send((struct order){5, 50, 0xFFFFFFFFU, 0, 0, 1, 0});
    CHECK_EQUAL(REASON_SEQUENCE, bench.device.last_drop);
    send((struct order){5, 50, 3, 0, 0, 1, 0});
    CHECK_EQUAL(3, bench.device.newest);
    send((struct order){5, 50, 2, 0, 0, 1, 0});
    CHECK_EQUAL(3, bench.device.newest);
    CHECK_EQUAL(7, bench.device.dropped);

    send((struct order){5, 50, 4, (uint32_t)bench.now_us - 1U, 0, 1, 0});
    CHECK_EQUAL(REASON_STALE, bench.device.last_drop);
    send((struct order){5, 50, 4, (uint32_t)bench.now_us + 5000U, 0, 1, 0});
    CHECK_EQUAL(4, bench.device.newest);

    /* Far outside: refused, and what was going on ends. */
    bench_take(&bench, MESSAGE_EVENT, answer);
    send((struct order){5, 50, 5, 0, 0, 1, 2.5F});
    CHECK_EQUAL(MODE_ARMED, bench.device.mode);
    CHECK_EQUAL(REASON_RANGE, bench.device.reason);
    CHECK_EQUAL(16, bench_take(&bench, MESSAGE_EVENT, answer));
    CHECK_EQUAL(REASON_RANGE, answer[0]);
    CHECK(fabsf(get_f32(answer + 8) - 2.5F) < 1e-3F);
    CHECK(fabsf(get_f32(answer + 12) - 2) < 1e-3F);
    send((struct order){5, 50, 6, 0, 0, 1, -2.5F});
    CHECK_EQUAL(4, bench.device.newest);
}

/* The ways in which motion ends, and how long each takes from full speed. */
static void stops(void)
{
    static const char *const names[] = {"expiry", "hold", "e-stop", "stop button", "frozen encoder", "silent encoder", "heat", "host lost", "hello"};
    for (int way = 0; way < 9; way++) {
        uint8_t hello[8] = {1, 1, 0, 0, 0, 0, 0, 0};
        start(3);
        CHECK_EQUAL(RESULT_OK, arm(5));
        move(-1.8F, 1500);
        move(1.8F, 320); /* in the middle of the way, at full speed */
        CHECK(bench.joints[0].velocity > 4);
        bench.device.config.disarm_after_ms = 60;
        enum mode mode = MODE_ARMED;
        enum reason reason = REASON_NONE;
        switch (way) {
        case 0:
            bench.device.config.disarm_after_ms = 0;
            reason = REASON_EXPIRED;
            break;
        case 1:
            bench.device.config.disarm_after_ms = 0;
            CHECK_EQUAL(RESULT_OK, ask(MESSAGE_HOLD, 0, 0));
            reason = REASON_HOST_HOLD;
            break;
        case 2:
            CHECK_EQUAL(RESULT_OK, ask(MESSAGE_ESTOP, 0, 0));
            mode = MODE_ESTOP;
            reason = REASON_ESTOP_HOST;
            break;
        case 3:
            bench.stop_pressed = true;
            mode = MODE_ESTOP;
            reason = REASON_ESTOP_INPUT;
            break;
        case 4:
            plant_freeze(&bench.joints[1], true);
            move(1.8F, 60);
            mode = MODE_FAULT;
            reason = REASON_ENCODER_FROZEN;
            break;
        case 5:
            bench.joints[2].silent = true;
            mode = MODE_FAULT;
            reason = REASON_ENCODER_INVALID;
            break;
        case 6:
            bench.joints[0].temperature = 90;
            mode = MODE_FAULT;
            reason = REASON_OVER_TEMPERATURE;
            break;
        case 7:
            mode = MODE_IDLE;
            reason = REASON_HOST_LOST;
            break;
        default:
            CHECK_EQUAL(RESULT_OK, ask(MESSAGE_HELLO, hello, 8));
            mode = MODE_IDLE;
            reason = REASON_NEW_HOST;
            break;
        }

        unsigned ms = standstill();
        printf("%-16s stands %u ms later\n", names[way], ms);
        CHECK_EQUAL(mode, bench.device.mode);
        CHECK_EQUAL(reason, bench.device.reason);
        CHECK(ms < 300);
        CHECK(mode == MODE_ARMED || all_braked());

        /* Nothing of before moves it again, and a latch lets go of nothing by itself. */
        double at = bench.joints[0].position;
        send((struct order){5, 50, sequence, 0, 0, 1, 1});
        bench_ticks(&bench, 200);
        CHECK(mode == MODE_ARMED || fabs(bench.joints[0].position - at) < 0.001);
        if (mode == MODE_FAULT || mode == MODE_ESTOP) {
            CHECK_EQUAL(RESULT_WRONG_MODE, arm(8));
            CHECK_EQUAL(way == 3 ? RESULT_WRONG_MODE : RESULT_OK, ask(MESSAGE_CLEAR, 0, 0));
            bench.stop_pressed = false;
            CHECK_EQUAL(RESULT_OK, ask(MESSAGE_CLEAR, 0, 0));
            bench_ticks(&bench, 2);
            /* A fault that is still there is back at once. */
            CHECK_EQUAL(way == 5 || way == 6 ? MODE_FAULT : MODE_IDLE, bench.device.mode);
        }
    }

    /* An emergency stop overrides a fault, and not the other way round. */
    start(1);
    bench.joints[0].temperature = 90;
    bench_ticks(&bench, 1);
    CHECK_EQUAL(MODE_FAULT, bench.device.mode);
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_ESTOP, 0, 0));
    CHECK_EQUAL(MODE_ESTOP, bench.device.mode);
    CHECK_EQUAL(REASON_ESTOP_HOST, bench.device.reason);
    bench_ticks(&bench, 5);
    CHECK_EQUAL(MODE_ESTOP, bench.device.mode);
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_CLEAR, 0, 0));
    CHECK_EQUAL(RESULT_OK, ask(MESSAGE_CLEAR, 0, 0));
}

static void chunks(void)
{
    start(1);
    CHECK_EQUAL(RESULT_OK, arm(5));
    /* Four rows of 50 ms towards 0.4: half way of the whole after 100 ms is row 1, which is 0.4 as well; the ramp is in row 0. */
    send((struct order){5, 500, 1, 0, 500, 4, 0.2F});
    bench_ticks(&bench, 25);
    CHECK(fabsf(bench.device.servos[0].setpoint - 0.1F) < 0.01F);
    bench_ticks(&bench, 400);
    CHECK(fabs(bench.joints[0].position - 0.2) < 0.01);
    CHECK_EQUAL(MODE_ACTIVE, bench.device.mode);
    bench_ticks(&bench, 100);
    CHECK_EQUAL(MODE_ARMED, bench.device.mode);
}

static void quirks(void)
{
    start(1);
    bench.line_full = true;
    bench_ticks(&bench, 30);
    CHECK(bench.device.lost_frames >= 2); /* a full line costs frames and nothing else */
    bench.line_full = false;
    bench.now_us += 50000; /* the loop stood still: counted, and no burst of reports */
    bench_take(&bench, MESSAGE_STATE, answer);
    bench_ticks(&bench, 5);
    CHECK_EQUAL(1, bench.device.ticks_late);
    bench.joints[0].position = 2.04;
    bench.joints[0].velocity = 0;
    bench_ticks(&bench, 10);
    CHECK_EQUAL(MODE_IDLE, bench.device.mode); /* inside the margin */
    bench.joints[0].upper = 9;
    bench.joints[0].position = 5;
    bench_ticks(&bench, 10);
    CHECK_EQUAL(REASON_POSITION_RANGE, bench.device.reason);
    CHECK_EQUAL(STATE_HEADER + 6, bench_take(&bench, MESSAGE_STATE, answer));
    CHECK_EQUAL(32767, get_i16(answer + 16)); /* 5 rad does not fit the scale: the end of it, not a wrapped number */
    bench.joints[0].lower = -9;
    bench.joints[0].position = -5;
    bench_ticks(&bench, 10);
    bench_take(&bench, MESSAGE_STATE, answer);
    CHECK_EQUAL(-32767, get_i16(answer + 16));

    /* Stalled against something: the joint does not follow, and the encoder's noise says that it is alive. */
    start(1);
    CHECK_EQUAL(RESULT_OK, arm(5));
    for (int i = 0; i < 80 && bench.device.mode != MODE_FAULT; i++) {
        send((struct order){5, 50, ++sequence, 0, 0, 1, 1.5F});
        for (int k = 0; k < 10; k++) {
            bench.joints[0].position = k % 2 == 0 ? 0 : 1e-5;
            bench.joints[0].velocity = 0;
            bench_ticks(&bench, 1);
        }
    }

    CHECK_EQUAL(REASON_FOLLOWING, bench.device.reason);

    /* A configuration that cannot be right never leaves fault. */
    bench_init(&bench, 1);
    bench.config.joint[0].upper = -3;
    device_init(&bench.device, &bench.hal, &bench.config, 1, NO_SLOT);
    bench_ticks(&bench, 2);
    CHECK_EQUAL(REASON_CONFIGURATION, bench.device.reason);
    CHECK_EQUAL(RESULT_WRONG_MODE, ask(MESSAGE_CLEAR, 0, 0));
    bench_init(&bench, 1);
    bench.config.joints = 99;
    device_init(&bench.device, &bench.hal, &bench.config, 1, NO_SLOT);
    CHECK_EQUAL(MODE_FAULT, bench.device.mode);
}

void device_tests(void)
{
    greetings();
    map();
    arming();
    effort_drives();
    drops();
    stops();
    chunks();
    quirks();
}
