/* A set of large objects: what is known of them, and what is kept of freed ones. Threads that meet
 * at the lock of one go to others (place.h), because system calls are made under it. An object goes
 * back to the set that it came from.
 *
 * Invariants: `table` has a power of two of slots, at most half of them in use; a record lies in
 * the first slot that was free at or after its hash, so that a search ends at a free slot;
 * usable <= mapped, both multiples of the page, and the bytes between, room that realloc left
 * itself to grow into, hold no memory but the rest of a huge page; no address is in two sets.
 *
 * The lock in the struct guards all of it; callers hold it. */
#ifndef ALLOCATOR_LARGE_SET_H
#define ALLOCATOR_LARGE_SET_H

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
 * freed one by one in between, each of the others is a mapping.  With a quarter of that in all
 * sets, an eighth for objects of several pieces in the first set and a part of that in each of the
 * others, and what is kept, no munmap of ours fails for lack of them; what is more is served by the
 * block heap. */
enum { LARGE_OBJECTS_MOST = 16384, LARGE_PIECED_MOST = 512 };

struct large_set {
    /* Apart from what others write in the set before this one. */
    _Alignas(CACHE_LINE_BYTES) struct lock lock;
    struct large_record *table;
    size_t slots, used;
    size_t reserved;   /* objects that it may have without asking the others */
    size_t live_bytes; /* usable bytes of its objects */
    size_t told_bytes; /* what the zone knows of these */
    /* What objects of several pieces are made of; entries that are free are linked through the id
     * of their first range, by 1 more than their index. */
    struct kept_pieces *pieced;
    uint32_t pieced_used, pieced_free;
    struct large_habit habit;
    struct kept kept;
    size_t seen_growth_bytes; /* what kept mappings made way for; see large_note_growth */
    unsigned looks;           /* since kept_decay */
};

/* The first one, the only one of most processes, lies apart. */
extern struct large_set first_large_set HIDDEN, more_large_sets[KEPT_SETS - 1] HIDDEN;

static inline struct large_set *large_set_at(unsigned index)
{
    return index == 0 ? &first_large_set : &more_large_sets[index - 1];
}

/* Tell whether all sets together have about LARGE_OBJECTS_MOST objects, and whether they ever had
 * one; need no lock. */
bool large_set_is_full(void);
bool large_set_is_used(void);
/* Makes sure that one more object has a place; false where there is no memory, or too many. */
bool large_set_make_room(struct large_set *set);
/* The record of an object; NULL where the set has none that starts there. */
struct large_record *large_set_find(const struct large_set *set, const void *start);
/* Adds a copy of a record, for which there is room. */
void large_set_add(struct large_set *set, const struct large_record *record);
/* Drops a record; another one may move to its slot. */
void large_set_drop(struct large_set *set, struct large_record *record);

/* Makes sure that there is an entry for the pieces of one more object. */
bool large_set_has_pieced_entry(struct large_set *set);
/* Tells a record what it is made of. */
void large_set_take_pieces(struct large_set *set, struct large_record *record,
                           const struct kept_pieces *pieces);
/* The last piece of an object, or all of it where it is of one. */
struct kept_range large_set_last_range(struct large_set *set, const struct large_record *record);
/* Gives the last piece another length, 0 for none. */
void large_set_resize_last(struct large_set *set, struct large_record *record, size_t bytes);

#endif
