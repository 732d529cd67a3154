#include "allocator/slab_sets.h"

struct slab_set first_slab_set, more_slab_sets[SLAB_SETS - 1] COLD_DATA;
struct places first_slab_places, more_slab_places[SLAB_NODES - 1] COLD_DATA;

void slab_sets_begin(unsigned node)
{
    unsigned none = 0;

    (void)__atomic_compare_exchange_n(&slab_places_of(node)->used, &none, 1, false,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

unsigned slab_sets_used(unsigned node)
{
    unsigned used = __atomic_load_n(&slab_places_of(node)->used, __ATOMIC_ACQUIRE);

    /* Heaps that are no thread's have the first set. */
    return node == 0 && used == 0 ? 1 : used;
}

void slab_sets_decay(bool all)
{
    for (unsigned node = 0; node < SLAB_NODES; node++)
        for (unsigned place = 0; place < slab_sets_used(node); place++)
            slab_decay(slab_set_of(node, place), all);
}
