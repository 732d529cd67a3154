/* A program run for real with an allocator preloaded, and what it took. */
#ifndef REPLAY_REAL_RUN_H
#define REPLAY_REAL_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/target.h"

struct real_run {
    uint64_t wall_ns, processor_ns; /* user and system time, children that it waited for included */
    uint64_t peak_rss_bytes;        /* of the largest process (getrusage(2), ru_maxrss) */
    int status;                     /* of waitpid(2) */
};

/* The library to preload for the target of that name: NULL in *library for the C library's own
 * malloc, else a string of the caller's. Returns false with `error` filled where the target can't
 * be preloaded or is not there. */
bool real_run_library(const char *target_name, char **library, char error[TARGET_TEXT_BYTES]);

/* Runs the command, its output and input at /dev/null, and waits for it. Returns 0 or -errno where
 * it could not be started. */
int real_run(struct real_run *run, char *const *command, const char *library);

#endif
