/* The inside of the preload library that records a program's allocation calls.
 *
 * Every thread writes slots (traces/spool_format.h) into a chunk of the image's spool file that
 * only it has; the chunk is mapped shared, so what was stored outlives the process whatever its
 * end. Threads meet only when they take a chunk, in one atomic addition.
 *
 * Order across threads comes from the stamps: a release is stamped before the real call and an
 * allocation after it, so of two calls that concern one address, the release always carries the
 * smaller stamp.
 *
 * The state of the process image lies in a page that a fork leaves zero in the child. That is how a
 * child notices that it needs a spool of its own, whichever way it was forked, while a vfork child
 * (same memory, same heap) goes on with its parent's.
 */
#ifndef TRACES_RECORDER_H
#define TRACES_RECORDER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/spool_format.h"
#include "traces/ticks.h"
#include "traces/trace.h"

#define RECORDER_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define RECORDER_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define RECORDER_EXPORT              __attribute__((visibility("default")))

/* The most slots that one call can take: SPOOL_TICKS twice, SPOOL_OLD, SPOOL_SIZE, SPOOL_EXTRA and
 * the call. */
#define RECORDER_SLOTS_MAX 6

/* dlsym itself may allocate, at most some hundred bytes for its error message. */
#define RECORDER_BOOTSTRAP_BYTES 16384u

enum recorder_state {
    RECORDER_NEW = 0, /* no spool yet; must be 0, see above */
    RECORDER_OPENING,
    RECORDER_OPEN,
    RECORDER_OFF, /* nothing is recorded in this image (any more) */
};

#define RECORDER_RETIRED_MAX 64

/* A chunk whose thread is ending. Nobody can tell which of its calls is the last, so a later thread
 * unmaps it. */
struct recorder_retired {
    void *chunk;
    size_t bytes;
    int thread_id;
};

/* Zero after a fork. Has its page to itself, because the kernel empties whole pages. */
struct recorder_image {
    _Atomic int state;
    _Atomic uint32_t thread_count;
    _Atomic uint64_t next_unit;
    atomic_flag retired_lock;
    unsigned retired_count;
    struct recorder_retired retired[RECORDER_RETIRED_MAX];
} __attribute__((aligned(SPOOL_UNIT_BYTES)));

struct recorder_thread {
    struct spool_slot *cursor;
    struct spool_slot *limit; /* a call may begin below this */
    uint64_t last_ticks;
    int is_inside;  /* in a real function or in the recorder: calls from there are not the program's
                     */
    int is_retired; /* its chunk is in the retired list */
    uint32_t number_plus_1; /* 0: none yet */
    uint32_t sequence;
    void *chunk;
    size_t chunk_bytes;
};

/* The functions that do the work: those of the next library in the search order. */
struct recorder_real {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *old, size_t size);
    void *(*reallocarray)(void *old, size_t count, size_t size);
    void (*free)(void *pointer);
    int (*posix_memalign)(void **result, size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
};

extern struct recorder_image recorder_image;
extern struct recorder_real recorder_real;
extern int recorder_uses_tsc;
extern __thread struct recorder_thread recorder_self __attribute__((tls_model("initial-exec")));

/* Finds the real functions. Calls that arrive while it runs are served by recorder_bootstrap_take.
 */
void recorder_resolve(void);

/* Zeroed memory that is never given back, for the few calls that dlsym makes. NULL when it is used
 * up. */
void *recorder_bootstrap_take(size_t alignment, size_t bytes);
size_t recorder_bootstrap_size(const void *pointer);
extern char recorder_bootstrap[RECORDER_BOOTSTRAP_BYTES];

/* Fills in what the header says about the allocator. */
void recorder_describe(struct spool_header *header);

/* Reads the environment; later changes by the program do not matter. */
void recorder_configure(void);

/* Makes room for one call's slots, with `ticks` as the time of the first, opening the spool where
 * need be. Returns 0 where the call can't be recorded. errno is kept. */
int recorder_reserve(struct recorder_thread *self, uint64_t ticks);

/* Sees to it that the thread's end is noticed. */
void recorder_watch_thread_exit(void);

/* Hands the ending thread's chunk to whoever takes a chunk after it has ended. */
void recorder_retire(struct recorder_thread *self);

static inline int recorder_bootstrap_owns(const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)recorder_bootstrap < RECORDER_BOOTSTRAP_BYTES;
}

/* The stamp of an allocation. Read a little early it may lie before the release that made the
 * address free; the reader of the spool sees that and waits for the release. */
static inline uint64_t recorder_ticks(void)
{
    return RECORDER_LIKELY(recorder_uses_tsc) ? ticks_tsc() : ticks_monotonic_ns();
}

/* The stamp of a release, which must not lie before the moment when the pointer arrived from
 * another thread: with an allocator that gives an address out again at once, it would then be taken
 * for the release of the object before. While there is no other thread, the cheaper stamp does. */
static inline uint64_t recorder_ticks_release(void)
{
    if (RECORDER_UNLIKELY(!recorder_uses_tsc))
        return ticks_monotonic_ns();
    if (atomic_load_explicit(&recorder_image.thread_count, memory_order_relaxed) <= 1)
        return ticks_tsc();
    return ticks_tsc_ordered();
}

static inline int recorder_is_ready(struct recorder_thread *self, uint64_t ticks)
{
    if (RECORDER_LIKELY(atomic_load_explicit(&recorder_image.state, memory_order_relaxed) ==
                            RECORDER_OPEN &&
                        self->cursor < self->limit))
        return 1;
    return recorder_reserve(self, ticks);
}

/* Stores one slot. The first word goes last, so that a slot cut off by a kill does not count. */
static inline void recorder_put(struct recorder_thread *self, uint64_t first, uint64_t second)
{
    struct spool_slot *slot = self->cursor;
    slot->second = second;
    atomic_signal_fence(memory_order_release);
    *(volatile uint64_t *)&slot->first = first;
    self->cursor = slot + 1;
}

/* Advances the thread's time; returns the difference for the slot's low bits. */
static inline uint64_t recorder_advance(struct recorder_thread *self, uint64_t ticks)
{
    uint64_t delta = ticks - self->last_ticks;
    self->last_ticks = ticks;
    if (RECORDER_LIKELY(delta <= UINT32_MAX))
        return delta;
    recorder_put(self, (uint64_t)SPOOL_TICKS << 32, ticks);
    return 0;
}

static inline void recorder_write(struct recorder_thread *self, uint64_t ticks, unsigned op,
                                  uint64_t size, uint64_t extra, uint64_t address)
{
    uint64_t delta = recorder_advance(self, ticks);
    if (RECORDER_UNLIKELY(size >= SPOOL_SIZE_FIELD)) {
        recorder_put(self, (uint64_t)SPOOL_SIZE << 32, size);
        size = SPOOL_SIZE_FIELD;
    }
    if (RECORDER_UNLIKELY(extra >= SPOOL_EXTRA_FIELD)) {
        recorder_put(self, (uint64_t)SPOOL_EXTRA << 32, extra);
        extra = SPOOL_EXTRA_FIELD;
    }
    recorder_put(self, delta | (uint64_t)op << 32 | size << 40,
                 (address & SPOOL_ADDRESS_MAX) | extra << 48);
}

#endif
