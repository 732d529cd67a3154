/* For a test program of one file: the allocator's clock stands still, because intervals of time
 * would depend on the machine, but for what a test adds. */
#ifndef ALLOCATOR_TEST_CLOCK_H
#define ALLOCATOR_TEST_CLOCK_H

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long test_clock_ms = 1000000;
static long test_clock_looks; /* so far */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock != CLOCK_MONOTONIC_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, now);
    test_clock_looks++;
    *now = (struct timespec){test_clock_ms / 1000, test_clock_ms % 1000 * 1000000};
    return 0;
}

#endif
