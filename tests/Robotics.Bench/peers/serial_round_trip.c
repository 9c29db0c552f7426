/* echo: opens a pty, prints its path and returns every byte until standard input ends.
 * ping PATH COUNT: 32 bytes there and back, COUNT times; prints the nanoseconds of each. */
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

static int ping(const char *path, int count)
{
    int line = open(path, O_RDWR | O_NOCTTY);
    struct termios raw;
    char out[FRAME], in[FRAME];
    long long *took = malloc(sizeof *took * (size_t)count);
    tcgetattr(line, &raw);
    cfmakeraw(&raw);
    tcsetattr(line, TCSANOW, &raw);
    memset(out, 0x55, sizeof out);
    for (int i = 0; i < count; i++) {
        long long begin = now_ns();
        if (write(line, out, FRAME) != FRAME) {
            return 1;
        }

        for (int got = 0; got < FRAME;) {
            struct pollfd file = {.fd = line, .events = POLLIN};
            ssize_t more;
            poll(&file, 1, -1);
            more = read(line, in + got, (size_t)(FRAME - got));
            if (more <= 0) {
                return 1;
            }

            got += (int)more;
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
    return argc == 4 && strcmp(argv[1], "ping") == 0 ? ping(argv[2], atoi(argv[3])) : echo();
}
