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
    /* Free blocks are looked at so often, and so many of them: where there are more, time is left
     * to it. */
    STEPS_PER_BLOCKS = 2,
    BLOCKS_PER_LOOK = 64,
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
    size_t clean_taken; /* the zone's, at the last look */
} decay;

/* Gives back what lay dirty since the last interval began, but at most `most` units. */
static void purge_idle(size_t most)
{
    size_t idle = zone.idle_units < most ? zone.idle_units : most;
    size_t left = zone.idle_units - idle;

    (void)zone_purge(zone.dirty_units - idle);
    zone.idle_units = left;
}

static void end_interval_of_time(void)
{
    decay.rounds++;
    purge_idle(SIZE_MAX);
    (void)block_decay(&shared_blocks, SIZE_MAX);
    zone_begin_interval(true);
}

static void step_at_the_pace_of_traffic(void)
{
    if (++decay.steps % STEPS_PER_BLOCKS == 0)
        (void)block_decay(&shared_blocks, BLOCKS_PER_LOOK);
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
        step_at_the_pace_of_traffic();
    }
    unsigned rounds = decay.rounds;
    size_t grown_units = zone.clean_taken - decay.clean_taken;
    decay.clean_taken = zone.clean_taken;
    lock_drop(&zone.lock);
    if (grown_units > 0)
        large_make_way((grown_units << UNIT_SHIFT) / MAKE_WAY_PART);
    if (is_late || is_step)
        (void)large_decay(false);
    return rounds;
}
