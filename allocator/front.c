#include "allocator/front.h"

#include <string.h>

#include "allocator/counters.h"
#include "allocator/fault.h"

/* A bin starts with room for this many objects and doubles each time it runs empty or over, up to
 * its capacity: a class that is hardly used keeps hardly anything back. */
enum { FIRST_LIMIT = 4 };

static uint64_t get_top(const struct bin *bin)
{
    return __atomic_load_n(&bin->word, __ATOMIC_RELAXED) & FRONT_TOP_MASK;
}

static void set_top(struct bin *bin, uint64_t top)
{
    uint64_t word = __atomic_load_n(&bin->word, __ATOMIC_RELAXED) & ~FRONT_TOP_MASK;

    __atomic_store_n(&bin->word, word + top, __ATOMIC_RELAXED);
}

static size_t bottom_of(size_t slot)
{
    return offsetof(struct front, slots) + slot * FRONT_SLOT_BYTES;
}

/* Gives a bin its slots, above those of all lower classes. */
static void place_bin(struct front *front, unsigned size_class)
{
    struct bin *bin = &front->bins[size_class];
    size_t slot = 0;

    for (unsigned c = 0; c < size_class; c++)
        slot += front_capacity(c) + 1;
    bin->bottom = (uint16_t)bottom_of(slot);
    bin->limit = bin->bottom;
    set_top(bin, bin->bottom);
}

/* The slots of a bin's objects, the oldest first. */
static void **objects_of(struct front *front, const struct bin *bin)
{
    return front_slot(front, bin->bottom) + 1;
}

/* Returns how many objects the bin has room for now. */
static unsigned raise_limit(struct front *front, unsigned size_class)
{
    struct bin *bin = &front->bins[size_class];

    if (bin->bottom == 0)
        place_bin(front, size_class);
    unsigned room = (unsigned)(bin->limit - bin->bottom) / FRONT_SLOT_BYTES;
    unsigned wanted = room ? 2 * room : FIRST_LIMIT, most = front_capacity(size_class);
    room = wanted < most ? wanted : most;
    bin->limit = (uint16_t)(bin->bottom + room * FRONT_SLOT_BYTES);
    return room;
}

static void add_net(struct front *front, unsigned size_class, int64_t objects)
{
    int64_t *net = &front->net_refilled[size_class];

    __atomic_store_n(net, __atomic_load_n(net, __ATOMIC_RELAXED) + objects, __ATOMIC_RELAXED);
}

unsigned front_held(const struct front *front, unsigned size_class)
{
    const struct bin *bin = &front->bins[size_class];

    return (unsigned)(get_top(bin) - bin->bottom) / FRONT_SLOT_BYTES;
}

void *front_refill(struct front *front, struct slab_set *set, unsigned size_class)
{
    struct bin *bin = &front->bins[size_class];
    void *object;

    unsigned room = raise_limit(front, size_class);
    unsigned wanted = room / 2;
    /* Threads whose objects share a cache line slow each other down. */
    if (!os_is_single_threaded() && wanted * slab_class_bytes(size_class) < CACHE_LINE_BYTES)
        wanted = room;
    lock_take(&set->classes[size_class].lock);
    unsigned got = slab_take(set, size_class, objects_of(front, bin), wanted);
    lock_drop(&set->classes[size_class].lock);
    add_net(front, size_class, got);
    set_top(bin, bin->bottom + got * (uint64_t)FRONT_SLOT_BYTES);
    return front_pop(front, size_class, &object) ? object : NULL;
}

/* Puts `count` objects back, each to its owner, taking a lock of every owner once. */
static void put_back(struct front *front, unsigned size_class, void **objects, unsigned count)
{
    for (unsigned left = count; left > 0;) {
        struct slab_set *owner = slab_owner(objects[left - 1]);
        lock_take(&owner->classes[size_class].lock);
        left = slab_put(owner, size_class, objects, left);
        lock_drop(&owner->classes[size_class].lock);
    }
    add_net(front, size_class, -(int64_t)count);
}

void front_spill(struct front *front, unsigned size_class, void *object)
{
    struct bin *bin = &front->bins[size_class];
    unsigned count = front_held(front, size_class);
    void **slots = objects_of(front, bin);

    if (count > 0 && slots[count - 1] == object)
        fault_die("double free", object);
    (void)raise_limit(front, size_class);
    if (get_top(bin) >= bin->limit) {
        /* The oldest go: they are the least likely to be in the processor's cache. */
        unsigned going = (count + 1) / 2;
        void *old[FRONT_MOST_OBJECTS];
        memcpy(old, slots, going * sizeof *old);
        /* Empty meanwhile: a child that is forked now must not find an object twice. */
        set_top(bin, bin->bottom);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        memmove(slots, slots + going, (count - going) * sizeof *old);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        set_top(bin, bin->bottom + (count - going) * (uint64_t)FRONT_SLOT_BYTES);
        put_back(front, size_class, old, going);
    }
    (void)front_push(front, size_class, object);
}

void front_flush(struct front *front)
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        struct bin *bin = &front->bins[c];
        unsigned count = front_held(front, c);

        if (count == 0)
            continue;
        set_top(bin, bin->bottom);
        put_back(front, c, objects_of(front, bin), count);
    }
}

void front_repair(struct front *front)
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        struct bin *bin = &front->bins[c];
        if (bin->bottom == 0 || get_top(bin) < bin->bottom)
            set_top(bin, bin->bottom);
    }
}

void front_count(const struct front *front, struct counters *counters)
{
    /* Not read from the bin, which its owner may be placing. */
    size_t slot = 0;

    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        uint64_t word = __atomic_load_n(&front->bins[c].word, __ATOMIC_RELAXED);
        uint64_t top = word & FRONT_TOP_MASK;
        uint64_t refilled = (uint64_t)__atomic_load_n(&front->net_refilled[c], __ATOMIC_RELAXED);
        /* What is in the bin came from slabs or from frees, and left through allocations. */
        uint64_t allocations = word >> FRONT_TOP_BITS;
        uint64_t held = top ? (top - bottom_of(slot)) / FRONT_SLOT_BYTES : 0;
        uint64_t frees = allocations + held - refilled;
        counters->allocations += allocations;
        counters->frees += frees;
        counters->allocated_bytes += allocations * slab_class_bytes(c);
        counters->freed_bytes += frees * slab_class_bytes(c);
        slot += front_capacity(c) + 1;
    }
}
