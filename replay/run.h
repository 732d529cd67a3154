/* What parent and run share: two mappings.
 *
 * The window holds decoded events; the parent fills it, and every run of a source plays from it:
 *
 *   [ run_window | segments | first event by thread | events ]
 *
 * The lane belongs to one run: what it is to do, its objects and its outcome. While one run is
 * draining, the next one can play in a lane of its own:
 *
 *   [ run_control | objects' table | thread stacks ]
 *
 * Everything of the harness that grows with the source lives in these shared mappings and is
 * prefaulted before the baseline is taken, so that it never counts as the allocator's memory.
 */
#ifndef REPLAY_RUN_H
#define REPLAY_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/latency.h"
#include "replay/occupancy.h"
#include "replay/target.h"

enum run_mode { RUN_THROUGHPUT, RUN_LATENCY, RUN_MEMORY, RUN_CHECK, RUN_MODE_COUNT };
enum run_touch { TOUCH_NONE, TOUCH_FIRST, TOUCH_PAGE, TOUCH_FULL, TOUCH_COUNT };
/* As fast as possible, or not before the time at which a call was recorded. */
enum run_pace { PACE_FULL, PACE_RECORDED, PACE_COUNT };

/* "throughput", "latency", "memory", "check"; "none", "first", "page", "full". */
extern const char *const run_mode_names[RUN_MODE_COUNT];
extern const char *const run_touch_names[TOUCH_COUNT];
extern const char *const run_pace_names[PACE_COUNT]; /* "full", "recorded" */

enum replay_operation {
    REPLAY_MALLOC,
    REPLAY_FREE,
    REPLAY_REALLOC,
    REPLAY_CALLOC,
    REPLAY_MEMALIGN,
    REPLAY_REALLOC_NULL, /* realloc(NULL, size) */
    REPLAY_FREE_NULL,
    REPLAY_FAILING, /* a request that was refused when recorded: what it gets is given back at once
                     */
    REPLAY_REALLOC_GROWN, /* a realloc whose new part is to be touched; a REPLAY_EXTENSION follows
                           */
    REPLAY_EXTENSION,     /* `size` is the object's size before the realloc */
    REPLAY_THREAD_START,  /* `slot` is the new thread's index */
    REPLAY_THREAD_END,
    REPLAY_SEGMENT_END, /* all threads meet */
    REPLAY_WAIT,        /* until `size` nanoseconds after the start */
    REPLAY_JUMP,        /* the thread's events go on at event `size` of the window */
};

/* One pre-decoded step of one thread. The generation tells the lives of a recycled slot apart: it
 * is the one that the object has before the event for a release or realloc, and the one it gets for
 * an allocation. */
struct replay_event {
    uint32_t slot;
    uint8_t operation;
    uint8_t alignment_log2;
    uint16_t generation;
    uint64_t size; /* bytes */
};

_Static_assert(sizeof(struct replay_event) == 16, "four events a cache line");

/* The generation after `generation`. */
static inline uint16_t replay_next_generation(uint16_t generation)
{
    return (uint16_t)(generation + 1);
}

/* Why the threads meet at the end of a segment. */
enum sample_point {
    POINT_SAMPLE,
    POINT_PEAK_LIVE,
    POINT_END,
    POINT_DRAIN_0,
    POINT_DRAIN_100MS,
    POINT_DRAIN_1S,
    POINT_COUNT
};
extern const char *const sample_point_names[POINT_COUNT];

/* A stretch of the source after which all threads meet. */
struct segment {
    uint64_t event;           /* index of the first event after it */
    uint64_t live_bytes;      /* L after it */
    uint32_t meeting_threads; /* that arrive: alive at its end, or ended within it */
    uint8_t point;            /* enum sample_point */
};

struct sample {
    uint64_t event, live_bytes, usable_bytes, resident_bytes;
    uint8_t point;
    bool usable_known;
};

/* Thread sanitizer keeps its own state on the stacks. */
#ifdef __SANITIZE_THREAD__
#define RUN_STACK_BYTES ((size_t)2 << 20)
#else
#define RUN_STACK_BYTES ((size_t)128 << 10)
#endif
#define RUN_SAMPLE_LIMIT  512 /* points of a timeline, the drain's included */
#define RUN_NO_EVENT      UINT32_MAX
#define RUN_STACK_TOUCHED ((size_t)32 << 10) /* prefaulted at the top of each stack */
#define RUN_STACK_LIMIT \
    512 /* stacks outside the allocator's account; later threads get ordinary ones */

struct run_request {
    char target_name[4096];
    uint8_t mode, touch;
    bool is_multi_threaded, waits_for_drain;
    int processor; /* to run on, -1 for any */
    uint64_t largest_bytes;
};

struct run_outcome {
    bool is_complete;
    char error[512]; /* one sentence, "" where nothing went wrong */
    char version[TARGET_TEXT_BYTES];
    bool is_missing, needs_preload;
    uint64_t wall_ns, user_ns, system_ns, stall_ns;
    uint64_t unsupported_count, defect_count;
    uint64_t minor_faults, major_faults;
    uint64_t peak_resident_bytes;
    bool resident_known;
    bool occupancy_known; /* what follows, at the peak of L */
    struct occupancy_figures occupancy;
    struct latency_figures latency; /* latency mode */
    uint32_t sample_count;
    struct sample samples[RUN_SAMPLE_LIMIT];
};

/* The head of the window. Offsets are from its start. */
struct run_window {
    uint64_t mapped_bytes;
    uint64_t segments_at, firsts_at, events_at;
    uint64_t event_limit;
    uint32_t segment_limit, thread_count;

    /* Written by the parent while the run waits, and read by it afterwards. */
    uint64_t events_used;
    uint32_t segment_count;
    bool is_last;
};

/* The head of a lane. Offsets are from its start. */
struct run_control {
    uint64_t mapped_bytes;
    uint64_t slots_at, stacks_at;
    uint32_t slot_count, stack_count;

    _Atomic uint32_t windows_offered; /* futex words: counted up by the parent, ... */
    _Atomic uint32_t windows_played;  /* ... and by the run */

    struct run_request request;
    struct run_outcome outcome;
};

static inline struct segment *run_segments(struct run_window *window)
{
    return (struct segment *)(void *)((char *)window + window->segments_at);
}

/* Index of each thread's first event in the window, RUN_NO_EVENT for a thread not part of it. */
static inline uint32_t *run_firsts(struct run_window *window)
{
    return (uint32_t *)(void *)((char *)window + window->firsts_at);
}

static inline struct replay_event *run_events(struct run_window *window)
{
    return (struct replay_event *)(void *)((char *)window + window->events_at);
}

/* Single-threaded: the object's address, or 0. Several threads: generation << 48 | address, and
 * once that life is over generation << 48 | SLOT_VACANT: who allocates into a slot waits until the
 * life right before is over, so that a thread that runs ahead can't take the turn of another. */
static inline _Atomic uint64_t *run_slots(struct run_control *control)
{
    return (_Atomic uint64_t *)(void *)((char *)control + control->slots_at);
}

#define ADDRESS_BITS 48
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)
#define SLOT_VACANT  UINT64_C(1) /* no object has an odd address */

static inline uint64_t slot_vacant(uint16_t generation)
{
    return (uint64_t)generation << ADDRESS_BITS | SLOT_VACANT;
}

static inline bool slot_holds(uint64_t value, uint16_t generation)
{
    return value >> ADDRESS_BITS == generation && !(value & SLOT_VACANT);
}

static inline char *run_stack(struct run_control *control, uint32_t index)
{
    return (char *)control + control->stacks_at + (size_t)index * RUN_STACK_BYTES;
}

/* futex(2): sleeps while *word is `value`, at most `milliseconds`; wakes all sleepers. */
void run_futex_wait(_Atomic uint32_t *word, uint32_t value, int milliseconds);
void run_futex_wake(_Atomic uint32_t *word);

#endif
