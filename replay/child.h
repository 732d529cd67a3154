/* The run's own process: `heaplab __run LANE WINDOW` (descriptors), started by runner.c and by
 * nobody else. */
#ifndef REPLAY_CHILD_H
#define REPLAY_CHILD_H

#define CHILD_COMMAND "__run"

/* Maps both, plays the window and leaves the outcome in the lane. Returns the exit
 * status. */
int child_main(int argc, char **argv);

#endif
