/* Numbers of PROTOCOL.md. They are on the wire and in records: never renumber, only add. */
#ifndef ROBOTICS_PROTOCOL_H
#define ROBOTICS_PROTOCOL_H

#define REPLY 0x80 /* the reply to request T has type T | REPLY */

enum message {
    MESSAGE_HELLO = 0x01,
    MESSAGE_JOINT = 0x02,
    MESSAGE_TIME = 0x03,
    MESSAGE_READ = 0x04,
    MESSAGE_DESCRIBE = 0x05,
    MESSAGE_WRITE = 0x06,
    MESSAGE_ARM = 0x10,
    MESSAGE_DISARM = 0x11,
    MESSAGE_COMMAND = 0x12, /* no reply: the state report says what was applied */
    MESSAGE_HOLD = 0x13,
    MESSAGE_ESTOP = 0x14,
    MESSAGE_CLEAR = 0x15,
    MESSAGE_UPDATE_BEGIN = 0x20,
    MESSAGE_UPDATE_BLOCK = 0x21,
    MESSAGE_UPDATE_STATUS = 0x22,
    MESSAGE_UPDATE_FINISH = 0x23,
    MESSAGE_UPDATE_CONFIRM = 0x24,
    MESSAGE_REBOOT = 0x25,
    MESSAGE_STATE = 0xC0,
    MESSAGE_EVENT = 0xC1,
    MESSAGE_LOG = 0xC2
};

enum result {
    RESULT_OK = 0,
    RESULT_UNKNOWN_REQUEST = 1,
    RESULT_WRONG_LENGTH = 2,
    RESULT_NO_SUCH_ITEM = 3,
    RESULT_OUT_OF_RANGE = 4,
    RESULT_READ_ONLY = 5,
    RESULT_WRONG_MODE = 6,
    RESULT_WRONG_KIND = 7,
    RESULT_WRONG_BLOCK = 8,
    RESULT_WRONG_HASH = 9,
    RESULT_FLASH = 10,
    RESULT_WRONG_SESSION = 11,
    RESULT_WRONG_VERSION = 12
};

enum mode { MODE_BOOT = 0, MODE_IDLE = 1, MODE_ARMED = 2, MODE_ACTIVE = 3, MODE_FAULT = 4, MODE_ESTOP = 5 };

/* Why the device is not following commands, or why it dropped one. 32 and up are faults: latched until cleared. */
enum reason {
    REASON_NONE = 0,
    REASON_EXPIRED = 1,      /* the newest command ran out */
    REASON_HOST_HOLD = 2,    /* the host asked to hold */
    REASON_RANGE = 3,        /* a command lay outside the joint's range by more than the margin */
    REASON_STALE = 4,        /* a command came after its expiry */
    REASON_HOST_LOST = 5,    /* no good frame for disarm_after: disarmed */
    REASON_DISARMED = 6,     /* the host disarmed */
    REASON_NEW_HOST = 7,     /* a hello ended the session */
    REASON_SEQUENCE = 8,     /* a command was not newer than the newest one */
    REASON_SESSION = 9,      /* a command of another session, or while not armed */
    REASON_MALFORMED = 10,   /* a command of the wrong length or shape */
    REASON_ESTOP_HOST = 16,
    REASON_ESTOP_INPUT = 17,
    REASON_ENCODER_FROZEN = 32,
    REASON_OVER_TEMPERATURE = 33,
    REASON_POSITION_RANGE = 34, /* measured outside the range by more than the margin */
    REASON_FOLLOWING = 35,      /* measured too far from the setpoint for too long */
    REASON_ENCODER_INVALID = 36,
    REASON_CONFIGURATION = 37
};

enum joint_kind { JOINT_REVOLUTE = 0, JOINT_PRISMATIC = 1 };
enum target_kind { TARGET_POSITION = 0, TARGET_VELOCITY = 1, TARGET_EFFORT = 2 };
enum log_level { LOG_INFO = 0, LOG_WARNING = 1, LOG_ERROR = 2 };

#define COMMAND_HEADER 20U /* bytes of a command's payload before the targets */
#define STATE_HEADER 16U   /* bytes of a state's payload before the joints */
#define ALL_JOINTS 255U

#endif
