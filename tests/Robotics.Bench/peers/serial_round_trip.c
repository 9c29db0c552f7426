/* echo: opens a pty, prints its path and returns every byte until standard input ends.
 * ping PATH COUNT: 32 bytes there and back, COUNT times; prints the nanoseconds of each.
 * paced PATH MS: the same every millisecond for so long; prints how many were sent, lost, late, and late because the sleep was. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FRAME 32

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int echo(void)
{
    int master, slave;
    char path[64];
    struct termios raw;
    if (openpty(&master, &slave, path, 0, 0) != 0) {
        return 1;
    }

    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    printf("%s\n", path);
    fflush(stdout);
    for (;;) {
        struct pollfd files[2] = {{.fd = master, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        char bytes[256];
        poll(files, 2, -1);
        if (files[1].revents) {
            return 0;
        }

        ssize_t count = read(master, bytes, sizeof bytes);
        if (count > 0 && write(master, bytes, (size_t)count) != count) {
            return 1;
        }
    }
}

static int open_raw(const char *path)
{
    int line = open(path, O_RDWR | O_NOCTTY);
    struct termios raw;
    tcgetattr(line, &raw);
    cfmakeraw(&raw);
    tcsetattr(line, TCSANOW, &raw);
    return line;
}

static int exchange(int line, int patience_ms)
{
    char out[FRAME], in[FRAME];
    memset(out, 0x55, sizeof out);
    if (write(line, out, FRAME) != FRAME) {
        return 0;
    }

    for (int got = 0; got < FRAME;) {
        struct pollfd file = {.fd = line, .events = POLLIN};
        ssize_t more;
        if (poll(&file, 1, patience_ms) <= 0) {
            return 0;
        }

        more = read(line, in + got, (size_t)(FRAME - got));
        if (more <= 0) {
            return 0;
        }

        got += (int)more;
    }

    return 1;
}

static int paced(const char *path, int ms)
{
    int line = open_raw(path), lost = 0, late = 0, woken_late = 0;
    long long due = now_ns();
    for (int i = 0; i < ms; i++, due += 1000000) {
        struct timespec at = {.tv_sec = due / 1000000000LL, .tv_nsec = due % 1000000000LL};
        int woken, slow;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0);
        woken = now_ns() > due + 500000;
        lost += !exchange(line, 100);
        slow = now_ns() > due + 1000000;
        late += slow;
        woken_late += slow && woken;
    }

    printf("%d %d %d %d\n", ms, lost, late, woken_late);
    return 0;
}

static int ping(const char *path, int count)
{
    int line = open_raw(path);
    long long *took = malloc(sizeof *took * (size_t)count);
    for (int i = 0; i < count; i++) {
        long long begin = now_ns();
        if (!exchange(line, -1)) {
            return 1;
        }

        took[i] = now_ns() - begin;
    }

    for (int i = 0; i < count; i++) {
        printf("%lld\n", took[i]);
    }

    return 0;
}

int main(int argc, char **argv)
{
    return argc == 4 && strcmp(argv[1], "ping") == 0    ? ping(argv[2], atoi(argv[3]))
           : argc == 4 && strcmp(argv[1], "paced") == 0 ? paced(argv[2], atoi(argv[3]))
                                                        : echo();
}
