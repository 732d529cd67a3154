#include "allocator/slab_sets.h"

struct slab_set first_slab_set, more_slab_sets[SLAB_SETS - 1] COLD_DATA;
struct places first_slab_places, more_slab_places[SLAB_NODES - 1] COLD_DATA;
bool slab_sets_of_several_nodes;

void slab_sets_begin(unsigned node)
{
    unsigned none = 0;

    (void)__atomic_compare_exchange_n(&slab_places_of(node)->used, &none, 1, false,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    /* Heaps that are no thread's have the slabs of the first node. */
    if (node > 0)
        __atomic_store_n(&slab_sets_of_several_nodes, true, __ATOMIC_RELEASE);
}

unsigned slab_sets_used(unsigned node)
{
    unsigned used = __atomic_load_n(&slab_places_of(node)->used, __ATOMIC_ACQUIRE);

    /* Heaps that are no thread's have the first set. */
    return node == 0 && used == 0 ? 1 : used;
}

unsigned slab_sets_next(unsigned index)
{
    while (index < SLAB_SETS &&
           index % SLAB_SETS_PER_NODE >= slab_sets_used(index / SLAB_SETS_PER_NODE))
        index = (index / SLAB_SETS_PER_NODE + 1) * SLAB_SETS_PER_NODE;
    return index;
}

void slab_sets_decay(bool all)
{
    for (unsigned i = slab_sets_next(0); i < SLAB_SETS; i = slab_sets_next(i + 1))
        slab_decay(slab_set_at(i), all);
}
