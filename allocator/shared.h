/* Huge pages that large objects share: which of them are in use.
 *
 * They lie in reserved ranges of 64 MiB and are taken from the start of one on, so that objects lie
 * side by side across their ends. A range that was all taken is forgotten once all of it is
 * unmapped. the lock of a set guards what it has of one. */
#ifndef ALLOCATOR_SHARED_H
#define ALLOCATOR_SHARED_H

#include "allocator/kept.h"

/* Whether there are any. */
bool shared_is_used(void);
/* A fresh page, which nobody uses; of no bytes where there is none to be had. */
struct kept_range shared_new_page(void);
/* A range of shared pages is an object's now, or no longer. */
void shared_use(struct kept_range range, bool is_used);
/* The part of a range, which is kept, that lies in pages which nobody uses. */
struct kept_range shared_unused(struct kept_range range);
/* A range that was kept is mapped no more. */
void shared_unmapped(struct kept_range range);

#endif
