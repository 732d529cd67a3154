#include "allocator/front.h"

#include <string.h>

#include "allocator/counters.h"
#include "allocator/fault.h"

/* A bin starts small and doubles each time it runs empty or over, up to this many bytes or
 * objects: a class that is hardly used keeps hardly anything back. */
enum { FIRST_LIMIT = 4, MOST_BYTES = 8192 };

static void raise_limit(struct bin *bin, unsigned size_class)
{
    uint64_t most = MOST_BYTES / slab_class_bytes[size_class];
    uint64_t limit = bin->limit ? 2 * bin->limit : FIRST_LIMIT;

    if (most > FRONT_SLOTS)
        most = FRONT_SLOTS;
    bin->limit = limit < most ? limit : most;
}

static void add_net(struct bin *bin, int64_t objects)
{
    __atomic_store_n(&bin->net_refilled,
                     __atomic_load_n(&bin->net_refilled, __ATOMIC_RELAXED) + objects,
                     __ATOMIC_RELAXED);
}

static void add_word(struct bin *bin, uint64_t amount)
{
    __atomic_store_n(&bin->word, __atomic_load_n(&bin->word, __ATOMIC_RELAXED) + amount,
                     __ATOMIC_RELAXED);
}

void *front_refill(struct front *front, struct slab_set *set, unsigned size_class)
{
    struct bin *bin = &front->bins[size_class];

    raise_limit(bin, size_class);
    lock_take(&set->lock);
    unsigned got = slab_take(set, size_class, bin->slots, (unsigned)(bin->limit + 1) / 2);
    lock_drop(&set->lock);
    add_net(bin, got);
    add_word(bin, got);
    return front_pop(bin);
}

/* Puts `count` objects back, each to its owner, taking every owner's lock once. */
static void put_back(struct bin *bin, void **objects, unsigned count)
{
    unsigned left = count;

    while (left > 0) {
        struct slab_set *owner = slab_owner(objects[left - 1]);
        unsigned kept = 0;

        lock_take(&owner->lock);
        for (unsigned i = 0; i < left; i++) {
            if (slab_owner(objects[i]) == owner)
                slab_put(owner, objects[i]);
            else
                objects[kept++] = objects[i];
        }
        lock_drop(&owner->lock);
        left = kept;
    }
    add_net(bin, -(int64_t)count);
}

void front_spill(struct front *front, unsigned size_class, void *object)
{
    struct bin *bin = &front->bins[size_class];
    unsigned count = (unsigned)(bin->word & FRONT_INDEX_MASK);

    if (count > 0 && bin->slots[count - 1] == object)
        fault_die("double free", object);
    raise_limit(bin, size_class);
    if (count >= bin->limit) {
        /* The oldest go: they are the least likely to be in the processor's cache. */
        unsigned going = (count + 1) / 2;
        void *old[FRONT_SLOTS];
        memcpy(old, bin->slots, going * sizeof *old);
        memmove(bin->slots, bin->slots + going, (count - going) * sizeof *old);
        add_word(bin, -(uint64_t)going);
        put_back(bin, old, going);
    }
    (void)front_push(bin, object);
}

void front_flush(struct front *front)
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        struct bin *bin = &front->bins[c];
        unsigned count = (unsigned)(bin->word & FRONT_INDEX_MASK);

        if (count == 0)
            continue;
        add_word(bin, -(uint64_t)count);
        put_back(bin, bin->slots, count);
    }
}

void front_count(const struct front *front, struct counters *counters)
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        const struct bin *bin = &front->bins[c];
        uint64_t word = __atomic_load_n(&bin->word, __ATOMIC_RELAXED);
        uint64_t refilled = (uint64_t)__atomic_load_n(&bin->net_refilled, __ATOMIC_RELAXED);
        /* What is in the bin came from slabs or from frees, and left through allocations. */
        uint64_t allocations = word >> FRONT_INDEX_BITS;
        uint64_t frees = allocations + (word & FRONT_INDEX_MASK) - refilled;
        counters->allocations += allocations;
        counters->frees += frees;
        counters->allocated_bytes += allocations * slab_class_bytes[c];
        counters->freed_bytes += frees * slab_class_bytes[c];
    }
}
