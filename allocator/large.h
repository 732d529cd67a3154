/* Large objects: one mapping each, at least MEM_MMAP_THRESHOLD bytes or more aligned than the
 * block heap serves.
 *
 * What is known of a mapping is kept in a hash table beside it, not in front of it: objects start
 * on a page, and an address that is not in the table is known not to be ours.
 *
 * Invariants: `table` has a power of two of slots, at most half of them in use; a record lies in
 * the first slot that was free at or after its hash, so that a search ends at a free slot;
 * usable <= mapped, both multiples of the page, and the bytes between, room that realloc left
 * itself to grow into, hold no memory but the rest of a huge page.
 *
 * A few freed mappings are kept, oldest first, so that a program that allocates and frees large
 * objects in turn doesn't get new pages from the system each time.  A new object takes a kept
 * mapping whatever its size, cut or grown to fit, and what is kept makes way where the heap of
 * small objects grows: kept memory hardly ever makes the process larger than it was.  What nobody
 * took between two calls of large_decay goes.  How much is kept follows what the program does:
 * mapping again what was unmapped a moment ago raises the bound, an interval without reuse lowers
 * it.
 *
 * The lock in the struct guards it; every function takes it. */
#ifndef ALLOCATOR_LARGE_H
#define ALLOCATOR_LARGE_H

#include "allocator/lock.h"

struct large_record {
    uintptr_t start;   /* 0 for a free slot */
    size_t usable;     /* bytes */
    size_t mapped;     /* bytes */
    const void *owner; /* the heap instance; NULL for objects of no instance */
};

/* A freed mapping. */
struct large_kept {
    uintptr_t start;
    size_t mapped; /* bytes */
    bool is_old;   /* was kept already at the last large_decay */
};

enum { LARGE_KEPT_MOST = 256 };

/* A process may have some 65,530 mappings (vm.max_map_count), and where objects of a long row are
 * freed one by one in between, each of the others is a mapping.  With a quarter of that no munmap
 * of ours fails for lack of them; what is more is served by the block heap. */
enum { LARGE_OBJECTS_MOST = 16384 };

struct large_objects {
    struct large_record *table;
    size_t slots, used;
    size_t live_bytes; /* usable bytes of all objects */
    struct large_kept kept[LARGE_KEPT_MOST];
    size_t kept_count, kept_bytes;
    size_t kept_most;      /* bytes; 0 stands for the least bound */
    size_t unmapped_bytes; /* since the last large_decay, for lack of room */
    size_t grown_bytes;    /* asked for by large_make_way and not given yet */
    bool was_reused;       /* since the last large_decay */
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
/* Kept mappings of so many bytes in all the calls so far, but for what the program has shown that
 * it wants back, go to the system, because the process got new memory elsewhere. */
void large_make_way(size_t bytes);
/* Returns kept mappings to the system: the old ones, or all; returns the number of bytes. */
size_t large_decay(bool all);

#endif
