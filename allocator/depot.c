#include "allocator/depot.h"

#include <string.h>

#include "allocator/base.h"

struct depot first_depot, more_depots[SLAB_SETS - 1] COLD_DATA;

/* NULL for an instance's set. */
static struct depot *depot_of(const struct slab_set *set)
{
    unsigned index = slab_set_index(set);

    if (index == SLAB_SETS)
        return NULL;
    return index == 0 ? &first_depot : &more_depots[index - 1];
}

static unsigned capacity_of(unsigned size_class)
{
    size_t objects = DEPOT_BYTES / slab_class_bytes(size_class);

    return objects < DEPOT_OBJECTS ? (unsigned)objects : DEPOT_OBJECTS;
}

/* What the classes up to this one need. */
static size_t bytes_below(unsigned size_class)
{
    size_t objects = 0;

    for (unsigned c = 0; c < size_class; c++)
        objects += capacity_of(c);
    return objects * sizeof(void *);
}

/* Memory for all classes of a depot; the first one's has room for other things, too. Their locks
 * are not one, so that two of them may try at the same time. */
static char *take_memory(struct depot *depot)
{
    char *memory = __atomic_load_n(&depot->memory, __ATOMIC_ACQUIRE);

    if (memory)
        return memory;
    size_t bytes = bytes_below(SLAB_CLASSES);
    char *fresh = depot == &first_depot ? base_start() : os_map(bytes, 0);
    if (!fresh || __atomic_compare_exchange_n(&depot->memory, &memory, fresh, false,
                                              __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    if (depot != &first_depot)
        os_unmap(fresh, bytes);
    return memory;
}

/* Makes room for what the depot may hold of a class. */
static bool has_objects(struct depot *depot, unsigned size_class)
{
    if (depot->places[size_class] != 0)
        return true;
    char *memory = take_memory(depot);
    if (!memory)
        return false;
    char *objects = memory + bytes_below(size_class);
    if (depot == &first_depot)
        objects = base_take(capacity_of(size_class) * sizeof(void *));
    if (objects)
        depot->places[size_class] = (uint16_t)(1 + (size_t)(objects - memory) / sizeof(void *));
    return objects != NULL;
}

static void set_count(struct depot *depot, unsigned size_class, unsigned count)
{
    __atomic_store_n(&depot->counts[size_class], (uint16_t)count, __ATOMIC_RELAXED);
}

unsigned depot_put(struct slab_set *set, unsigned size_class, void *const *objects, unsigned count)
{
    struct depot *depot = depot_of(set);

    /* Heaps of two nodes would hand each other memory of the wrong one. */
    if (!depot || __atomic_load_n(&slab_sets_of_several_nodes, __ATOMIC_RELAXED))
        return 0;
    lock_take(&set->classes[size_class].lock);
    unsigned before = depot->counts[size_class];
    unsigned room = has_objects(depot, size_class) ? capacity_of(size_class) - before : 0;
    unsigned put = count < room ? count : room;
    if (put > 0) {
        memcpy(depot_objects(depot, size_class) + before, objects + count - put,
               put * sizeof *objects);
        set_count(depot, size_class, before + put);
    }
    lock_drop(&set->classes[size_class].lock);
    return put;
}

unsigned depot_take(struct slab_set *set, unsigned size_class, void **objects, unsigned count)
{
    struct depot *depot = depot_of(set);
    unsigned held = depot ? depot->counts[size_class] : 0;

    if (held == 0)
        return 0;
    if (count > held)
        count = held;
    held -= count;
    memcpy(objects, depot_objects(depot, size_class) + held, count * sizeof *objects);
    set_count(depot, size_class, held);
    if (depot->leasts[size_class] > held)
        depot->leasts[size_class] = (uint16_t)held;
    return count;
}

static void decay_class(struct slab_set *set, struct depot *depot, unsigned size_class, bool all)
{
    void *old[DEPOT_OBJECTS];

    lock_take(&set->classes[size_class].lock);
    unsigned held = depot->counts[size_class];
    unsigned going = all ? held : depot->leasts[size_class];
    if (going > 0) {
        /* The oldest. */
        void **objects = depot_objects(depot, size_class);
        memcpy(old, objects, going * sizeof *old);
        held -= going;
        memmove(objects, objects + going, held * sizeof *objects);
        set_count(depot, size_class, held);
    }
    depot->leasts[size_class] = (uint16_t)held;
    lock_drop(&set->classes[size_class].lock);
    slab_put_back(size_class, old, going);
}

static void decay_set(struct slab_set *set, bool all)
{
    struct depot *depot = depot_of(set);

    for (unsigned c = 0; c < SLAB_CLASSES; c++)
        if (__atomic_load_n(&depot->counts[c], __ATOMIC_RELAXED) > 0)
            decay_class(set, depot, c, all);
}

void depot_decay(bool all)
{
    for (unsigned i = slab_sets_next(0); i < SLAB_SETS; i = slab_sets_next(i + 1))
        decay_set(slab_set_at(i), all);
}
