/* Plays one source on any number of targets, each run in a fresh process. */
#ifndef REPLAY_RUNNER_H
#define REPLAY_RUNNER_H

#include "replay/run.h"
#include "traces/trace.h"

struct runner;

struct runner_options {
    enum run_mode mode;
    enum run_touch touch;
    bool waits_for_drain;   /* memory mode: sample on for a second after all is freed */
    int processor;          /* for single-threaded sources; -1 for any */
    unsigned limit_s;       /* a window that takes longer is given up; 0 for no limit */
    uint64_t window_events; /* decoded at once at the most; 0 for the default, 8 Mi (128 MiB) */
};

/* Decodes the source, whose summary becomes known; a source larger than a window is decoded piece
 * by piece during each run, while the run's clock stands. The source must outlive the runner.
 * Returns 0 or -errno with source->error. */
int runner_open(struct runner **runner, struct trace_source *source,
                const struct runner_options *options);

/* Starts a run on the target of that name, which target_find knows, and returns when it has played
 * all events; it may still be draining. *lane names the run. Returns 0 or -errno where it could not
 * be started or the source not be read (source->error, if that has a message). */
int runner_start(struct runner *runner, const char *target_name, unsigned *lane);

/* Waits for the run's end. The outcome is the runner's, valid until the lane's next run; where it
 * is not complete, its `error` says why. The lane is free again. */
const struct run_outcome *runner_finish(struct runner *runner, unsigned lane);

/* How many runs may be under way at once. */
#define RUNNER_LANES 32

/* NULL is allowed. */
void runner_close(struct runner *runner);

#endif
