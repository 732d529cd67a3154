#include "allocator/decay.h"

#include <limits.h>

#include "allocator/arena.h"
#include "allocator/depot.h"
#include "allocator/large.h"
#include "allocator/slab_sets.h"
#include "allocator/waiting.h"

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
    /* A zone of less, 512 KiB, has nothing that is worth a look at the clock, which brings in
     * 64 KiB of the C library that a small program needs for nothing else (EXPERIMENTS.md, "The C
     * library's pages"). */
    CLOCK_FROM_UNITS = (512 << 10) >> UNIT_SHIFT
};

/* Guarded by its lock, but for `looks`, and `rounds` where it is read. */
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

static uint64_t look_at_clock(void)
{
    bool is_worth_it = decay.owned_units >= CLOCK_FROM_UNITS || large_set_is_used();

    return is_worth_it ? os_coarse_ms() : decay.last_ms;
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
        uint64_t now_ms = look_at_clock();
        bool is_step = looks % looks_per_step == 0;
        is_late = now_ms - decay.last_ms >= INTERVAL_MS;
        if (is_late) {
            decay.last_ms = now_ms;
            end_interval_of_time();
        } else if (is_step) {
            step();
        }
        /* What waits is looked at often enough. */
        if (ends_quiet_while(now_ms, is_step || is_late) && !waiting_is_on())
            give_some();
        note_growth();
        lock_drop(&decay.lock);
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
