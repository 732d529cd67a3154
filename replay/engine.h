/* The timed loop: replays windows against one target. Runs in the run's own
 * process. */
#ifndef REPLAY_ENGINE_H
#define REPLAY_ENGINE_H

#include "replay/memory_probe.h"
#include "replay/occupancy.h"
#include "replay/run.h"

/* What a memory run looks through at every segment's end. */
struct engine_observer {
    const struct memory_probe *probe;
    struct occupancy *occupancy; /* read at the peak of L; NULL where usable sizes are not known */
};

/* Plays every window, waits between them for the parent, and fills control->outcome, all but
 * `version` and what a check found. With an observer (else NULL) samples at every segment's end,
 * drains at the end and samples on. An allocation that fails ends the process with outcome.error
 * set. Call from the process's initial thread. */
void engine_play(struct run_control *control, struct run_window *window,
                 const struct target *target, const struct engine_observer *observer);

#endif
