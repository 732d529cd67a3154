#include "allocator/decay.h"

#include "allocator/block.h"
#include "allocator/large.h"
#include "allocator/zone.h"

enum {
    /* Looks between two steps at the pace of traffic: 1024 slow calls, some 150 us. */
    LOOKS_PER_STEP = 16,
    /* What lay dirty for so many steps goes: what a burst leaves goes soon, what is wanted again
     * all the time stays (EXPERIMENTS.md, "How idle memory goes"). */
    STEPS_PER_INTERVAL = 4,
    /* But no more at a time than costs about what the calls between did: 2 MiB, some 600 us. */
    UNITS_PER_INTERVAL = (2 << 20) >> UNIT_SHIFT,
    /* Free blocks are looked at so often, and so many of them, or so many in a tenth of a second:
     * a bound on how long the zone's lock is held, a millisecond and what goes. */
    STEPS_PER_BLOCKS = 2,
    BLOCKS_PER_STEP = 64,
    BLOCKS_PER_INTERVAL = 16384,
    /* Kept mappings go by this part of what the zone grows. */
    MAKE_WAY_PART = 2,
    INTERVAL_MS = 100
};

/* Guarded by the zone's lock, but for `looks`. */
static struct {
    unsigned looks;
    unsigned rounds; /* intervals of time that ended */
    unsigned steps;  /* at the pace of traffic */
    uint64_t last_ms;
    size_t grown_units; /* the zone's, at the last look */
} decay;

/* Gives back what lay dirty since the last interval began, but at most `most` units. */
static void purge_idle(size_t most)
{
    size_t idle = zone.idle_units < most ? zone.idle_units : most;

    (void)zone_purge(zone.dirty_units - idle);
}

static void end_interval_of_time(void)
{
    decay.rounds++;
    decay.steps = 0;
    purge_idle(SIZE_MAX);
    block_decay(&shared_blocks, BLOCKS_PER_INTERVAL);
    zone_begin_interval(true);
}

static void step(void)
{
    if (++decay.steps % STEPS_PER_BLOCKS == 0)
        block_decay(&shared_blocks, BLOCKS_PER_STEP);
    if (decay.steps % STEPS_PER_INTERVAL == 0) {
        purge_idle(UNITS_PER_INTERVAL);
        zone_begin_interval(false);
    }
}

unsigned decay_look(void)
{
    unsigned looks = __atomic_add_fetch(&decay.looks, 1, __ATOMIC_RELAXED);
    uint64_t now_ms = os_coarse_ms();
    bool is_late, is_step;

    lock_take(&zone.lock);
    is_late = now_ms - decay.last_ms >= INTERVAL_MS;
    is_step = looks % LOOKS_PER_STEP == 0;
    if (is_late) {
        decay.last_ms = now_ms;
        end_interval_of_time();
    } else if (is_step) {
        step();
    }
    unsigned rounds = decay.rounds;
    size_t grown_units = zone.grown_units - decay.grown_units;
    decay.grown_units = zone.grown_units;
    lock_drop(&zone.lock);
    if (grown_units > 0)
        large_make_way((grown_units << UNIT_SHIFT) / MAKE_WAY_PART);
    if (is_late || is_step)
        (void)large_decay(false);
    return rounds;
}
