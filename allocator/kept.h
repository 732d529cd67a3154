/* Freed mappings that wait for the next large object, so that a program which allocates and frees
 * large objects in turn doesn't get new pages from the system each time.
 *
 * A new object takes what is kept whatever its size: cut from one mapping that is large enough, or
 * put together from several, whose pages move. What is kept makes way where memory is mapped anew
 * or the heap of small objects grows: kept memory hardly ever makes the process larger than it was.
 * What nobody took between two calls of kept_decay goes. How much is kept follows what the program
 * does: mapping again what was unmapped a moment ago raises the bound, an interval without reuse
 * lowers it.
 *
 * Invariants: the mappings lie apart from each other, oldest first, each a multiple of the page;
 * `bytes` is the sum of their sizes. */
#ifndef ALLOCATOR_KEPT_H
#define ALLOCATOR_KEPT_H

#include "allocator/os.h"

/* May be several to the kernel, if they were side by side. */
struct kept_mapping {
    uintptr_t start;
    size_t bytes;
    bool is_old;    /* was kept already at the last kept_decay */
    bool is_pinned; /* the kernel refused to move some of it */
};

enum { KEPT_MAPPINGS = 256 };

struct kept {
    struct kept_mapping mappings[KEPT_MAPPINGS];
    size_t count, bytes;
    size_t most;           /* bytes that are kept at least if freed; raised by regret */
    size_t unmapped_bytes; /* since the last kept_decay, for lack of room */
    size_t grown_bytes;    /* asked for by kept_make_way and not given yet */
    bool was_reused;       /* since the last kept_decay */
};

/* Those of all threads; large_objects.lock guards them. */
extern struct kept kept HIDDEN;

/* Keeps a freed mapping, or unmaps it where it is more than is worth keeping beside `live_bytes` of
 * large objects. */
void kept_put(uintptr_t start, size_t bytes, size_t live_bytes);
/* Returns a mapping of `bytes`, a multiple of the page, whose contents are arbitrary; NULL where
 * hardly anything is kept. To the kernel it may be several mappings side by side, where it is put
 * together of several up to `pieces_most`, at least 1, and one more. */
void *kept_take(size_t bytes, unsigned pieces_most, size_t live_bytes);
/* The same, cut from one mapping and at a multiple of `align`; NULL where none holds that. */
void *kept_take_aligned(size_t bytes, size_t align);
/* Takes `bytes`, a multiple of the page, that begin at `start`; false where they are not kept. */
bool kept_take_at(uintptr_t start, size_t bytes);
/* So many bytes beside `live_bytes` are mapped anew: as many kept ones go. */
void kept_replace(size_t bytes, size_t live_bytes);
/* Kept mappings of so many bytes in all the calls so far, but for what the program has shown that
 * it wants back, go to the system, because the process got new memory elsewhere; those that are not
 * old yet wait for that. */
void kept_make_way(size_t bytes);
/* Returns the old mappings, or all, to the system; returns the number of bytes. */
size_t kept_decay(bool all);

#endif
