/* A virtual device: the microcontroller's code with a motor plant, on a pty.
 *
 *     device-virtual [--push-t] [--joints N] [--name NAME] [--link PATH] [--flash FOLDER] [--image VERSION] [--die-at-write N]
 *                    [--state-us N] [--confirm-ms N] [--disarm-ms N] [--detached]
 *
 * Prints `pty PATH` and `boot slot=S version=V`, then obeys lines on standard input until it ends:
 *     plant              prints the truth: device time, mode, reason, times of interest, position and velocity of each joint
 *     freeze J | thaw J  the encoder repeats itself          silent J | broken J   the encoder does not answer, says NaN
 *     heat J T           sets the motor's temperature        push J V              gives the joint a velocity
 *     press | release    the emergency stop button           unplug [MS]           pulls the cable, for MS milliseconds
 *     place J Q          moves the joint by hand             cut N                 pulls it after N more bytes from the host */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../bytes.h"
#include "arm.h"
#include "board.h"

static const double still_speed = 0.02; /* rad/s or m/s: slower counts as standing */
static const uint64_t worst_lag_us = 100000;

/* First bytes of an image that this program can "run": what a real one would show by what it does. */
#define IMAGE_HEADER 12U
#define IMAGE_CRASHES 1U /* resets right after its start */
#define IMAGE_DEAF 2U    /* runs, but answers nobody */

struct virtual_device {
    struct board board;
    struct device device;
    struct device_config config;
    uint32_t boots;
    bool deaf;
    bool detached;
    uint64_t replug_real_us; /* 0: not pending */
    uint64_t moving_us;      /* device time when a joint last moved */
    uint64_t left_active_us; /* device time of the first tick after active */
    enum mode before;
    char line[256];
    size_t line_count;
};

static struct virtual_device self;

static void arm_joints(unsigned count)
{
    static const char *const names[] = {"shoulder", "elbow", "wrist", "finger", "joint4", "joint5", "joint6", "joint7"};
    self.config.joints = count;
    for (unsigned j = 0; j < count; j++) {
        self.config.joint[j] = arm_joint(names[j], 2.5F);
        self.board.joints[j] = arm_plant(2.6);
    }
}

/* The agent of PushT: two slides whose drives accelerate a unit mass by 100 (target - position) - 20 velocity at 100 Hz. */
static void push_t_joints(void)
{
    self.config.name = "push-t";
    self.config.joints = 2;
    self.config.servo_period_us = 10000;
    for (unsigned j = 0; j < 2U; j++) {
        const struct joint_config joint = {
            .name = j == 0 ? "x" : "y",
            .kind = JOINT_PRISMATIC,
            .command = TARGET_POSITION,
            .position_scale = 2e-5F, /* 0.02 mm; 0.655 m to either side */
            .velocity_scale = 2e-4F,
            .effort_scale = 1e-2F,
            .lower = 0,
            .upper = 0.512F,
            .margin = 0.03F,
            .max_speed = 100, /* the task's targets jump; its drive smooths them */
            .brake_deceleration = 20,
            .max_effort = 300,
            .home = j == 0 ? 0.256F : 0.4F,
            .stiffness = 100,
            .damping = 20,
            .temperature_limit = 80,
            .frozen_ms = 50,
        };
        const struct plant_joint plant = {
            .inertia = 1,
            .brake_damping = 60,
            .lower = -0.02,
            .upper = 0.532,
            .position = j == 0 ? 0.256 : 0.4,
            .temperature = 25,
            .mode = MOTOR_BRAKE,
        };
        self.config.joint[j] = joint;
        self.board.joints[j] = plant;
    }
}

/* ---- images ---- */

static void install_factory_image(uint32_t version)
{
    static uint8_t image[UPDATE_PAGE];
    struct update update;
    struct image incoming = {.length = sizeof image, .version = version};
    struct sha256 sha;
    update_init(&update, &self.board.hal, self.config.slot_size);
    if (update.record.active != NO_SLOT || update.record.trial != NO_SLOT) {
        return;
    }

    memset(image, 0x5A, sizeof image);
    put_u32(image, 0x4D494252U); /* "RBIM" */
    put_u32(image + 4, version);
    put_u32(image + 8, 0);
    sha256_init(&sha);
    sha256_add(&sha, image, sizeof image);
    sha256_end(&sha, incoming.hash);
    update_begin(&update, &incoming);
    for (uint32_t i = 0; i < update_blocks(&update); i++) {
        update_block(&update, i, image + ((size_t)i * UPDATE_BLOCK), UPDATE_BLOCK);
    }

    update_finish(&update);
    update_boot(&update);
    update_confirm(&update);
}

/* The boot loader, then the image it chose. */
static void boot(void)
{
    struct update update;
    uint8_t header[IMAGE_HEADER] = {0};
    uint8_t slot = NO_SLOT;
    uint32_t flags = 0;
    do {
        self.boots++;
        update_init(&update, &self.board.hal, self.config.slot_size);
        slot = self.board.folder == 0 ? NO_SLOT : update_boot(&update);
        if (slot < 2U) {
            self.board.hal.flash_read(&self.board, slot == 0 ? FLASH_SLOT_A : FLASH_SLOT_B, 0, header, IMAGE_HEADER);
            self.config.version = get_u32(header + 4);
            flags = get_u32(header + 8);
        } else {
            flags = 0;
        }

        printf("boot slot=%c version=%u.%u.%u\n", slot == 0 ? 'A' : slot == 1 ? 'B' : '-', self.config.version >> 16,
               (self.config.version >> 8) & 0xFFU, self.config.version & 0xFFU);
        fflush(stdout);
    } while (slot < 2U && (flags & IMAGE_CRASHES) != 0);
    self.deaf = (flags & IMAGE_DEAF) != 0;
    device_init(&self.device, &self.board.hal, &self.config, ((uint32_t)getpid() << 8) + self.boots, slot);
    self.board.rebooting = false;
}

/* ---- the person at the bench ---- */

static void print_plant(void)
{
    printf("plant t=%llu mode=%d reason=%d taken=%llu left=%llu moving=%llu", (unsigned long long)self.board.tick_us, (int)self.device.mode,
           (int)self.device.reason, (unsigned long long)self.device.taken_us, (unsigned long long)self.left_active_us,
           (unsigned long long)self.moving_us);
    for (unsigned j = 0; j < self.config.joints; j++) {
        printf(" q%u=%.6f v%u=%.6f", j, self.board.joints[j].position, j, self.board.joints[j].velocity);
    }

    printf(" line=%s\n", self.board.path);
    fflush(stdout);
}

static void obey(const char *line)
{
    char word[16] = "";
    unsigned j = 0;
    double value = 0;
    int words = sscanf(line, "%15s %u %lf", word, &j, &value);
    struct plant_joint *joint = &self.board.joints[j < self.config.joints ? j : 0];
    if (strcmp(word, "plant") == 0) {
        print_plant();
    } else if (strcmp(word, "freeze") == 0 || strcmp(word, "thaw") == 0) {
        plant_freeze(joint, word[0] == 'f');
    } else if (strcmp(word, "silent") == 0) {
        joint->silent = true;
    } else if (strcmp(word, "broken") == 0) {
        joint->broken = true;
    } else if (strcmp(word, "heat") == 0) {
        joint->temperature = value;
    } else if (strcmp(word, "push") == 0) {
        joint->velocity = value;
    } else if (strcmp(word, "place") == 0) {
        joint->position = value;
        joint->velocity = 0;
    } else if (strcmp(word, "cut") == 0) {
        self.board.cut_after = j;
    } else if (strcmp(word, "press") == 0 || strcmp(word, "release") == 0) {
        self.board.stop_pressed = word[0] == 'p';
    } else if (strcmp(word, "unplug") == 0) {
        board_unplug(&self.board);
        self.replug_real_us = words > 1 ? board_real_us() + ((uint64_t)j * 1000U) : 0;
    } else if (words > 0) {
        fprintf(stderr, "device-virtual: '%s' is no order\n", word);
    }
}

/* False when standard input ended. */
static bool hear(void)
{
    char bytes[64];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    for (ssize_t i = 0; i < count; i++) {
        if (bytes[i] != '\n' && self.line_count + 1U < sizeof self.line) {
            self.line[self.line_count++] = bytes[i];
        } else if (bytes[i] == '\n') {
            self.line[self.line_count] = 0;
            self.line_count = 0;
            obey(self.line);
        }
    }

    return count > 0;
}

static bool plug(void)
{
    if (!board_plug(&self.board)) {
        fprintf(stderr, "device-virtual: no pty: %s\n", strerror(errno));
        return false;
    }

    printf("pty %s\n", self.board.path);
    fflush(stdout);
    return true;
}

/* ---- time ---- */

static void tick(void)
{
    double dt = (double)self.config.servo_period_us * 1e-6;
    device_tick(&self.device);
    if (self.before == MODE_ACTIVE && self.device.mode != MODE_ACTIVE) {
        self.left_active_us = self.board.tick_us;
    }

    self.before = self.device.mode;
    for (unsigned j = 0; j < self.config.joints; j++) {
        struct plant_joint *joint = &self.board.joints[j];
        plant_step(joint, dt);
        if (joint->velocity > still_speed || joint->velocity < -still_speed) {
            self.moving_us = self.board.tick_us;
        }
    }
}

/* This process stood still (stopped by a person): its clock jumps, as a real one's would not. Before anything is read, or what lay in
 * the line meanwhile would look fresh. */
static void catch_up(void)
{
    uint64_t lag = board_real_us() - self.board.tick_real_us;
    if (lag > worst_lag_us) {
        self.board.tick_us += lag;
        self.board.tick_real_us += lag;
    }
}

static int run(void)
{
    uint64_t period = self.config.servo_period_us;
    self.board.period_us = period;
    self.board.tick_real_us = board_real_us();
    boot();
    if (!plug()) {
        return 1;
    }

    while (true) {
        catch_up();
        uint64_t real = board_real_us();
        if (real - self.board.tick_real_us >= period) {
            self.board.tick_us += period;
            self.board.tick_real_us += period;
            tick();
        }

        if (self.board.rebooting) {
            boot();
        }

        if (self.replug_real_us != 0 && real >= self.replug_real_us) {
            self.replug_real_us = 0;
            if (!plug()) {
                return 1;
            }
        }

        uint64_t due = self.board.tick_real_us + period;
        uint64_t after = board_real_us();
        struct timespec wait = {.tv_sec = 0, .tv_nsec = due > after ? (long)(due - after) * 1000L : 0};
        struct pollfd files[2] = {
            {.fd = self.board.master, .events = POLLIN},
            {.fd = self.detached ? -1 : STDIN_FILENO, .events = POLLIN},
        };
        if (ppoll(files, 2, &wait, 0) > 0) {
            catch_up();
            if ((files[0].revents & POLLIN) != 0) {
                if (self.deaf) {
                    uint8_t ignored[256];
                    self.board.hal.uart_read(&self.board, ignored, sizeof ignored);
                } else {
                    device_poll(&self.device);
                }
            }

            if (files[1].revents != 0 && !hear()) {
                return 0; /* whoever started us is gone */
            }
        }
    }
}

static uint32_t parse_version(const char *text)
{
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;
    sscanf(text, "%u.%u.%u", &major, &minor, &patch);
    return (major << 16) | (minor << 8) | patch;
}

int main(int argc, char **argv)
{
    static const uint8_t chip[12] = {'V', 'I', 'R', 'T', 'U', 'A', 'L', '-', '0', '0', '0', '1'};
    uint32_t factory = 0x010000;
    board_init(&self.board);
    self.config.name = "virtual-arm";
    for (size_t i = 0; i < sizeof chip; i++) {
        self.config.id[i] = chip[i];
    }

    self.config.servo_period_us = 1000;
    self.config.state_period_us = 10000;
    self.config.disarm_after_ms = 10000;
    self.config.confirm_within_ms = 10000;
    self.config.version = factory;
    arm_joints(2);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--push-t") == 0) {
            push_t_joints();
        } else if (strcmp(argv[i], "--detached") == 0) {
            self.detached = true;
        } else if (i + 1 == argc) {
            fprintf(stderr, "device-virtual: option '%s' is unknown or lacks its value; the options stand at the top of virtual/main.c\n", argv[i]);
            return 2;
        } else if (strcmp(argv[i++], "--joints") == 0) {
            unsigned long joints = strtoul(value, 0, 10);
            arm_joints(joints >= 1 && joints <= DEVICE_MAX_JOINTS ? (unsigned)joints : 2);
        } else if (strcmp(argv[i - 1], "--name") == 0) {
            self.config.name = value;
        } else if (strcmp(argv[i - 1], "--link") == 0) {
            self.board.link = value;
        } else if (strcmp(argv[i - 1], "--flash") == 0) {
            self.board.folder = value;
            self.config.slot_size = 64U * 1024U;
        } else if (strcmp(argv[i - 1], "--image") == 0) {
            factory = parse_version(value);
        } else if (strcmp(argv[i - 1], "--die-at-write") == 0) {
            self.board.die_at = strtol(value, 0, 10);
        } else if (strcmp(argv[i - 1], "--state-us") == 0) {
            self.config.state_period_us = (uint32_t)strtoul(value, 0, 10);
        } else if (strcmp(argv[i - 1], "--confirm-ms") == 0) {
            self.config.confirm_within_ms = (uint32_t)strtoul(value, 0, 10);
        } else if (strcmp(argv[i - 1], "--disarm-ms") == 0) {
            self.config.disarm_after_ms = (uint32_t)strtoul(value, 0, 10);
        } else {
            fprintf(stderr, "device-virtual: '%s' is no option; they stand at the top of virtual/main.c\n", argv[i - 1]);
            return 2;
        }
    }

    if (self.board.folder != 0) {
        long die_at = self.board.die_at;
        self.board.die_at = 0; /* the factory is not killed */
        install_factory_image(factory);
        self.board.writes = 0;
        self.board.die_at = die_at;
    }

    int code = run();
    board_unplug(&self.board);
    return code;
}
