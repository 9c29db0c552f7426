/* Wakes at a fixed rate exactly as Robotics.Control does (same calls, same order) and prints one lateness per line, ns.
 *   jitter PERIOD_US SECONDS PRIORITY SPIN_US ACT_AFTER_US
 * Scheduling that is refused is reported on stderr and not required. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void until(long long instant, long long spin)
{
    long long wake = instant - spin;
    if (wake > now())
    {
        struct timespec at = { wake / 1000000000LL, wake % 1000000000LL };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        {
        }
    }
    while (now() < instant)
    {
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
    {
        fprintf(stderr, "usage: jitter PERIOD_US SECONDS PRIORITY SPIN_US ACT_AFTER_US\n");
        return 2;
    }
    long long period = atoll(argv[1]) * 1000, spin = atoll(argv[4]) * 1000, act = atoll(argv[5]) * 1000;
    long n = (long)(atof(argv[2]) * 1e9 / period);
    long long *late = malloc(n * sizeof *late);
    memset(late, 0, n * sizeof *late);

    struct sched_param parameter = { .sched_priority = atoi(argv[3]) };
    if (sched_setscheduler(0, SCHED_FIFO, &parameter) != 0)
    {
        fprintf(stderr, "SCHED_FIFO refused: %s\n", strerror(errno));
    }
    if (prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) != 0)
    {
        fprintf(stderr, "timer slack refused: %s\n", strerror(errno));
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
    {
        fprintf(stderr, "mlockall refused: %s\n", strerror(errno));
    }

    long long start = now() + period;
    for (long k = 0; k < n; k++)
    {
        long long due = start + k * period;
        until(due, spin);
        late[k] = now() - due;
        until(due + act, 0); /* the second moment of a tick */
    }
    for (long k = 0; k < n; k++)
    {
        printf("%lld\n", late[k]);
    }
    return 0;
}
