#include "replay/run.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const char *const run_mode_names[RUN_MODE_COUNT] = {"throughput", "latency", "memory", "check"};
const char *const run_touch_names[TOUCH_COUNT] = {"none", "first", "page", "full"};
const char *const run_pace_names[PACE_COUNT] = {"full", "recorded"};
const char *const sample_point_names[POINT_COUNT] = {"sample",  "peak_live",   "end",
                                                     "drain_0", "drain_100ms", "drain_1s"};

void run_futex_wait(_Atomic uint32_t *word, uint32_t value, int milliseconds)
{
    struct timespec limit = {.tv_sec = milliseconds / 1000,
                             .tv_nsec = milliseconds % 1000 * 1000000L};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

void run_futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
