#include "device.h"

#include "bytes.h"

static size_t text_length(const char *text, size_t most)
{
    size_t length = 0;
    while (length < most && text[length] != 0) {
        length++;
    }

    return length;
}

static void send(struct device *device, uint8_t type, uint16_t sequence, const uint8_t *payload, size_t length)
{
    uint8_t wire[FRAME_MAX_WIRE];
    size_t count = frame_write(wire, type, sequence, payload, length);
    if (!device->hal->uart_write(device->hal->board, wire, count)) {
        device->lost_frames++;
    }
}

void device_reply(struct device *device, const struct frame *request, enum result result, uint8_t detail, const uint8_t *payload, size_t length)
{
    uint8_t reply[FRAME_MAX_PAYLOAD];
    reply[0] = (uint8_t)result;
    reply[1] = detail;
    if (length > 0) {
        memcpy(reply + 2, payload, length);
    }

    send(device, request->type | REPLY, request->sequence, reply, length + 2U);
}

static void simple(struct device *device, const struct frame *request, enum result result)
{
    device_reply(device, request, result, (uint8_t)device->mode, 0, 0);
}

void device_log(struct device *device, enum log_level level, const char *text)
{
    uint8_t payload[8 + 200];
    size_t length = text_length(text, 200);
    payload[0] = (uint8_t)level;
    payload[1] = payload[2] = payload[3] = 0;
    put_u32(payload + 4, (uint32_t)device->hal->now_us(device->hal->board));
    memcpy(payload + 8, text, length);
    send(device, MESSAGE_LOG, device->sent++, payload, length + 8U);
}

/* ---- the state machine ---- */

static void brake_motors(struct device *device)
{
    for (unsigned j = 0; j < device->config.joints; j++) {
        device->servos[j].effort = 0;
        device->hal->motor_set(device->hal->board, j, MOTOR_BRAKE, 0);
    }
}

/* Tells the host at once; the state report repeats mode and reason for as long as they last. */
static void tell(struct device *device, unsigned joint, float value, float limit)
{
    uint8_t payload[16];
    payload[0] = (uint8_t)device->reason;
    payload[1] = (uint8_t)joint;
    payload[2] = (uint8_t)device->mode;
    payload[3] = 0;
    put_u32(payload + 4, (uint32_t)device->hal->now_us(device->hal->board));
    put_f32(payload + 8, value);
    put_f32(payload + 12, limit);
    send(device, MESSAGE_EVENT, device->sent++, payload, sizeof payload);
}

/* Motors first, words later. Nothing leaves fault or e-stop but CLEAR; an e-stop overrides a fault. */
static void stop(struct device *device, enum mode mode, enum reason reason, unsigned joint, float value, float limit)
{
    brake_motors(device);
    if (device->mode == MODE_ESTOP || (device->mode == MODE_FAULT && mode != MODE_ESTOP)) {
        return;
    }

    device->mode = mode;
    device->reason = reason;
    device->session = 0;
    device->commanded = false;
    tell(device, joint, value, limit);
}

/* From active to armed: the setpoints slow down and stay. */
static void hold(struct device *device, enum reason reason, unsigned joint, float value, float limit)
{
    if (device->mode != MODE_ACTIVE) {
        return;
    }

    for (unsigned j = 0; j < device->config.joints; j++) {
        servo_brake(&device->servos[j], &device->config.joint[j]);
    }

    device->mode = MODE_ARMED;
    device->braking = true;
    device->reason = reason;
    tell(device, joint, value, limit);
}

static void disarm(struct device *device, enum reason reason)
{
    if (device->mode == MODE_ARMED || device->mode == MODE_ACTIVE) {
        stop(device, MODE_IDLE, reason, ALL_JOINTS, 0, 0);
    }
}

/* ---- requests ---- */

static void hello(struct device *device, const struct frame *request)
{
    uint8_t payload[44 + DEVICE_NAME_MAX];
    const struct device_config *config = &device->config;
    if (request->length != 8) {
        simple(device, request, RESULT_WRONG_LENGTH);
        return;
    }

    /* Whoever says hello knows nothing of the session before: it is over. */
    disarm(device, REASON_NEW_HOST);
    bool common = request->payload[0] <= PROTOCOL_VERSION && request->payload[1] >= PROTOCOL_VERSION;
    size_t name = text_length(config->name, DEVICE_NAME_MAX);
    payload[0] = PROTOCOL_VERSION;
    payload[1] = (uint8_t)config->joints;
    put_u16(payload + 2, FRAME_MAX_PACKET);
    put_u32(payload + 4, device->boot_number);
    memcpy(payload + 8, config->id, sizeof config->id);
    put_u32(payload + 20, config->version);
    put_u32(payload + 24, config->servo_period_us);
    put_u32(payload + 28, config->state_period_us);
    put_u32(payload + 32, config->slot_size);
    put_u16(payload + 36, (uint16_t)registers_count(device));
    payload[38] = device->update.running;
    payload[39] = update_on_trial(&device->update) ? 1 : 0;
    memcpy(payload + 40, request->payload + 4, 4); /* the host's own number: this answer is to this hello */
    memcpy(payload + 44, config->name, name);
    device_reply(device, request, common ? RESULT_OK : RESULT_WRONG_VERSION, (uint8_t)device->mode, payload, 44 + name);
}

static void describe_joint(struct device *device, const struct frame *request)
{
    uint8_t payload[44 + DEVICE_NAME_MAX];
    if (request->length != 1) {
        simple(device, request, RESULT_WRONG_LENGTH);
        return;
    }

    unsigned j = request->payload[0];
    if (j >= device->config.joints) {
        simple(device, request, RESULT_NO_SUCH_ITEM);
        return;
    }

    const struct joint_config *joint = &device->config.joint[j];
    size_t name = text_length(joint->name, DEVICE_NAME_MAX);
    payload[0] = (uint8_t)j;
    payload[1] = (uint8_t)joint->kind;
    payload[2] = (uint8_t)joint->command;
    payload[3] = 0;
    put_f32(payload + 4, joint->position_scale);
    put_f32(payload + 8, joint->velocity_scale);
    put_f32(payload + 12, joint->effort_scale);
    put_f32(payload + 16, joint->lower);
    put_f32(payload + 20, joint->upper);
    put_f32(payload + 24, joint->margin);
    put_f32(payload + 28, joint->max_speed);
    put_f32(payload + 32, joint->brake_deceleration);
    put_f32(payload + 36, joint->max_effort);
    put_f32(payload + 40, joint->home);
    memcpy(payload + 44, joint->name, name);
    device_reply(device, request, RESULT_OK, (uint8_t)device->mode, payload, 44 + name);
}

static void tell_time(struct device *device, const struct frame *request, uint64_t came_us)
{
    uint8_t payload[24];
    if (request->length != 8) {
        simple(device, request, RESULT_WRONG_LENGTH);
        return;
    }

    memcpy(payload, request->payload, 8);
    put_u64(payload + 8, came_us);
    put_u64(payload + 16, device->hal->now_us(device->hal->board));
    device_reply(device, request, RESULT_OK, (uint8_t)device->mode, payload, sizeof payload);
}

static enum result arm(struct device *device, const struct frame *request)
{
    const struct device_config *config = &device->config;
    if (request->length != 2U + config->joints) {
        return RESULT_WRONG_LENGTH;
    }

    uint16_t session = get_u16(request->payload);
    if (session == 0) {
        return RESULT_WRONG_SESSION;
    }

    if (device->mode == MODE_ARMED && session == device->session && !device->commanded) {
        return RESULT_OK; /* asked twice, because our answer was lost */
    }

    if (device->mode != MODE_IDLE) {
        return RESULT_WRONG_MODE;
    }

    for (unsigned j = 0; j < config->joints; j++) {
        uint8_t kind = request->payload[2U + j];
        /* A drive that takes efforts also serves positions and velocities: that is what its gains are for. */
        if (kind > TARGET_EFFORT || (kind != (uint8_t)config->joint[j].command && config->joint[j].command != TARGET_EFFORT)) {
            return RESULT_WRONG_KIND;
        }
    }

    for (unsigned j = 0; j < config->joints; j++) {
        servo_rest(&device->servos[j], (enum target_kind)request->payload[2U + j]);
    }

    device->session = session;
    device->commanded = false;
    device->newest = 0;
    device->action_age_us = 0;
    device->braking = false;
    device->mode = MODE_ARMED;
    device->reason = REASON_NONE;
    return RESULT_OK;
}

static void drop(struct device *device, enum reason why)
{
    device->dropped++;
    device->last_drop = why;
}

static float scale_of(const struct joint_config *joint, enum target_kind kind)
{
    return kind == TARGET_POSITION ? joint->position_scale : kind == TARGET_VELOCITY ? joint->velocity_scale : joint->effort_scale;
}

/* The only way to motion. The checks stand in the order of PROTOCOL.md. */
static void command(struct device *device, const struct frame *request, uint64_t came_us)
{
    const struct device_config *config = &device->config;
    const uint8_t *at = request->payload;
    unsigned rows = request->length >= COMMAND_HEADER ? at[18] : 0;
    if (rows == 0 || rows > SERVO_MAX_ROWS || at[19] != 0 || request->length != COMMAND_HEADER + ((size_t)2U * rows * config->joints)) {
        drop(device, REASON_MALFORMED);
        return;
    }

    if ((device->mode != MODE_ARMED && device->mode != MODE_ACTIVE) || get_u16(at) != device->session) {
        drop(device, REASON_SESSION);
        return;
    }

    uint32_t sequence = get_u32(at + 4);
    if (device->commanded && (sequence == device->newest || sequence - device->newest > 0x7FFFFFFFU)) {
        drop(device, REASON_SEQUENCE);
        return;
    }

    uint32_t observed_us = get_u32(at + 8);
    uint32_t expires_us = get_u32(at + 12);
    uint32_t now = (uint32_t)came_us;
    if (expires_us != 0 && expires_us - now > 0x7FFFFFFFU) {
        drop(device, REASON_STALE);
        return;
    }

    float targets[DEVICE_MAX_JOINTS][SERVO_MAX_ROWS];
    for (unsigned j = 0; j < config->joints; j++) {
        const struct joint_config *joint = &config->joint[j];
        float scale = scale_of(joint, device->servos[j].kind);
        for (unsigned row = 0; row < rows; row++) {
            targets[j][row] = (float)get_i16(at + COMMAND_HEADER + ((size_t)2U * ((row * config->joints) + j))) * scale;
            if (!servo_accepts(joint, device->servos[j].kind, targets[j][row])) {
                drop(device, REASON_RANGE);
                hold(device, REASON_RANGE, j, targets[j][row], targets[j][row] > 0 ? joint->upper : joint->lower);
                return;
            }
        }
    }

    for (unsigned j = 0; j < config->joints; j++) {
        servo_follow(&device->servos[j], &config->joint[j], targets[j], rows);
    }

    device->commanded = true;
    device->newest = sequence;
    device->action_age_us = now - observed_us;
    device->taken_us = came_us;
    device->valid_us = (uint32_t)get_u16(at + 2) * 1000U;
    device->row_us = (uint32_t)get_u16(at + 16) * 100U;
    device->rows = rows;
    device->mode = MODE_ACTIVE;
    device->reason = REASON_NONE;
    device->braking = false;
}

static enum result clear(struct device *device)
{
    if (device->mode != MODE_FAULT && device->mode != MODE_ESTOP) {
        return RESULT_OK;
    }

    /* Pull the button out first; and a wrong configuration stays wrong. */
    if (device->hal->stop_pressed(device->hal->board) || device->reason == REASON_CONFIGURATION) {
        return RESULT_WRONG_MODE;
    }

    device->mode = MODE_IDLE; /* a fault that still stands comes back with the next tick */
    device->reason = REASON_NONE;
    for (unsigned j = 0; j < device->config.joints; j++) {
        servo_rest(&device->servos[j], device->servos[j].kind);
    }

    return RESULT_OK;
}

static void serve(struct device *device, const struct frame *request, uint64_t came_us)
{
    switch (request->type) {
    case MESSAGE_HELLO:
        hello(device, request);
        break;
    case MESSAGE_JOINT:
        describe_joint(device, request);
        break;
    case MESSAGE_TIME:
        tell_time(device, request, came_us);
        break;
    case MESSAGE_READ:
        registers_read(device, request);
        break;
    case MESSAGE_DESCRIBE:
        registers_describe(device, request);
        break;
    case MESSAGE_WRITE:
        registers_write(device, request);
        break;
    case MESSAGE_ARM:
        simple(device, request, arm(device, request));
        break;
    case MESSAGE_DISARM:
        disarm(device, REASON_DISARMED);
        simple(device, request, RESULT_OK);
        break;
    case MESSAGE_COMMAND:
        command(device, request, came_us);
        break;
    case MESSAGE_HOLD:
        hold(device, REASON_HOST_HOLD, ALL_JOINTS, 0, 0);
        simple(device, request, RESULT_OK);
        break;
    case MESSAGE_ESTOP:
        stop(device, MODE_ESTOP, REASON_ESTOP_HOST, ALL_JOINTS, 0, 0);
        simple(device, request, RESULT_OK);
        break;
    case MESSAGE_CLEAR:
        simple(device, request, clear(device));
        break;
    case MESSAGE_UPDATE_BEGIN:
    case MESSAGE_UPDATE_BLOCK:
    case MESSAGE_UPDATE_STATUS:
    case MESSAGE_UPDATE_FINISH:
    case MESSAGE_UPDATE_CONFIRM:
    case MESSAGE_REBOOT:
        update_request(device, request);
        break;
    default:
        simple(device, request, RESULT_UNKNOWN_REQUEST);
        break;
    }
}

void device_poll(struct device *device)
{
    uint8_t bytes[64];
    struct frame request;
    size_t count = device->hal->uart_read(device->hal->board, bytes, sizeof bytes);
    uint64_t now = device->hal->now_us(device->hal->board);
    while (count > 0) {
        for (size_t i = 0; i < count; i++) {
            /* What has our own direction's bit set is an echo or a mistake: answering it could go on for ever. */
            if (frame_reader_feed(&device->reader, bytes[i], &request) && (request.type & REPLY) == 0) {
                device->heard_us = now;
                serve(device, &request, now);
            }
        }

        count = count == sizeof bytes ? device->hal->uart_read(device->hal->board, bytes, sizeof bytes) : 0;
    }
}

/* ---- the tick ---- */

static int16_t counts(float value, float scale)
{
    float scaled = value / scale;
    if (scaled >= 32767.0F) {
        return 32767;
    }

    if (scaled <= -32767.0F) {
        return -32767;
    }

    return (int16_t)(scaled + (scaled < 0 ? -0.5F : 0.5F));
}

static void report(struct device *device, uint64_t now)
{
    const struct device_config *config = &device->config;
    uint8_t payload[STATE_HEADER + (6U * DEVICE_MAX_JOINTS)];
    put_u32(payload, (uint32_t)now);
    put_u32(payload + 4, device->newest);
    put_u32(payload + 8, device->action_age_us);
    payload[12] = (uint8_t)device->mode;
    payload[13] = (uint8_t)device->reason;
    payload[14] = (uint8_t)(device->dropped & 0xFFU);
    payload[15] = (uint8_t)device->last_drop;
    for (unsigned j = 0; j < config->joints; j++) {
        const struct joint_config *joint = &config->joint[j];
        uint8_t *at = payload + STATE_HEADER + ((size_t)6U * j);
        put_u16(at, (uint16_t)counts(device->servos[j].position, joint->position_scale));
        put_u16(at + 2, (uint16_t)counts(device->servos[j].velocity, joint->velocity_scale));
        put_u16(at + 4, (uint16_t)counts(device->servos[j].effort, joint->effort_scale));
    }

    send(device, MESSAGE_STATE, device->sent++, payload, STATE_HEADER + ((size_t)6U * config->joints));
}

static void measure(struct device *device)
{
    const struct device_config *config = &device->config;
    bool driven = device->mode == MODE_ARMED || device->mode == MODE_ACTIVE;
    for (unsigned j = 0; j < config->joints; j++) {
        const struct joint_config *joint = &config->joint[j];
        struct servo *servo = &device->servos[j];
        float position = 0;
        float velocity = 0;
        bool answered = device->hal->encoder_read(device->hal->board, j, &position, &velocity);
        float temperature = device->hal->temperature_read(device->hal->board, j);
        enum reason fault = servo_measure(servo, joint, answered, position, velocity, temperature, driven, config->servo_period_us);
        switch (fault) {
        case REASON_NONE:
            break;
        case REASON_OVER_TEMPERATURE:
            stop(device, MODE_FAULT, fault, j, temperature, joint->temperature_limit);
            break;
        case REASON_ENCODER_FROZEN:
            stop(device, MODE_FAULT, fault, j, (float)servo->frozen_us * 1e-3F, (float)joint->frozen_ms);
            break;
        case REASON_FOLLOWING:
            stop(device, MODE_FAULT, fault, j, servo->setpoint - position, joint->following_limit);
            break;
        case REASON_POSITION_RANGE:
            stop(device, MODE_FAULT, fault, j, position, position > joint->upper ? joint->upper : joint->lower);
            break;
        default:
            stop(device, MODE_FAULT, fault, j, 0, 0);
            break;
        }
    }
}

static void drive(struct device *device, uint64_t now)
{
    const struct device_config *config = &device->config;
    uint64_t elapsed_us = now - device->taken_us;
    if (device->mode == MODE_ACTIVE && elapsed_us > device->valid_us) {
        hold(device, REASON_EXPIRED, ALL_JOINTS, (float)elapsed_us * 1e-3F, (float)device->valid_us * 1e-3F);
    }

    for (unsigned j = 0; j < config->joints; j++) {
        struct servo *servo = &device->servos[j];
        const struct joint_config *joint = &config->joint[j];
        if (device->mode == MODE_ACTIVE) {
            servo_interpolate(servo, joint, device->rows, device->row_us, (uint32_t)elapsed_us, config->servo_period_us);
        } else if (device->braking) {
            servo_slow(servo, joint, config->servo_period_us);
        }

        /* An effort is no place to stay: without a command such a joint is braked by its driver. */
        bool loose = device->mode == MODE_ARMED && servo->kind == TARGET_EFFORT;
        float effort = loose ? 0 : servo_effort(servo, joint);
        servo->effort = effort;
        device->hal->motor_set(device->hal->board, j, loose ? MOTOR_BRAKE : MOTOR_EFFORT, effort);
    }
}

void device_tick(struct device *device)
{
    const struct device_config *config = &device->config;
    uint64_t now = device->hal->now_us(device->hal->board);
    device->hal->watchdog_kick(device->hal->board);
    if (device->ticked_us != 0 && now - device->ticked_us > (uint64_t)2U * config->servo_period_us) {
        device->ticks_late++;
    }

    device->ticked_us = now;
    measure(device);
    if (device->hal->stop_pressed(device->hal->board) && device->mode != MODE_ESTOP) {
        stop(device, MODE_ESTOP, REASON_ESTOP_INPUT, ALL_JOINTS, 0, 0);
    }

    if (device->mode == MODE_BOOT) {
        device->mode = MODE_IDLE;
    }

    if (config->disarm_after_ms > 0 && now - device->heard_us > (uint64_t)config->disarm_after_ms * 1000U) {
        disarm(device, REASON_HOST_LOST);
    }

    if (device->mode == MODE_ARMED || device->mode == MODE_ACTIVE) {
        drive(device, now);
    } else {
        brake_motors(device);
    }

    if (update_on_trial(&device->update) && now - device->booted_us > (uint64_t)config->confirm_within_ms * 1000U) {
        device->hal->reboot(device->hal->board); /* nobody spoke to the new image: back to the old one */
    }

    if (now >= device->state_due_us) {
        /* From the instant it was due, so that the rate is right; after a pause from now, without catching up in a burst. */
        device->state_due_us += config->state_period_us;
        if (device->state_due_us <= now) {
            device->state_due_us = now + config->state_period_us;
        }

        report(device, now);
    }
}

static bool configured(const struct device_config *config)
{
    bool right = config->joints >= 1 && config->joints <= DEVICE_MAX_JOINTS && config->servo_period_us > 0 && config->state_period_us > 0;
    for (unsigned j = 0; right && j < config->joints; j++) {
        const struct joint_config *joint = &config->joint[j];
        right = joint->position_scale > 0 && joint->velocity_scale > 0 && joint->effort_scale > 0 && joint->lower < joint->upper
            && joint->max_speed > 0 && joint->max_effort > 0 && joint->brake_deceleration > 0;
    }

    return right;
}

void device_init(struct device *device, const struct hal *hal, const struct device_config *config, uint32_t boot_number, uint8_t running)
{
    uint8_t *bytes = (uint8_t *)device; /* a constant to copy from would cost as much flash as the device takes of RAM */
    for (size_t i = 0; i < sizeof *device; i++) {
        bytes[i] = 0;
    }

    device->hal = hal;
    device->config = *config;
    device->boot_number = boot_number;
    device->mode = MODE_BOOT;
    frame_reader_init(&device->reader);
    update_init(&device->update, hal, config->slot_size);
    device->update.running = running;
    device->booted_us = hal->now_us(hal->board);
    device->heard_us = device->booted_us;
    device->state_due_us = device->booted_us;
    if (config->joints > DEVICE_MAX_JOINTS) {
        device->config.joints = DEVICE_MAX_JOINTS;
    }

    brake_motors(device);
    if (!configured(&device->config)) {
        stop(device, MODE_FAULT, REASON_CONFIGURATION, ALL_JOINTS, 0, 0);
    }
}
