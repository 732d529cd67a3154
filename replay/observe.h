/* Stands between the loop and a target and counts U(t), the usable bytes of live objects. One
 * target per process. */
#ifndef REPLAY_OBSERVE_H
#define REPLAY_OBSERVE_H

#include <stdint.h>

#include "replay/target.h"

/* Fills `observer` with functions that call `target`, which must know usable sizes and outlive the
 * observer. */
void observe_target(struct target *observer, const struct target *target);

uint64_t observe_usable_bytes(void);

#endif
