/* Large objects: a mapping for each, or a part of huge pages that they share (shared.h); at least
 * MEM_MMAP_THRESHOLD bytes or more aligned than the block heap serves.
 *
 * What is known of a mapping is kept in a hash table beside it, not in front of it: objects start
 * on a page, and an address that is not in the table is known not to be ours. There are several
 * such tables, for threads that would meet at one (large_set.h).
 *
 * Freed mappings are kept for the next objects (kept.h).
 *
 * Every function takes the locks of sets, one at a time. `place` is that of the heap that calls:
 * where its objects come from, and are looked for first; NULL for the first set. */
#ifndef ALLOCATOR_LARGE_H
#define ALLOCATOR_LARGE_H

#include "allocator/large_set.h"

/* Returns memory at a multiple of `align` and of the page, or NULL, also where there are
 * about LARGE_OBJECTS_MOST already; it reads as zero if `zeroed`.
 */
void *large_alloc(struct place *place, size_t bytes, size_t align, bool zeroed, const void *owner);
/* Returns the usable size of a large object; 0 where `start` is none. */
size_t large_usable(const struct place *place, const void *start);
/* Tells whether an address lies in any large object; looks at all of them. */
bool large_contains(const void *address);
/* Returns the usable size of what was freed; 0, having done nothing, where `start` is no object of
 * this owner. */
size_t large_free(const struct place *place, void *start, const void *owner);
/* Frees all objects of an owner that is not NULL; looks at all of them. */
void large_free_all(const void *owner);
/* Resizes a large object, in place or by moving its pages; returns its address, or NULL with the
 * object unchanged. */
void *large_resize(const struct place *place, void *start, size_t bytes);
/* Tells that kept mappings are to make way for so many bytes. */
void large_note_growth(size_t bytes);
/* Does what kept.h says of kept_settle and kept_make_way, and each `looks_per_decay` times of
 * kept_decay, in the set at `place` alone: what others do makes nothing older there. */
void large_look(const struct place *place, unsigned looks_per_decay);
/* What kept.h says of kept_decay, in each set, and of kept_give_some, in all together. */
size_t large_decay(bool all);
void large_give_some(size_t most);

/* With all sets' locks taken, before a fork: in the child the kernel could not make one mapping of
 * an object any more that began in small pages. */
void large_prepare_fork(void);
/* Calls `change` with each set's lock: to take them all, in order, or to drop them. */
void large_lock_all(void (*change)(struct lock *));

#endif
