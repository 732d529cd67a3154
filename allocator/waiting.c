#include "allocator/waiting.h"

#include "allocator/place.h"
#include "allocator/slab.h"

enum {
    /* Waiting is over after so many looks, after so many allocations each, at which what waits
     * neither grows nor shrinks any further (EXPERIMENTS.md, "What giving memory back costs"). */
    ALLOCATIONS_PER_LOOK = 16,
    TURNS = 8,
    /* Then of what is left of it such a part goes at each look, and 4 MiB at least, some 200 us: no
     * allocation pays for all of it but that of a large object, nor does each of many parts look
     * through a large heap. */
    SETTLE_PARTS = 4,
    /* So much more, and the program frees more than it allocates again. */
    MORE_UNITS = (64 << 10) >> UNIT_SHIFT
};

/* Guarded by its lock, but for `allocations`. */
static struct {
    struct lock lock;
    unsigned allocations; /* since it was looked at last */
    /* The most units that waited at such looks, and the least since. */
    size_t most_units, least_units;
    size_t purged_units; /* the zone's, when it began to be looked at */
    unsigned turns;      /* looks at which it was neither more nor less */
    bool is_settling;    /* what waited goes */
    size_t left_units;   /* of it */
} waiting;

/* The units that lie dirty and those that decay gave meanwhile: what the program took back is
 * missing, what went for another reason is not.  As the next three, needs the zone's lock, too. */
static size_t waiting_units(void)
{
    return zone.dirty_units + (zone.purged_units - waiting.purged_units);
}

static void begin_watching(void)
{
    waiting.purged_units = zone.purged_units;
    waiting.most_units = waiting.least_units = zone.dirty_units;
    waiting.turns = 0;
    waiting.is_settling = false;
}

/* Whether the program neither goes on freeing more than it allocates nor goes on taking back what
 * waits: either comes to an end by itself, but more and less in turn might not. */
static bool is_turning(void)
{
    size_t units = waiting_units();

    waiting.turns++;
    if (units > waiting.most_units) {
        waiting.most_units = waiting.least_units = units;
        waiting.turns = 0;
    } else if (units < waiting.least_units) {
        waiting.least_units = units;
        waiting.turns = 0;
    }
    return waiting.turns == TURNS;
}

static void begin_settling(void)
{
    size_t units = waiting_units();

    waiting.is_settling = true;
    if (units < waiting.most_units)
        zone_want(waiting.most_units - units);
}

/* Needs the lock. */
static void begin(void)
{
    if (zone.is_waiting)
        return;
    lock_take(&zone.lock);
    /* Some of it may have gone or been taken since. */
    bool has_excess = zone_update_excess();
    begin_watching();
    lock_drop(&zone.lock);
    if (!has_excess)
        return;
    __atomic_store_n(&waiting.allocations, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&zone.is_waiting, true, __ATOMIC_RELAXED);
    slab_close_frequent_way();
}

/* Needs the lock. */
static void end(void)
{
    __atomic_store_n(&zone.is_waiting, false, __ATOMIC_RELAXED);
    slab_open_frequent_way();
}

/* A part of what waits goes where waiting is over, and all of it at once for `is_over`.  Needs the
 * lock. */
static void look(bool is_over)
{
    bool is_settled = false;

    lock_take(&zone.lock);
    /* The program frees more than it allocates again. */
    if (waiting.is_settling && zone.dirty_units > waiting.left_units + MORE_UNITS)
        begin_watching();
    if (!waiting.is_settling && (is_over || is_turning() || !zone_update_excess()))
        begin_settling();
    if (waiting.is_settling) {
        is_settled = zone_settle(is_over ? 1 : SETTLE_PARTS);
        waiting.left_units = zone.dirty_units;
    }
    lock_drop(&zone.lock);
    __atomic_store_n(&waiting.allocations, 0, __ATOMIC_RELAXED);
    if (is_settled)
        end();
}

/* Between a thread's store and its load of what another stores before it loads that. */
static void order_with_others(void)
{
    if (!os_is_single_threaded())
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Others may have found the lock taken, or the waiting not over yet, and left it to us to begin. */
static void drop_lock(void)
{
    lock_drop(&waiting.lock);
    order_with_others();
    waiting_note_free();
}

/* What is not to stay goes at once: of many threads some always free more than they allocate, and
 * waiting would make all of them slow meanwhile.  Needs the lock; the next call does the rest. */
static void settle_a_part(void)
{
    lock_take(&zone.lock);
    (void)zone_settle(SETTLE_PARTS);
    lock_drop(&zone.lock);
}

void waiting_begin(void)
{
    order_with_others();
    if (waiting_is_on() || lock_is_taken(&waiting.lock) || !lock_try(&waiting.lock))
        return;
    if (places_are_crowded()) {
        settle_a_part();
        lock_drop(&waiting.lock);
        return;
    }
    begin();
    drop_lock();
}

static void try_to_look(bool is_over)
{
    /* Or else the next call does it. */
    if (!lock_try(&waiting.lock))
        return;
    if (zone.is_waiting)
        look(is_over);
    drop_lock();
}

void waiting_count_alloc(void)
{
    if (__atomic_add_fetch(&waiting.allocations, 1, __ATOMIC_RELAXED) >= ALLOCATIONS_PER_LOOK)
        try_to_look(false);
}

void waiting_cancel(void)
{
    lock_take(&waiting.lock);
    if (zone.is_waiting)
        end();
    drop_lock();
}

void waiting_end(void)
{
    try_to_look(true);
}

void waiting_change_lock(void (*change)(struct lock *))
{
    change(&waiting.lock);
}
