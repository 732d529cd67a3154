/* Which sizes are worth a class of slabs. */
#include "allocator/counters.h"
#include "allocator/slab.h"

/* At first: every step to 128 bytes, every other one to 256, every fourth to 512, and blocks
 * beyond: at most 1/5 of an object is lost to rounding. */
#define UP_TO(c)   c, c
#define UP_TO_4(c) c, c, c, c
#define BLOCKS_4   SLAB_NO_CLASS, SLAB_NO_CLASS, SLAB_NO_CLASS, SLAB_NO_CLASS
/* clang-format off */
#define FIRST_CLASSES { \
    0, 0, 1, 2, 3, 4, 5, 6, 7, \
    UP_TO(9), UP_TO(11), UP_TO(13), UP_TO(15), \
    UP_TO_4(19), UP_TO_4(23), UP_TO_4(27), UP_TO_4(31), \
    BLOCKS_4, BLOCKS_4, BLOCKS_4, BLOCKS_4, BLOCKS_4, BLOCKS_4, BLOCKS_4, BLOCKS_4, \
}
/* clang-format on */
/* Every call reads these, and they hardly ever change: apart from what threads write. */
_Alignas(CACHE_LINE_BYTES) uint8_t slab_frequent_class_table[SLAB_CLASSES + 1] = FIRST_CLASSES;
uint8_t slab_class_table[SLAB_CLASSES + 1] = FIRST_CLASSES;
static bool is_frequent_way_closed;

/* In blocks of one group of sizes: then slabs serve them (EXPERIMENTS.md, "Which sizes get a
 * class"). */
#define SLAB_FROM_BYTES ((size_t)32 * 1024)
/* What a class of its own must save, in units: about that much of it will be free. */
enum { SAVED_UNITS = 2 };

/* Estimates of what was asked for, by number of steps and by the class that served it; threads may
 * miss each other's. */
static _Alignas(CACHE_LINE_BYTES) size_t sampled_bytes[SLAB_CLASSES + 1];
static size_t sampled_class_bytes[SLAB_CLASSES];

static void set_class(unsigned steps, unsigned size_class)
{
    __atomic_store_n(&slab_class_table[steps], (uint8_t)size_class, __ATOMIC_SEQ_CST);
    /* Should another thread close the way just now, allocations of this size may go it
     * nevertheless, and are not counted. */
    if (!__atomic_load_n(&is_frequent_way_closed, __ATOMIC_SEQ_CST))
        __atomic_store_n(&slab_frequent_class_table[steps], (uint8_t)size_class, __ATOMIC_SEQ_CST);
}

void slab_close_frequent_way(void)
{
    __atomic_store_n(&is_frequent_way_closed, true, __ATOMIC_SEQ_CST);
    for (unsigned steps = 0; steps <= SLAB_CLASSES; steps++)
        __atomic_store_n(&slab_frequent_class_table[steps], SLAB_NO_CLASS, __ATOMIC_RELAXED);
}

void slab_open_frequent_way(void)
{
    __atomic_store_n(&is_frequent_way_closed, false, __ATOMIC_SEQ_CST);
    for (unsigned steps = 0; steps <= SLAB_CLASSES; steps++) {
        uint8_t size_class;
        /* Once more where another thread gave the size a new class, which was written over here. */
        do {
            size_class = __atomic_load_n(&slab_class_table[steps], __ATOMIC_SEQ_CST);
            __atomic_store_n(&slab_frequent_class_table[steps], size_class, __ATOMIC_SEQ_CST);
        } while (__atomic_load_n(&slab_class_table[steps], __ATOMIC_SEQ_CST) != size_class);
    }
}

void slab_sample(const struct slab_set *set, size_t bytes, unsigned count)
{
    unsigned steps = slab_steps(bytes), size_class = slab_class(bytes);
    size_t *all = &sampled_class_bytes[size_class], *own = &sampled_bytes[steps];

    counter_add(all, count * bytes);
    /* The lowest class serves size 0 as well. */
    if (steps == 0 || size_class == steps - 1)
        return;
    counter_add(own, count * bytes);
    size_t units = slab_class_units(set, size_class);
    size_t sampled = counter_get(own), class_sampled = counter_get(all);
    unsigned class_steps = size_class + 1, lost_steps = class_steps - steps;
    /* Of the units of the class, this size takes the part that it has in what was asked for, here
     * in 1024ths. */
    size_t part = sampled / ((class_sampled >> 10) + 1);
    if (units * part * lost_steps < (size_t)SAVED_UNITS * class_steps << 10)
        return;
    set_class(steps, steps - 1);
    counter_add(all, -(class_sampled < sampled ? class_sampled : sampled));
}

void slab_note_blocks(size_t bytes, size_t live_bytes)
{
    if (live_bytes < SLAB_FROM_BYTES)
        return;
    size_t most = slab_group_most(bytes);
    unsigned last = slab_steps(most);
    for (unsigned steps = slab_steps(most - SLAB_GROUP_BYTES) + 1; steps <= last; steps++)
        if (slab_class((size_t)steps << SLAB_STEP_SHIFT) == SLAB_NO_CLASS)
            set_class(steps, last - 1);
}
