/* The timed loop: replays windows against one target. Runs in the run's own
 * process. */
#ifndef REPLAY_ENGINE_H
#define REPLAY_ENGINE_H

#include "replay/memory_probe.h"
#include "replay/run.h"

/* Plays every window, waits between them for the parent, and fills control->outcome,
 * all but `version` and what a check found. With `probe`, samples at every segment's end, drains at
 * the end and samples on. `usable_bytes` reads U(t), NULL where it is not known. An allocation that
 * fails ends the process with outcome.error set. Call from the process's initial thread. */
void engine_play(struct run_control *control, struct run_window *window,
                 const struct target *target, const struct memory_probe *probe,
                 uint64_t (*usable_bytes)(void));

#endif
