/* A progress bar on standard error with the time left, on a terminal only and never while a run is
 * timed. */
#ifndef REPLAY_PROGRESS_H
#define REPLAY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_shown;
    unsigned done, total; /* steps */
    uint64_t started_ns;
};

/* Shows nothing where `wanted` is false or standard error is no terminal. */
void progress_start(struct progress *progress, bool wanted, unsigned total);

/* Draws the bar with what is being done now. */
void progress_show(const struct progress *progress, const char *source, const char *allocator);

void progress_advance(struct progress *progress);

/* Clears the line, so that a message can be printed. */
void progress_clear(const struct progress *progress);

#endif
