/* Freed mappings that wait for the next large object, so that a program which allocates and frees
 * large objects in turn doesn't get new pages from the system each time.
 *
 * A new object takes what is kept whatever its size: cut from one mapping that is large enough, or
 * put together from several, whose pages move. What is kept makes way where memory is mapped anew
 * or the heap of small objects grows: kept memory hardly ever makes the process larger than it was.
 * A little more is kept for a moment than is worth it, because what a program frees it often asks
 * for again right away, and larger.
 * What nobody took between two calls of kept_decay goes, but for parts of huge pages that are in
 * use (shared.h); they count like the others. How much is kept follows what the program does:
 * mapping again what was unmapped a moment ago raises the bound, an interval with little reuse
 * lowers it.
 *
 * Invariants: the ranges stand in the order of their addresses; two side by side are not of one
 * mapping; each is a multiple of the page; `bytes` is the sum of their sizes. */
#ifndef ALLOCATOR_KEPT_H
#define ALLOCATOR_KEPT_H

#include "allocator/place.h"

/* A part of one mapping, the kernel's, or all of it. Parts of one mapping have one `id`, and what
 * has another one is taken for another mapping: mremap(2) moves or resizes one at a time before
 * Linux 6.17, and a process may only have so many. */
struct kept_range {
    uintptr_t start;
    size_t bytes;
    uint32_t id;
};

/* Marks the ids of the ranges that lie in huge pages which objects share (shared.h). Of such a page
 * nothing moves, and nothing is unmapped as long as some of it is in use, unless there are too many
 * ranges: the system would hold all of its memory, though it would not show. */
#define KEPT_SHARED (UINT32_C(1) << 31)

/* And of those in mappings that the system may use huge pages for. */
#define KEPT_HUGE (UINT32_C(1) << 30)

static inline bool kept_is_shared(uint32_t id)
{
    return (id & KEPT_SHARED) != 0;
}

static inline bool kept_is_huge(uint32_t id)
{
    return (id & (KEPT_SHARED | KEPT_HUGE)) != 0;
}

enum { KEPT_MAPPINGS = 256 };

/* There are so many sets of large objects at most (large_set.h), each with what is kept of its own:
 * a process may only have so many mappings. */
enum { KEPT_SETS = 16 };
extern struct places large_places HIDDEN;

/* Guarded by the lock of its set. */
struct kept {
    unsigned set; /* its index */
    size_t count, bytes;
    size_t most;           /* bytes that are kept at least if freed; raised by regret */
    size_t unmapped_bytes; /* since the last kept_decay, for lack of room */
    size_t grown_bytes;    /* asked for by kept_make_way and not given yet */
    size_t reused_bytes;   /* since the last kept_decay */
    size_t moved_bytes;    /* the same, and half of what it was before */
    bool is_over;          /* more was kept, for the moment, since the last kept_settle */
    uint32_t last_id, last_number;
};

/* The id of a new mapping; the system may use huge pages for it, or not. */
uint32_t kept_new_id(struct kept *kept, bool is_huge);
/* Keeps a freed range, or unmaps it where the `freed_bytes` that it is a part of are much more than
 * is worth keeping beside `live_bytes` of large objects. */
void kept_put(struct kept *kept, struct kept_range freed, size_t freed_bytes, size_t live_bytes);
/* The moment is over: unmaps what is of too large objects, and then what came first, until no more
 * is kept than is worth it. */
void kept_settle(struct kept *kept, size_t live_bytes);

/* The ranges that an object is put together of, lowest first. */
enum { KEPT_PIECES_MOST = 16 };
struct kept_pieces {
    unsigned count;
    struct kept_range ranges[KEPT_PIECES_MOST];
};

/* Returns memory of `bytes`, a multiple of the page, whose contents are arbitrary, of up to
 * `pieces_most`, 1 to KEPT_PIECES_MOST, pieces; NULL where a new mapping is better.  Two or more
 * take the place of one mapping of `bytes`. */
void *kept_take(struct kept *kept, size_t bytes, unsigned pieces_most, size_t live_bytes,
                struct kept_pieces *pieces);
/* The same, cut from one mapping and at a multiple of `align`; NULL where none holds that. */
void *kept_take_aligned(struct kept *kept, size_t bytes, size_t align, struct kept_pieces *pieces);
/* The same, cut from one mapping in small pages whatever lies at which address; *is_fresh tells
 * whether it reads as zero and holds no memory. */
void *kept_take_empty(struct kept *kept, size_t bytes, struct kept_pieces *pieces, bool *is_fresh);
/* Takes `bytes`, a multiple of the page, that begin at `start`; false where they are not kept, or
 * are of another mapping than `id`'s. */
bool kept_take_at(struct kept *kept, uintptr_t start, size_t bytes, uint32_t id);
/* Keeps a fresh huge page for objects to share, beside those that came before where it can; false
 * where there is no memory. */
bool kept_add_shared(struct kept *kept, size_t live_bytes);
/* So many bytes beside `live_bytes` were mapped anew, and addresses for `room` more: as many kept
 * ones go, unless there are few for so many live ones. */
void kept_replace(struct kept *kept, size_t bytes, size_t room, size_t live_bytes);
/* Kept mappings of so many bytes in all the calls so far, but for what the program has shown that
 * it wants back, go to the system, because the process got new memory elsewhere; those that are not
 * old yet wait for that. */
void kept_make_way(struct kept *kept, size_t bytes);
/* Returns up to `most` bytes, rounded up to the page, of old mappings to the system; the others get
 * old. */
void kept_give_some(struct kept *kept, size_t most);
/* Returns the old mappings, or all, to the system; returns the number of bytes. */
size_t kept_decay(struct kept *kept, bool all);

#endif
