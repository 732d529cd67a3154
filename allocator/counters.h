/* What a heap counts; see mem_stats_t. */
#ifndef ALLOCATOR_COUNTERS_H
#define ALLOCATOR_COUNTERS_H

#include <stddef.h>

struct counters {
    size_t allocated_bytes, freed_bytes;
    size_t allocations, frees;
};

/* For counters with one writer that others read meanwhile. */
static inline void counter_add(size_t *counter, size_t amount)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + amount,
                     __ATOMIC_RELAXED);
}

static inline size_t counter_get(const size_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
