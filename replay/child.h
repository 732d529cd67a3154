/* The run's own process: `heaplab __run DESCRIPTOR`, started by runner.c and by nobody else. */
#ifndef REPLAY_CHILD_H
#define REPLAY_CHILD_H

#define CHILD_COMMAND "__run"

/* Maps the region behind the descriptor, plays it and leaves the outcome there. Returns the exit
 * status. */
int child_main(int argc, char **argv);

#endif
