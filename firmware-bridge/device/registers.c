/* The register map: one row per number a person may look at or set. */
#include "bytes.h"
#include "device.h"

enum register_type { TYPE_U32 = 1, TYPE_F32 = 3 };
enum register_access { READ_ONLY = 0, WRITE_IDLE = 1, WRITE_ALWAYS = 2 };

struct register_row {
    uint16_t id; /* of joint 0 for joint registers */
    uint8_t type;
    uint8_t access;
    uint16_t offset; /* into struct device, struct joint_config or struct servo */
    const char *unit; /* "q" stands for rad or m, "t" for Nm or N, by the joint */
    const char *name;
    float lowest;
    float highest;
};

#define JOINT_BASE 0x0100U
#define JOINT_STEP 0x0040U
#define ID_MEASURED 0x20U /* joint registers from here on lie in struct servo */
#define ID_BAD_FRAMES 0x0006U
#define ID_UPTIME 0x0008U
#define ID_PROTOCOL 0x0001U

#define IN_DEVICE(member) (uint16_t)offsetof(struct device, member)
#define IN_JOINT(member) (uint16_t)offsetof(struct joint_config, member)
#define IN_SERVO(member) (uint16_t)offsetof(struct servo, member)

static const struct register_row device_rows[] = {
    {ID_PROTOCOL, TYPE_U32, READ_ONLY, 0, "", "protocol", 0, 0},
    {0x0002, TYPE_U32, WRITE_ALWAYS, IN_DEVICE(config.state_period_us), "us", "state_period", 500, 1000000},
    {0x0003, TYPE_U32, READ_ONLY, IN_DEVICE(config.servo_period_us), "us", "servo_period", 0, 0},
    {0x0004, TYPE_U32, WRITE_IDLE, IN_DEVICE(config.disarm_after_ms), "ms", "disarm_after", 0, 3600000},
    {0x0005, TYPE_U32, READ_ONLY, IN_DEVICE(dropped), "", "dropped", 0, 0},
    {ID_BAD_FRAMES, TYPE_U32, READ_ONLY, 0, "", "bad_frames", 0, 0},
    {0x0007, TYPE_U32, READ_ONLY, IN_DEVICE(ticks_late), "", "ticks_late", 0, 0},
    {ID_UPTIME, TYPE_U32, READ_ONLY, 0, "s", "uptime", 0, 0},
    {0x0009, TYPE_U32, READ_ONLY, IN_DEVICE(lost_frames), "", "frames_not_sent", 0, 0},
};

static const struct register_row joint_rows[] = {
    {0x00, TYPE_F32, WRITE_IDLE, IN_JOINT(stiffness), "t/q", "stiffness", 0, 1e6F},
    {0x01, TYPE_F32, WRITE_IDLE, IN_JOINT(damping), "t.s/q", "damping", 0, 1e6F},
    {0x02, TYPE_F32, WRITE_IDLE, IN_JOINT(max_effort), "t", "max_effort", 1e-6F, 1e6F},
    {0x03, TYPE_F32, WRITE_IDLE, IN_JOINT(lower), "q", "lower", -1e4F, 1e4F},
    {0x04, TYPE_F32, WRITE_IDLE, IN_JOINT(upper), "q", "upper", -1e4F, 1e4F},
    {0x05, TYPE_F32, WRITE_IDLE, IN_JOINT(margin), "q", "margin", 0, 1e4F},
    {0x06, TYPE_F32, WRITE_IDLE, IN_JOINT(max_speed), "q/s", "max_speed", 1e-6F, 1e4F},
    {0x07, TYPE_F32, WRITE_IDLE, IN_JOINT(brake_deceleration), "q/s2", "brake_deceleration", 1e-6F, 1e6F},
    {0x08, TYPE_F32, WRITE_IDLE, IN_JOINT(temperature_limit), "degC", "temperature_limit", 0, 200},
    {0x09, TYPE_F32, WRITE_IDLE, IN_JOINT(following_limit), "q", "following_limit", 0, 1e4F},
    {0x0A, TYPE_U32, WRITE_IDLE, IN_JOINT(following_ms), "ms", "following_time", 1, 60000},
    {0x0B, TYPE_U32, WRITE_IDLE, IN_JOINT(frozen_ms), "ms", "frozen_time", 0, 60000},
    {0x20, TYPE_F32, READ_ONLY, IN_SERVO(position), "q", "position", 0, 0},
    {0x21, TYPE_F32, READ_ONLY, IN_SERVO(velocity), "q/s", "velocity", 0, 0},
    {0x22, TYPE_F32, READ_ONLY, IN_SERVO(effort), "t", "effort", 0, 0},
    {0x23, TYPE_F32, READ_ONLY, IN_SERVO(temperature), "degC", "temperature", 0, 0},
    {0x24, TYPE_F32, READ_ONLY, IN_SERVO(setpoint), "", "setpoint", 0, 0},
};

#define DEVICE_ROWS (sizeof device_rows / sizeof device_rows[0])
#define JOINT_ROWS (sizeof joint_rows / sizeof joint_rows[0])

/* A register found: its row, and the value's place in memory (null: computed). */
struct found {
    const struct register_row *row;
    uint8_t *value;
    unsigned joint;
};

static bool find(struct device *device, uint16_t id, struct found *found)
{
    bool of_joint = id >= JOINT_BASE;
    unsigned joint = of_joint ? (id - JOINT_BASE) / JOINT_STEP : 0;
    uint16_t within = of_joint ? (uint16_t)((id - JOINT_BASE) % JOINT_STEP) : id;
    const struct register_row *rows = of_joint ? joint_rows : device_rows;
    size_t count = of_joint ? JOINT_ROWS : DEVICE_ROWS;
    if (joint >= device->config.joints) {
        return false;
    }

    for (size_t i = 0; i < count; i++) {
        if (rows[i].id == within) {
            uint8_t *base = !of_joint ? (uint8_t *)device
                : within >= ID_MEASURED ? (uint8_t *)&device->servos[joint] : (uint8_t *)&device->config.joint[joint];
            found->row = &rows[i];
            found->joint = of_joint ? joint : ALL_JOINTS;
            found->value = rows[i].offset == 0 && !of_joint ? 0 : base + rows[i].offset;
            return true;
        }
    }

    return false;
}

static uint32_t value_of(const struct device *device, const struct found *found)
{
    uint32_t value = 0;
    if (found->value != 0) {
        memcpy(&value, found->value, sizeof value);
    } else if (found->row->id == ID_PROTOCOL) {
        value = PROTOCOL_VERSION;
    } else if (found->row->id == ID_BAD_FRAMES) {
        value = frame_reader_bad(&device->reader);
    } else {
        value = (uint32_t)(device->hal->now_us(device->hal->board) / 1000000U);
    }

    return value;
}

unsigned registers_count(const struct device *device)
{
    return (unsigned)(DEVICE_ROWS + (JOINT_ROWS * device->config.joints));
}

void registers_read(struct device *device, const struct frame *request)
{
    uint8_t payload[4];
    struct found found;
    if (request->length != 2) {
        device_reply(device, request, RESULT_WRONG_LENGTH, 0, 0, 0);
    } else if (!find(device, get_u16(request->payload), &found)) {
        device_reply(device, request, RESULT_NO_SUCH_ITEM, 0, 0, 0);
    } else {
        put_u32(payload, value_of(device, &found));
        device_reply(device, request, RESULT_OK, found.row->type, payload, sizeof payload);
    }
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
    while (*text != 0) {
        *at++ = (uint8_t)*text++;
    }

    *at++ = 0;
    return at;
}

/* By running number, so that a program can list a map it has never seen. */
void registers_describe(struct device *device, const struct frame *request)
{
    uint8_t payload[16 + 64];
    if (request->length != 2) {
        device_reply(device, request, RESULT_WRONG_LENGTH, 0, 0, 0);
        return;
    }

    unsigned index = get_u16(request->payload);
    if (index >= registers_count(device)) {
        device_reply(device, request, RESULT_NO_SUCH_ITEM, 0, 0, 0);
        return;
    }

    bool of_joint = index >= DEVICE_ROWS;
    unsigned joint = of_joint ? (unsigned)((index - DEVICE_ROWS) / JOINT_ROWS) : 0;
    const struct register_row *row = of_joint ? &joint_rows[(index - DEVICE_ROWS) % JOINT_ROWS] : &device_rows[index];
    put_u16(payload, of_joint ? (uint16_t)(JOINT_BASE + (JOINT_STEP * joint) + row->id) : row->id);
    payload[2] = row->type;
    payload[3] = row->access;
    payload[4] = of_joint ? (uint8_t)joint : ALL_JOINTS;
    payload[5] = payload[6] = payload[7] = 0;
    put_f32(payload + 8, row->lowest);
    put_f32(payload + 12, row->highest);
    uint8_t *end = put_text(put_text(payload + 16, row->unit), row->name);
    device_reply(device, request, RESULT_OK, 0, payload, (size_t)(end - payload));
}

static enum result set(const struct device *device, const struct found *found, uint32_t raw, const uint8_t *bytes)
{
    const struct register_row *row = found->row;
    float value = row->type == TYPE_F32 ? get_f32(bytes) : (float)raw;
    if (row->access == READ_ONLY || found->value == 0) {
        return RESULT_READ_ONLY;
    }

    if (row->access == WRITE_IDLE && (device->mode == MODE_ARMED || device->mode == MODE_ACTIVE)) {
        return RESULT_WRONG_MODE; /* gains and limits do not change under a moving joint */
    }

    if (!is_finite(value) || value < row->lowest || value > row->highest) {
        return RESULT_OUT_OF_RANGE;
    }

    if (found->joint != ALL_JOINTS) {
        const struct joint_config *joint = &device->config.joint[found->joint];
        if ((row->offset == IN_JOINT(lower) && value >= joint->upper) || (row->offset == IN_JOINT(upper) && value <= joint->lower)) {
            return RESULT_OUT_OF_RANGE;
        }
    }

    memcpy(found->value, &raw, sizeof raw);
    return RESULT_OK;
}

void registers_write(struct device *device, const struct frame *request)
{
    struct found found;
    enum result result = RESULT_WRONG_LENGTH;
    if (request->length == 6) {
        result = find(device, get_u16(request->payload), &found)
            ? set(device, &found, get_u32(request->payload + 2), request->payload + 2) : RESULT_NO_SUCH_ITEM;
    }

    device_reply(device, request, result, (uint8_t)device->mode, 0, 0);
}
