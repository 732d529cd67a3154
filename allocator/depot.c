#include "allocator/depot.h"

#include <string.h>

#include "allocator/base.h"

struct depot depot;

void depot_serve(struct slab_set *set)
{
    if (!depot.set)
        __atomic_store_n(&depot.set, set, __ATOMIC_RELEASE);
    else if (depot.set != set)
        __atomic_store_n(&depot.is_closed, true, __ATOMIC_RELEASE);
}

static bool serves(const struct slab_set *set)
{
    return __atomic_load_n(&depot.set, __ATOMIC_RELAXED) == set;
}

static unsigned capacity_of(unsigned size_class)
{
    size_t objects = DEPOT_BYTES / slab_class_bytes(size_class);

    return objects < DEPOT_OBJECTS ? (unsigned)objects : DEPOT_OBJECTS;
}

/* Makes room for what the depot may hold of a class. */
static bool has_objects(unsigned size_class)
{
    void ***objects = &depot.objects[size_class];

    if (!*objects)
        *objects = base_take(capacity_of(size_class) * sizeof **objects);
    return *objects != NULL;
}

static void set_count(unsigned size_class, unsigned count)
{
    __atomic_store_n(&depot.counts[size_class], (uint16_t)count, __ATOMIC_RELAXED);
}

unsigned depot_put(struct slab_set *set, unsigned size_class, void *const *objects, unsigned count)
{
    /* An object of another set can only come from a heap whose creation closed the depot. */
    if (!serves(set) || __atomic_load_n(&depot.is_closed, __ATOMIC_RELAXED))
        return 0;
    lock_take(&set->classes[size_class].lock);
    unsigned before = depot.counts[size_class];
    unsigned room = has_objects(size_class) ? capacity_of(size_class) - before : 0;
    unsigned put = count < room ? count : room;
    if (put > 0) {
        memcpy(&depot.objects[size_class][before], objects + count - put, put * sizeof *objects);
        set_count(size_class, before + put);
    }
    lock_drop(&set->classes[size_class].lock);
    return put;
}

unsigned depot_take(struct slab_set *set, unsigned size_class, void **objects, unsigned count)
{
    unsigned held = serves(set) ? depot.counts[size_class] : 0;

    if (held == 0)
        return 0;
    if (count > held)
        count = held;
    held -= count;
    memcpy(objects, &depot.objects[size_class][held], count * sizeof *objects);
    set_count(size_class, held);
    if (depot.leasts[size_class] > held)
        depot.leasts[size_class] = (uint16_t)held;
    return count;
}

static void decay_class(struct slab_set *set, unsigned size_class, bool all)
{
    struct lock *lock = &set->classes[size_class].lock;

    lock_take(lock);
    unsigned held = depot.counts[size_class];
    unsigned going = all ? held : depot.leasts[size_class];
    if (going > 0) {
        /* The oldest. */
        void **objects = depot.objects[size_class];
        (void)slab_put(set, size_class, objects, going);
        held -= going;
        memmove(objects, objects + going, held * sizeof *objects);
        set_count(size_class, held);
    }
    depot.leasts[size_class] = (uint16_t)held;
    lock_drop(lock);
}

void depot_decay(bool all)
{
    struct slab_set *set = __atomic_load_n(&depot.set, __ATOMIC_ACQUIRE);

    for (unsigned c = 0; c < SLAB_CLASSES && set; c++)
        if (__atomic_load_n(&depot.counts[c], __ATOMIC_RELAXED) > 0)
            decay_class(set, c, all);
}
