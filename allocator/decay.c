#include "allocator/decay.h"

#include "allocator/block.h"
#include "allocator/large.h"
#include "allocator/zone.h"

enum {
    /* Looks between two steps at the pace of traffic: 1024 slow calls, some 150 us. */
    LOOKS_PER_STEP = 16,
    /* Such a step gives back this part of the idle units, at least one: what a burst leaves goes
     * soon, what will be wanted again has time (EXPERIMENTS.md, "How idle memory goes"). */
    IDLE_PART = 8,
    /* Free blocks looked at in every other step; where there are more, time is left to it. */
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

/* Gives back a number of those units that lay dirty since the last interval began. */
static void purge_idle(size_t units)
{
    size_t left = zone.idle_units - units;

    (void)zone_purge(zone.dirty_units - units);
    zone.idle_units = left;
}

static void end_interval_of_time(void)
{
    decay.rounds++;
    purge_idle(zone.idle_units);
    (void)block_decay(&shared_blocks, SIZE_MAX);
    zone_begin_interval(true);
}

static void step_at_the_pace_of_traffic(void)
{
    size_t idle = zone.idle_units;

    purge_idle(idle > IDLE_PART ? idle / IDLE_PART : idle > 0);
    if (++decay.steps % 2 == 0)
        (void)block_decay(&shared_blocks, BLOCKS_PER_LOOK);
    zone_begin_interval(false);
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
