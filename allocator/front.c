#include "allocator/front.h"

#include <string.h>

#include "allocator/counters.h"
#include "allocator/fault.h"

/* A bin starts small and doubles each time it runs empty or over, up to this many bytes or
 * objects: a class that is hardly used keeps hardly anything back. */
enum { FIRST_LIMIT = 4, MOST_BYTES = 8192 };

static void raise_limit(struct bin *bin, unsigned size_class)
{
    uint64_t most = MOST_BYTES / slab_class_bytes(size_class);
    uint64_t limit = bin->limit ? 2 * bin->limit / FRONT_SLOT_BYTES : FIRST_LIMIT;

    if (most > FRONT_SLOTS)
        most = FRONT_SLOTS;
    bin->limit = (limit < most ? limit : most) * FRONT_SLOT_BYTES;
}

static unsigned count_of(const struct bin *bin)
{
    uint64_t word = __atomic_load_n(&bin->word, __ATOMIC_RELAXED);

    return (unsigned)(word & FRONT_HEIGHT_MASK) / FRONT_SLOT_BYTES;
}

static void add_net(struct bin *bin, int64_t objects)
{
    __atomic_store_n(&bin->net_refilled,
                     __atomic_load_n(&bin->net_refilled, __ATOMIC_RELAXED) + objects,
                     __ATOMIC_RELAXED);
}

static void set_count(struct bin *bin, unsigned count)
{
    uint64_t word = __atomic_load_n(&bin->word, __ATOMIC_RELAXED) & ~FRONT_HEIGHT_MASK;

    __atomic_store_n(&bin->word, word + count * (uint64_t)FRONT_SLOT_BYTES, __ATOMIC_RELAXED);
}

unsigned front_held(const struct front *front, unsigned size_class)
{
    return count_of(&front->bins[size_class]);
}

void *front_refill(struct front *front, struct slab_set *set, unsigned size_class)
{
    struct bin *bin = &front->bins[size_class];
    void *object;

    raise_limit(bin, size_class);
    unsigned wanted = (unsigned)bin->limit / FRONT_SLOT_BYTES / 2;
    lock_take(&set->lock);
    unsigned got = slab_take(set, size_class, bin->slots, wanted);
    lock_drop(&set->lock);
    add_net(bin, got);
    set_count(bin, got);
    return front_pop(bin, &object) ? object : NULL;
}

/* Puts `count` objects back, each to its owner, taking every owner's lock once. */
static void put_back(struct bin *bin, unsigned size_class, void **objects, unsigned count)
{
    for (unsigned left = count; left > 0;) {
        struct slab_set *owner = slab_owner(objects[left - 1]);
        lock_take(&owner->lock);
        left = slab_put(owner, size_class, objects, left);
        lock_drop(&owner->lock);
    }
    add_net(bin, -(int64_t)count);
}

void front_spill(struct front *front, unsigned size_class, void *object)
{
    struct bin *bin = &front->bins[size_class];
    unsigned count = count_of(bin);

    if (count > 0 && bin->slots[count - 1] == object)
        fault_die("double free", object);
    raise_limit(bin, size_class);
    if (count * FRONT_SLOT_BYTES >= bin->limit) {
        /* The oldest go: they are the least likely to be in the processor's cache. */
        unsigned going = (count + 1) / 2;
        void *old[FRONT_SLOTS];
        memcpy(old, bin->slots, going * sizeof *old);
        memmove(bin->slots, bin->slots + going, (count - going) * sizeof *old);
        set_count(bin, count - going);
        put_back(bin, size_class, old, going);
    }
    (void)front_push(bin, object);
}

void front_flush(struct front *front)
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        struct bin *bin = &front->bins[c];
        unsigned count = count_of(bin);

        if (count == 0)
            continue;
        set_count(bin, 0);
        put_back(bin, c, bin->slots, count);
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
        uint64_t held = (word & FRONT_HEIGHT_MASK) / FRONT_SLOT_BYTES;
        uint64_t frees = allocations + held - refilled;
        counters->allocations += allocations;
        counters->frees += frees;
        counters->allocated_bytes += allocations * slab_class_bytes(c);
        counters->freed_bytes += frees * slab_class_bytes(c);
    }
}
