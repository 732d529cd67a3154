/* Plays one source on any number of targets, each run in a fresh process. */
#ifndef REPLAY_RUNNER_H
#define REPLAY_RUNNER_H

#include "replay/run.h"
#include "traces/trace.h"

struct runner;

struct runner_options {
    enum run_mode mode;
    enum run_touch touch;
    enum run_pace pace;
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

/* Starts a run on each of the `count` targets of these names, which target_find knows, and returns
 * when they have played all events; they may still be draining. They play abreast: each window is
 * decoded once, and all play it at the same time, on whatever processors there are. lanes[i] names
 * the run on names[i]. Returns 0 or -errno where one could not be started or the source not be read
 * (source->error, if that has a message); then there is none of them. */
int runner_start(struct runner *runner, const char *const *names, unsigned count, unsigned *lanes);

/* Whether runs had better be started together: nothing in them depends on time or on other
 * processes, and decoding the source for each alone would take longer than playing it. True for
 * memory runs at full pace of single-threaded sources of several windows. */
bool runner_plays_abreast(const struct runner *runner);

/* Waits for the run's end. The outcome is the runner's, valid until the lane's next run; where it
 * is not complete, its `error` says why. The lane is free again. */
const struct run_outcome *runner_finish(struct runner *runner, unsigned lane);

/* How many runs may be under way at once. */
#define RUNNER_LANES 32

/* NULL is allowed. */
void runner_close(struct runner *runner);

#endif
