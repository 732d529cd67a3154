/* How much of freed mappings is kept (kept.h), and what the program shows about that. */
#ifndef ALLOCATOR_KEPT_BOUNDS_H
#define ALLOCATOR_KEPT_BOUNDS_H

#include "allocator/kept.h"

/* How many bytes are worth keeping beside `live_bytes` of large objects. */
size_t kept_most_beside(const struct kept *kept, size_t live_bytes);
/* Whether what is kept neither moves nor makes way where it would be `bytes`, but new memory is
 * mapped: where much is live, the largest of some free ranges mostly holds what comes next, and
 * moving pages costs as much as some thirty page faults, more where threads wait for each other at
 * it.  Up to nothing as far as 16 MiB are live, to a quarter from 32 MiB on, and in any case to as
 * much of that as was moved lately, where there are several sets as many times as much, up to half
 * of what is live (EXPERIMENTS.md, "Moving pages"). */
bool kept_is_slack(const struct kept *kept, size_t bytes, size_t live_bytes);
/* So much more is worth keeping from now on. */
void kept_raise_most(struct kept *kept, size_t bytes, size_t live_bytes);
/* New memory of `bytes` is mapped: where as much was unmapped right before, keeping it would have
 * been better. */
void kept_regret(struct kept *kept, size_t bytes, size_t live_bytes);
/* How much of what is kept for the moment alone a new object of `bytes` takes: without it that
 * would have been unmapped, and regretted. */
size_t kept_missed_bytes(const struct kept *kept, size_t bytes, size_t live_bytes);

#endif
