#include "allocator/decay.h"

#include "allocator/large.h"
#include "allocator/zone.h"

enum {
    /* Looks between two steps at the pace of traffic: 1024 slow calls, some 150 us. */
    LOOKS_PER_STEP = 16,
    /* Units given back in such a step: 32 KiB, some 5 us with the page faults that may follow. */
    UNITS_PER_STEP = 4,
    INTERVAL_MS = 100
};

/* Guarded by the zone's lock, but for `looks`. */
static struct {
    unsigned looks;
    unsigned rounds; /* intervals that ended */
    uint64_t last_ms;
} decay;

/* Gives back what lay dirty since the last interval began, but at most `most` units. */
static void purge_idle(size_t most)
{
    size_t idle = zone.idle_units;

    if (idle > most)
        idle = most;
    size_t left = zone.idle_units - idle;
    (void)zone_purge(zone.dirty_units - idle);
    zone.idle_units = left;
}

unsigned decay_look(struct block_heap *blocks)
{
    unsigned looks = __atomic_add_fetch(&decay.looks, 1, __ATOMIC_RELAXED);
    uint64_t now_ms = os_coarse_ms();
    bool is_late = false, ages = false;

    lock_take(&zone.lock);
    if (now_ms - decay.last_ms >= INTERVAL_MS) {
        decay.last_ms = now_ms;
        decay.rounds++;
        is_late = true;
        purge_idle(SIZE_MAX);
        (void)block_decay(blocks);
        ages = true;
    } else if (looks % LOOKS_PER_STEP == 0) {
        purge_idle(UNITS_PER_STEP);
        ages = true;
    }
    if (ages)
        zone_begin_interval(is_late);
    unsigned rounds = decay.rounds;
    lock_drop(&zone.lock);
    if (ages)
        (void)large_decay(false);
    return rounds;
}
