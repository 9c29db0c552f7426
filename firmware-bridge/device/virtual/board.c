#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

uint64_t board_real_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((uint64_t)now.tv_sec * 1000000U) + ((uint64_t)now.tv_nsec / 1000U);
}

/* A microcontroller's clock does not stop because a PC is busy with something else: time counts in ticks, each of which is run,
 * and between two ticks real time fills in without overtaking the next. */
static uint64_t now_us(void *at)
{
    const struct board *board = at;
    uint64_t since = board_real_us() - board->tick_real_us;
    return board->tick_us + (since < board->period_us ? since : board->period_us - 1U);
}

/* ---- the line ---- */

bool board_plug(struct board *board)
{
    struct termios raw;
    if (openpty(&board->master, &board->slave, board->path, 0, 0) != 0) {
        return false;
    }

    tcgetattr(board->slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(board->slave, TCSANOW, &raw);
    fcntl(board->master, F_SETFL, O_NONBLOCK);
    fcntl(board->master, F_SETFD, FD_CLOEXEC);
    fcntl(board->slave, F_SETFD, FD_CLOEXEC);
    board->unsent_count = 0;
    if (board->link != 0) {
        unlink(board->link);
        return symlink(board->path, board->link) == 0;
    }

    return true;
}

void board_unplug(struct board *board)
{
    if (board->link != 0) {
        unlink(board->link);
    }

    if (board->master >= 0) {
        close(board->master);
        close(board->slave);
    }

    board->master = board->slave = -1;
}

static size_t uart_read(void *at, uint8_t *into, size_t room)
{
    struct board *board = at;
    size_t wanted = board->cut_after > 0 && board->cut_after < room ? board->cut_after : room; /* the rest stays in the cable */
    ssize_t count = board->master < 0 ? 0 : read(board->master, into, wanted);
    if (count <= 0) {
        return 0;
    }

    if (board->cut_after > 0) {
        board->cut_after -= (unsigned)count < board->cut_after ? (unsigned)count : board->cut_after;
        if (board->cut_after == 0) {
            board_unplug(board);
        }
    }

    return (size_t)count;
}

static void flush(struct board *board)
{
    while (board->unsent_count > 0) {
        ssize_t count = write(board->master, board->unsent, board->unsent_count);
        if (count <= 0) {
            return;
        }

        board->unsent_count -= (size_t)count;
        memmove(board->unsent, board->unsent + count, board->unsent_count);
    }
}

static bool uart_write(void *at, const uint8_t *bytes, size_t count)
{
    struct board *board = at;
    if (board->master < 0) {
        return false;
    }

    flush(board);
    if (board->unsent_count > 0) {
        return false; /* nobody reads: the newest frame is lost, not the memory */
    }

    memcpy(board->unsent, bytes, count);
    board->unsent_count = count;
    flush(board);
    return true;
}

/* ---- motors ---- */

static void motor_set(void *at, unsigned joint, enum motor_mode mode, float effort)
{
    struct board *board = at;
    board->joints[joint].mode = mode;
    board->joints[joint].effort = effort;
}

static bool encoder_read(void *at, unsigned joint, float *position, float *velocity)
{
    const struct board *board = at;
    return plant_measure(&board->joints[joint], position, velocity);
}

static float temperature_read(void *at, unsigned joint)
{
    const struct board *board = at;
    return (float)board->joints[joint].temperature;
}

static bool stop_pressed(void *at)
{
    const struct board *board = at;
    return board->stop_pressed;
}

static void watchdog_kick(void *at)
{
    (void)at; /* the plant needs no watchdog: whoever kills this process kills the plant as well */
}

static void reboot(void *at)
{
    struct board *board = at;
    board->rebooting = true;
}

/* ---- flash ---- */

static int open_area(const struct board *board, enum flash_area area)
{
    static const char *const names[] = {"slot-a.bin", "slot-b.bin", "record-a.bin", "record-b.bin"};
    char path[512];
    if (board->folder == 0) {
        return -1;
    }

    snprintf(path, sizeof path, "%s/%s", board->folder, names[area]);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

/* Writes all of it, or, when this is the write to die in, half of it. */
static bool put(struct board *board, enum flash_area area, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    int file = open_area(board, area);
    if (file < 0) {
        return false;
    }

    bool dies = ++board->writes == board->die_at;
    size_t share = dies ? count / 2U : count;
    bool written = pwrite(file, bytes, share, offset) == (ssize_t)share;
    if (dies) {
        _exit(9);
    }

    close(file);
    return written;
}

static bool flash_write(void *at, enum flash_area area, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    return put(at, area, offset, bytes, count);
}

static bool flash_erase(void *at, enum flash_area area, uint32_t offset, uint32_t count)
{
    uint8_t empty[UPDATE_PAGE];
    memset(empty, 0xFF, sizeof empty);
    for (uint32_t done = 0; done < count; done += UPDATE_PAGE) {
        if (!put(at, area, offset + done, empty, count - done < UPDATE_PAGE ? count - done : UPDATE_PAGE)) {
            return false;
        }
    }

    return true;
}

static bool flash_read(void *at, enum flash_area area, uint32_t offset, uint8_t *into, uint32_t count)
{
    int file = open_area(at, area);
    if (file < 0) {
        return false;
    }

    ssize_t got = pread(file, into, count, offset);
    close(file);
    return got == (ssize_t)count;
}

void board_init(struct board *board)
{
    const struct hal hal = {
        .board = board,
        .now_us = now_us,
        .uart_read = uart_read,
        .uart_write = uart_write,
        .motor_set = motor_set,
        .encoder_read = encoder_read,
        .temperature_read = temperature_read,
        .stop_pressed = stop_pressed,
        .watchdog_kick = watchdog_kick,
        .flash_erase = flash_erase,
        .flash_write = flash_write,
        .flash_read = flash_read,
        .reboot = reboot,
    };
    board->hal = hal;
    board->master = board->slave = -1;
}
