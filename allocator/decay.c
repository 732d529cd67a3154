#include "allocator/decay.h"

#include <limits.h>

#include "allocator/arena.h"
#include "allocator/depot.h"
#include "allocator/large.h"
#include "allocator/slab_sets.h"
#include "allocator/zone.h"

enum {
    /* Looks between two steps at the pace of traffic: 640 slow calls, some 100 us. */
    LOOKS_PER_STEP = 10,
    LOOKS_PER_STEP_SHARED = 12, /* where others wait for locks meanwhile */
    /* What lay dirty for so many steps goes: what a burst leaves goes soon, what is wanted again
     * all the time stays (EXPERIMENTS.md, "How idle memory goes"). */
    STEPS_PER_INTERVAL = 4,
    /* But no more at a time than costs about what the calls between did: 2 MiB, some 600 us. */
    UNITS_PER_INTERVAL = (2 << 20) >> UNIT_SHIFT,
    /* An interval's length doubles so often, at most, where what went was wanted again at once
     * (EXPERIMENTS.md, "What decay regrets"); less than so many units prove nothing. */
    STRETCH_MOST = 2,
    PROOF_UNITS = (64 << 10) >> UNIT_SHIFT,
    /* Free blocks are looked at so often, and so many of them, or so many in a tenth of a second:
     * a bound on how long an arena's lock is held, a millisecond and what goes. */
    STEPS_PER_BLOCKS = 2,
    BLOCKS_PER_STEP = 64,
    BLOCKS_PER_INTERVAL = 16384,
    /* Kept mappings go by this part of what the zone grows. */
    MAKE_WAY_PART = 2,
    /* So often they get older, by the calls of those whose objects are of the same set. */
    STEPS_PER_LARGE = 2,
    INTERVAL_MS = 100,
    /* Where no step came for so long, as far as the system's coarse clock tells (it goes by 4 ms at
     * 250 Hz), and a millisecond more for each 8 MiB of the zone, which a purge looks through, a
     * program calls so seldom that page faults cost it little beside what else it does: so much of
     * what is free goes, idle or not. 256 KiB are some 20 us, and 100 where all of it is wanted
     * back (EXPERIMENTS.md, "What programs of few calls leave, again").  Of more than 768 MiB the
     * interval of time takes care. */
    QUIET_MS = 4,
    UNITS_PER_QUIET_MS = (8 << 20) >> UNIT_SHIFT,
    QUIET_BYTES = 256 << 10,
    QUIET_UNITS = QUIET_BYTES >> UNIT_SHIFT,
    /* What was freed and is not to stay waits for so many looks, after so many allocations each,
     * at which it neither grows nor shrinks any further (EXPERIMENTS.md, "What giving memory back
     * costs"). */
    WAITING_ALLOCATIONS = 16,
    WAITING_TURNS = 8,
    /* Then of what is left of it such a part goes at each look, and 4 MiB at least, some 200 us: no
     * allocation pays for all of it but that of a large object, nor does each of many parts look
     * through a large heap. */
    SETTLE_PARTS = 4
};

/* Guarded by its lock, but for `looks` and `allocations`, and `rounds` where it is read. */
static struct {
    struct lock lock;
    unsigned looks;
    unsigned rounds;    /* intervals of time that ended */
    unsigned steps;     /* at the pace of traffic */
    unsigned stretch;   /* how often an interval's length has doubled */
    size_t given_units; /* when the interval began */
    uint64_t last_ms;
    uint64_t quiet_ms; /* when the while began of which is asked whether it is quiet */
    bool has_stepped;  /* since then */
    size_t grown_units, owned_units; /* the zone's, at the last look */
    unsigned allocations;            /* since it was looked at last */
    /* The most units that waited at such looks, and the least since. */
    size_t most_waiting, least_waiting;
    size_t purged_units; /* the zone's, when it began to be looked at */
    unsigned turns;      /* looks at which it was neither more nor less */
    bool is_settling;    /* what waited goes */
    size_t left_units;   /* of it */
} decay;

/* Most of what went when an interval began was needed again before it ended: the next ones last
 * longer. */
static void adapt_length(size_t given_units, size_t unmissed_units, bool by_time)
{
    if (by_time)
        decay.stretch -= decay.stretch > 0;
    else if (given_units >= PROOF_UNITS && unmissed_units < given_units / 2)
        decay.stretch += decay.stretch < STRETCH_MOST;
}

/* Gives back what lay dirty since the last interval began, but at most `most` units, and begins
 * the next one. */
static void end_interval(size_t most, bool by_time)
{
    size_t before = decay.given_units;

    lock_take(&zone.lock);
    size_t idle = zone.idle_units < most ? zone.idle_units : most;
    decay.given_units = zone_purge(zone.dirty_units - idle);
    size_t unmissed = zone_begin_interval(by_time, decay.given_units);
    lock_drop(&zone.lock);
    adapt_length(before, unmissed, by_time);
}

static void end_interval_of_time(void)
{
    __atomic_store_n(&decay.rounds, decay.rounds + 1, __ATOMIC_RELAXED);
    decay.steps = 0;
    depot_decay(true);
    slab_sets_decay(true);
    arena_decay(BLOCKS_PER_INTERVAL);
    end_interval(SIZE_MAX, true);
}

static void step(void)
{
    if (++decay.steps % STEPS_PER_BLOCKS == 0) {
        depot_decay(false);
        slab_sets_decay(false);
        arena_decay(BLOCKS_PER_STEP);
    }
    if (decay.steps % ((unsigned)STEPS_PER_INTERVAL << decay.stretch) == 0)
        end_interval(UNITS_PER_INTERVAL, false);
}

/* Asked at each look, tells whether a while ends that had no step, and begins the next one. */
static bool ends_quiet_while(uint64_t now_ms, bool is_step)
{
    decay.has_stepped |= is_step;
    if (now_ms - decay.quiet_ms < QUIET_MS + decay.owned_units / UNITS_PER_QUIET_MS)
        return false;
    bool has_stepped = decay.has_stepped;
    decay.quiet_ms = now_ms;
    decay.has_stepped = false;
    return !has_stepped;
}

/* The zone's first.  What lies free in long blocks stays with them: slabs that came to lie there
 * would be in the way of the next ones. Freed mappings that nobody took for a whole quiet while go
 * as well. */
static void give_some(void)
{
    lock_take(&zone.lock);
    size_t purged = zone_purge_some(QUIET_UNITS);
    lock_drop(&zone.lock);
    if (purged < QUIET_UNITS)
        arena_purge_long((QUIET_UNITS - purged) << UNIT_SHIFT);
    large_give_some(QUIET_BYTES);
}

/* Kept mappings make way for what the zone grew by since the last time. */
static void note_growth(void)
{
    /* Or else at the next look. */
    if (!lock_try(&zone.lock))
        return;
    size_t grown_units = zone.grown_units - decay.grown_units;
    decay.grown_units = zone.grown_units;
    decay.owned_units = zone.owned_units;
    lock_drop(&zone.lock);
    large_note_growth((grown_units << UNIT_SHIFT) / MAKE_WAY_PART);
}

/* The units that lie dirty and those that decay gave meanwhile: what the program took back is
 * missing, what went for another reason is not.  As the next three, needs the zone's lock, too. */
static size_t waiting_units(void)
{
    return zone.dirty_units + (zone.purged_units - decay.purged_units);
}

static void begin_watching(void)
{
    decay.purged_units = zone.purged_units;
    decay.most_waiting = decay.least_waiting = zone.dirty_units;
    decay.turns = 0;
    decay.is_settling = false;
}

/* Whether the program neither goes on freeing more than it allocates nor goes on taking back what
 * waits: either comes to an end by itself, but more and less in turn might not. */
static bool is_turning(void)
{
    size_t units = waiting_units();

    decay.turns++;
    if (units > decay.most_waiting) {
        decay.most_waiting = decay.least_waiting = units;
        decay.turns = 0;
    } else if (units < decay.least_waiting) {
        decay.least_waiting = units;
        decay.turns = 0;
    }
    return decay.turns == WAITING_TURNS;
}

static void begin_settling(void)
{
    size_t units = waiting_units();

    decay.is_settling = true;
    if (units < decay.most_waiting)
        zone_want(decay.most_waiting - units);
}

/* Needs the lock. */
static void begin_waiting(void)
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
    __atomic_store_n(&decay.allocations, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&zone.is_waiting, true, __ATOMIC_RELAXED);
    slab_close_frequent_way();
}

/* Needs the lock. */
static void end_waiting(void)
{
    __atomic_store_n(&zone.is_waiting, false, __ATOMIC_RELAXED);
    slab_open_frequent_way();
}

/* A part of what waits goes where waiting is over, and all of it at once for `is_over`.  Needs the
 * lock. */
static void look_at_waiting(bool is_over)
{
    bool is_settled = false;

    lock_take(&zone.lock);
    /* The program frees more than it allocates again. */
    if (decay.is_settling && zone.dirty_units > decay.left_units + PROOF_UNITS)
        begin_watching();
    if (!decay.is_settling && (is_over || is_turning() || !zone_update_excess()))
        begin_settling();
    if (decay.is_settling) {
        is_settled = zone_settle(is_over ? 1 : SETTLE_PARTS);
        decay.left_units = zone.dirty_units;
    }
    lock_drop(&zone.lock);
    __atomic_store_n(&decay.allocations, 0, __ATOMIC_RELAXED);
    if (is_settled)
        end_waiting();
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
    lock_drop(&decay.lock);
    order_with_others();
    decay_note_free();
}

/* What is not to stay goes at once: of many threads some always free more than they allocate, and
 * waiting would make all of them slow meanwhile.  Needs the lock; the next call does the rest. */
static void settle_a_part(void)
{
    lock_take(&zone.lock);
    (void)zone_settle(SETTLE_PARTS);
    lock_drop(&zone.lock);
}

void decay_begin_waiting(void)
{
    order_with_others();
    if (decay_waits() || lock_is_taken(&decay.lock) || !lock_try(&decay.lock))
        return;
    if (places_are_crowded()) {
        settle_a_part();
        lock_drop(&decay.lock);
        return;
    }
    begin_waiting();
    drop_lock();
}

static void try_to_look(bool is_over)
{
    /* Or else the next call does it. */
    if (!lock_try(&decay.lock))
        return;
    if (zone.is_waiting)
        look_at_waiting(is_over);
    drop_lock();
}

void decay_count_alloc(void)
{
    if (__atomic_add_fetch(&decay.allocations, 1, __ATOMIC_RELAXED) >= WAITING_ALLOCATIONS)
        try_to_look(false);
}

void decay_cancel_waiting(void)
{
    lock_take(&decay.lock);
    if (zone.is_waiting)
        end_waiting();
    drop_lock();
}

void decay_end_waiting(void)
{
    try_to_look(true);
}

unsigned decay_look(const struct place *large_place)
{
    unsigned looks = __atomic_add_fetch(&decay.looks, 1, __ATOMIC_RELAXED);
    unsigned looks_per_step = os_is_single_threaded() ? LOOKS_PER_STEP : LOOKS_PER_STEP_SHARED;
    /* Of those of one set alone. */
    unsigned looks_per_large = STEPS_PER_LARGE * looks_per_step;
    bool is_late = false;

    looks_per_step *= places_crowd();
    if (lock_try(&decay.lock)) {
        uint64_t now_ms = os_coarse_ms();
        bool is_step = looks % looks_per_step == 0;
        is_late = now_ms - decay.last_ms >= INTERVAL_MS;
        if (is_late) {
            decay.last_ms = now_ms;
            end_interval_of_time();
        } else if (is_step) {
            step();
        }
        /* What waits is looked at often enough. */
        if (ends_quiet_while(now_ms, is_step || is_late) && !zone.is_waiting)
            give_some();
        note_growth();
        drop_lock();
    }
    large_look(large_place, is_late ? UINT_MAX : looks_per_large);
    if (is_late)
        (void)large_decay(false);
    return __atomic_load_n(&decay.rounds, __ATOMIC_RELAXED);
}

void decay_change_lock(void (*change)(struct lock *))
{
    change(&decay.lock);
}
