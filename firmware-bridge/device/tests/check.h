/* Forty lines instead of a test library. */
#ifndef ROBOTICS_CHECK_H
#define ROBOTICS_CHECK_H

#include <stdio.h>

extern int checks_done;
extern int checks_failed;

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        checks_done++;                                                                    \
        if (!(condition)) {                                                               \
            checks_failed++;                                                              \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
        }                                                                                 \
    } while (0)

#define CHECK_EQUAL(expected, actual)                                                     \
    do {                                                                                  \
        long long expected_ = (long long)(expected);                                      \
        long long actual_ = (long long)(actual);                                          \
        checks_done++;                                                                    \
        if (expected_ != actual_) {                                                       \
            checks_failed++;                                                              \
            printf("%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, actual_, expected_); \
        }                                                                                 \
    } while (0)

void frame_tests(void);
void servo_tests(void);
void device_tests(void);
void update_tests(void);

#endif
