/* Large objects: a mapping for each, or a part of huge pages that they share (shared.h); at least
 * MEM_MMAP_THRESHOLD bytes or more aligned than the block heap serves.
 *
 * What is known of a mapping is kept in a hash table beside it, not in front of it: objects start
 * on a page, and an address that is not in the table is known not to be ours.
 *
 * Invariants: `table` has a power of two of slots, at most half of them in use; a record lies in
 * the first slot that was free at or after its hash, so that a search ends at a free slot;
 * usable <= mapped, both multiples of the page, and the bytes between, room that realloc left
 * itself to grow into, hold no memory but the rest of a huge page.
 *
 * Freed mappings are kept for the next objects (kept.h).
 *
 * The lock in the struct guards it and `kept`; every function takes it. */
#ifndef ALLOCATOR_LARGE_H
#define ALLOCATOR_LARGE_H

#include "allocator/kept.h"
#include "allocator/large_habit.h"
#include "allocator/lock.h"

struct large_record {
    uintptr_t start;   /* 0 for a free slot */
    size_t usable;     /* bytes */
    size_t mapped;     /* bytes */
    const void *owner; /* the heap instance; NULL for objects of no instance */
    uint32_t id;       /* the mapping's; see kept.h */
    uint32_t pieced;   /* 0, or 1 more than where its pieces stand, if it is of several */
};

/* A process may have some 65,530 mappings (vm.max_map_count), and where objects of a long row are
 * freed one by one in between, each of the others is a mapping.  With a quarter of that, and an
 * eighth for objects of several pieces, no munmap of ours fails for lack of them; what is more is
 * served by the block heap. */
enum { LARGE_OBJECTS_MOST = 16384, LARGE_PIECED_MOST = 512 };

struct large_objects {
    struct large_record *table;
    size_t slots, used;
    size_t live_bytes; /* usable bytes of all objects */
    /* What objects of several pieces are made of; entries that are free are linked through the id
     * of their first range, by 1 more than their index. */
    struct kept_pieces *pieced;
    uint32_t pieced_used, pieced_free;
    struct large_habit habit;
    struct lock lock;
};

extern struct large_objects large_objects HIDDEN;

/* Returns memory at a multiple of `align` and of the page, or NULL, also where there are
 * LARGE_OBJECTS_MOST already; it reads as zero if `zeroed`.
 */
void *large_alloc(size_t bytes, size_t align, bool zeroed, const void *owner);
/* Tells whether there are LARGE_OBJECTS_MOST. */
bool large_is_full(void);
/* Returns the usable size of a large object; 0 where `start` is none. */
size_t large_usable(const void *start);
/* Tells whether an address lies in any large object; looks at all of them. */
bool large_contains(const void *address);
/* Returns the usable size of what was freed; 0, having done nothing, where `start` is no object of
 * this owner. */
size_t large_free(void *start, const void *owner);
/* Frees all objects of an owner that is not NULL; looks at all of them. */
void large_free_all(const void *owner);
/* Resizes a large object, in place or by moving its pages; returns its address, or NULL with the
 * object unchanged. */
void *large_resize(void *start, size_t bytes);
/* What kept.h says of kept_settle and kept_make_way, once in a while and both, and of kept_decay.
 */
void large_settle(size_t grown_bytes);
size_t large_decay(bool all);
/* And of kept_give_some. */
void large_give_some(size_t most);

#endif
