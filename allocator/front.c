#include "allocator/front.h"

#include <string.h>

#include "allocator/counters.h"
#include "allocator/depot.h"
#include "allocator/fault.h"

/* A bin starts with room for this many objects and doubles each time it runs empty or over, up to
 * its capacity: a class that is hardly used keeps hardly anything back. */
enum { FIRST_LIMIT = 4 };
/* Refills and spills between two looks for bins that are idle: more often costs more than it saves,
 * most of all where threads hand objects to each other (EXPERIMENTS.md, "What a bin holds"). */
enum { CALLS_PER_LOOK = 16, CALLS_PER_LOOK_SHARED = 32 }; /* powers of two */
/* After so many looks bins need new reasons to hold what they do. */
enum { LOOKS_PER_RELIEF = 64 }; /* a power of two */

static uint64_t get_top(const struct front *front, unsigned kind)
{
    return __atomic_load_n(&front->words[kind], __ATOMIC_RELAXED) & FRONT_TOP_MASK;
}

/* Whoever sees the new top sees the bottom that it refers to. */
static void set_top(struct front *front, unsigned kind, uint64_t top)
{
    uint64_t word = __atomic_load_n(&front->words[kind], __ATOMIC_RELAXED) & ~FRONT_TOP_MASK;

    __atomic_store_n(&front->words[kind], word + top, __ATOMIC_RELEASE);
}

static uint64_t top_for(const struct front *front, unsigned kind, unsigned count)
{
    return front->bottoms[kind] + count * (uint64_t)FRONT_SLOT_BYTES;
}

/* A table, because a division takes as long as the rest of most refills. */
#define CAPACITY(steps)                                       \
    (uint8_t)((steps) << SLAB_STEP_SHIFT <= FRONT_SMALL_BYTES \
                  ? FRONT_MOST_OBJECTS                        \
                  : FRONT_MOST_BYTES / ((steps) << SLAB_STEP_SHIFT))
#define CAPACITIES_4(steps) \
    CAPACITY(steps), CAPACITY((steps) + 1), CAPACITY((steps) + 2), CAPACITY((steps) + 3)
#define CAPACITIES_16(steps)                                                   \
    CAPACITIES_4(steps), CAPACITIES_4((steps) + 4), CAPACITIES_4((steps) + 8), \
        CAPACITIES_4((steps) + 12)
HOT_CONSTANTS const uint8_t front_capacities[SLAB_CLASSES] = {CAPACITIES_16(1), CAPACITIES_16(17),
                                                              CAPACITIES_16(33), CAPACITIES_16(49)};

static bool is_wide(const struct front *front, unsigned kind)
{
    return front->bottoms[kind] >= FRONT_WIDE_AT;
}

/* What a bin that is not wide takes: what it may hold, and its bottom. */
static unsigned narrow_slots(unsigned kind)
{
    return front_capacities[kind - UNIT_SLAB] + 1u;
}

/* The most objects that a wide bin holds. */
static unsigned wide_capacity(unsigned kind)
{
    return kind < UNIT_SLAB + FRONT_SMALL_CLASSES ? FRONT_MOST_SMALL : FRONT_MOST_OBJECTS;
}

static unsigned places_for(const struct front *front, unsigned kind)
{
    return is_wide(front, kind) ? wide_capacity(kind) : front_capacities[kind - UNIT_SLAB];
}

/* Gives a bin, which is empty, the slots from `bottom` on. */
static void move_bin(struct front *front, unsigned kind, size_t bottom)
{
    *front_slot(front, bottom) = NULL;
    __atomic_store_n(&front->bottoms[kind], (uint16_t)bottom, __ATOMIC_RELAXED);
    /* Not before the bottom: a child that is forked now would fill the bin beyond its slots. */
    __atomic_store_n(&front->limits[kind], (uint16_t)bottom, __ATOMIC_RELEASE);
    set_top(front, kind, bottom);
}

static void place_bin(struct front *front, unsigned kind)
{
    size_t bottom = FRONT_SLOTS_AT + front->slots_used * (size_t)FRONT_SLOT_BYTES;

    front->slots_used = (uint16_t)(front->slots_used + narrow_slots(kind));
    move_bin(front, kind, bottom);
}

static void widen_bin(struct front *front, unsigned kind)
{
    unsigned before = kind - UNIT_SLAB;
    unsigned small = before < FRONT_SMALL_CLASSES ? before : FRONT_SMALL_CLASSES;
    unsigned slots = small * (FRONT_MOST_SMALL + 1) + (before - small) * (FRONT_MOST_OBJECTS + 1);

    move_bin(front, kind, FRONT_WIDE_AT + slots * FRONT_SLOT_BYTES);
}

/* The most objects that a bin should hold now. */
static unsigned most_for(const struct front *front, const struct slab_set *set, unsigned kind)
{
    unsigned size_class = kind - UNIT_SLAB;
    size_t object_bytes = slab_class_bytes(size_class);
    size_t slabs_bytes = slab_class_units(set, size_class) << UNIT_SHIFT;
    unsigned least = (unsigned)front_capacities[size_class] << front->pressed[size_class];
    unsigned most = wide_capacity(kind);
    bool is_shared = !os_is_single_threaded();
    size_t part_bytes = slabs_bytes >> (is_shared ? FRONT_PART_SHIFT_SHARED : FRONT_PART_SHIFT);

    if (is_shared && object_bytes > FRONT_SMALL_BYTES &&
        least * object_bytes > slabs_bytes >> FRONT_LEAST_PART_SHIFT_SHARED)
        least /= 2;
    if (least >= most)
        return most;
    if (part_bytes <= least * object_bytes)
        return least;
    if (part_bytes >= most * object_bytes)
        return most;
    return (uint32_t)part_bytes / (uint32_t)object_bytes;
}

/* The slots of a bin's objects, the oldest first. */
static void **objects_of(struct front *front, unsigned kind)
{
    return front_slot(front, front->bottoms[kind]) + 1;
}

/* How many objects a bin may hold now. */
static unsigned get_room(const struct front *front, unsigned kind)
{
    return (unsigned)(front->limits[kind] - front->bottoms[kind]) / FRONT_SLOT_BYTES;
}

static void set_room(struct front *front, unsigned kind, unsigned objects)
{
    front->limits[kind] = (uint16_t)top_for(front, kind, objects);
}

/* Returns how many objects the bin has room for now, which may be fewer than it holds. */
static unsigned raise_limit(struct front *front, const struct slab_set *set, unsigned kind)
{
    if (front->bottoms[kind] == 0)
        place_bin(front, kind);
    unsigned room = get_room(front, kind);
    unsigned wanted = room ? 2 * room : FIRST_LIMIT, most = most_for(front, set, kind);
    room = wanted < most ? wanted : most;
    if (room > places_for(front, kind)) {
        if (get_top(front, kind) == front->bottoms[kind])
            widen_bin(front, kind);
        else
            room = places_for(front, kind);
    }
    set_room(front, kind, room);
    return room;
}

static void add_net(struct front *front, unsigned size_class, int64_t objects)
{
    int64_t *net = &front->net_refilled[size_class];

    __atomic_store_n(net, __atomic_load_n(net, __ATOMIC_RELAXED) + objects, __ATOMIC_RELAXED);
}

unsigned front_held(const struct front *front, unsigned kind)
{
    return (unsigned)(get_top(front, kind) - front->bottoms[kind]) / FRONT_SLOT_BYTES;
}

static void flush_bin(struct front *front, unsigned kind)
{
    unsigned count = front_held(front, kind);

    if (count == 0)
        return;
    set_top(front, kind, front->bottoms[kind]);
    add_net(front, kind - UNIT_SLAB, -(int64_t)count);
    slab_put_back(kind - UNIT_SLAB, objects_of(front, kind), count);
}

static uint16_t allocations_of(const struct front *front, unsigned size_class)
{
    return (uint16_t)(front->words[UNIT_SLAB + size_class] >> FRONT_TOP_BITS);
}

/* Puts the bins back from which nothing was allocated, and which did not run over, since the last
 * look; they may hold a quarter of what they did. */
static void flush_idle(struct front *front)
{
    unsigned period = os_is_single_threaded() ? CALLS_PER_LOOK : CALLS_PER_LOOK_SHARED;

    if (++front->calls & (period - 1))
        return;
    bool relieves = (front->calls & (LOOKS_PER_RELIEF * period - 1)) == 0;
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        unsigned kind = UNIT_SLAB + c;
        if (front->bottoms[kind] == 0)
            continue;
        uint16_t allocations = allocations_of(front, c);
        if (allocations == front->seen[c]) {
            flush_bin(front, kind);
            set_room(front, kind, get_room(front, kind) / 4);
            front->pressed[c] = 0;
            front->turns[c] = 0;
        } else if (relieves && front->pressed[c] > 0) {
            front->pressed[c]--;
        }
        front->seen[c] = allocations;
    }
}

static void press(struct front *front, unsigned size_class)
{
    if (front->pressed[size_class] < FRONT_MOST_PRESSED)
        front->pressed[size_class]++;
}

/* A bin runs over, or empty: what it puts back and takes again costs more than holding it. Where
 * there are several threads the depot holds that, unless many of them have depots of their own, of
 * which nobody else has anything. */
static void note_turn(struct front *front, unsigned size_class, bool runs_over)
{
    uint8_t *turns = &front->turns[size_class];
    bool is_single = os_is_single_threaded();

    if (runs_over == *turns % 2)
        return;
    *turns = (uint8_t)((*turns + 1) % (is_single ? FRONT_TURNS : FRONT_TURNS_IN_CROWD));
    if (*turns == 0 && (is_single || places_are_crowded()))
        press(front, size_class);
}

void *front_refill(struct front *front, struct slab_set *set, unsigned size_class)
{
    unsigned kind = UNIT_SLAB + size_class;
    void *object;

    note_turn(front, size_class, false);
    unsigned room = raise_limit(front, set, kind);
    unsigned wanted = room / 2;
    /* Threads whose objects share a cache line slow each other down. */
    if (!os_is_single_threaded() && wanted * slab_class_bytes(size_class) < CACHE_LINE_BYTES)
        wanted = room;
    if (lock_take_waits(&set->classes[size_class].lock)) {
        front->is_crowded |= front->pressed[size_class] == FRONT_MOST_PRESSED;
        press(front, size_class);
    }
    unsigned got = depot_take(set, size_class, objects_of(front, kind), wanted);
    if (got == 0)
        got = slab_take(set, size_class, objects_of(front, kind), wanted);
    lock_drop(&set->classes[size_class].lock);
    add_net(front, size_class, got);
    set_top(front, kind, top_for(front, kind, got));
    if (!front_pop(front, size_class, &object))
        return NULL;
    flush_idle(front);
    return object;
}

/* Whose depot is to have an object that a heap of `set` gives up: that of its owner, who may well
 * want it again. */
static struct slab_set *depot_set(struct slab_set *set, const void *object)
{
    return slab_sets_are_several() ? slab_owner(object) : set;
}

void front_spill(struct front *front, struct slab_set *set, unsigned kind, void *object)
{
    unsigned size_class = kind - UNIT_SLAB;
    unsigned count = front_held(front, kind);
    void **slots = objects_of(front, kind);

    if (count > 0 && slots[count - 1] == object)
        fault_die("double free", object);
    unsigned room = raise_limit(front, set, kind);
    if (count >= room) {
        note_turn(front, size_class, true);
        /* The oldest go: they are the least likely to be in the processor's cache. */
        unsigned going = count - room / 2;
        void *old[FRONT_MOST_SMALL];
        memcpy(old, slots, going * sizeof *old);
        /* Empty meanwhile: a child that is forked now must not find an object twice. */
        set_top(front, kind, front->bottoms[kind]);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        memmove(slots, slots + going, (count - going) * sizeof *old);
        set_top(front, kind, top_for(front, kind, count - going));
        add_net(front, size_class, -(int64_t)going);
        if (!os_is_single_threaded())
            going -= depot_put(depot_set(set, old[going - 1]), size_class, old, going);
        slab_put_back(size_class, old, going);
    }
    (void)front_push(front, kind, object);
    /* One that only frees is not idle. */
    front->seen[size_class] = (uint16_t)(allocations_of(front, size_class) - 1);
    flush_idle(front);
}

void front_flush(struct front *front)
{
    for (unsigned kind = UNIT_SLAB; kind < UNIT_SLAB + SLAB_CLASSES; kind++)
        flush_bin(front, kind);
}

void front_repair(struct front *front)
{
    front->slots_used = 0;
    for (unsigned kind = UNIT_SLAB; kind < UNIT_SLAB + SLAB_CLASSES; kind++) {
        uint16_t bottom = front->bottoms[kind];
        if (bottom == 0)
            continue;
        if (get_top(front, kind) < bottom)
            set_top(front, kind, bottom);
        if (front->limits[kind] < bottom)
            front->limits[kind] = bottom;
        unsigned end = (unsigned)(bottom - FRONT_SLOTS_AT) / FRONT_SLOT_BYTES + narrow_slots(kind);
        /* Where one that is wide now lay before is free again. */
        if (!is_wide(front, kind) && front->slots_used < end)
            front->slots_used = (uint16_t)end;
    }
}

void front_count(const struct front *front, struct counters *counters)
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        uint64_t bottom, word;
        do {
            bottom = __atomic_load_n(&front->bottoms[UNIT_SLAB + c], __ATOMIC_RELAXED);
            word = __atomic_load_n(&front->words[UNIT_SLAB + c], __ATOMIC_ACQUIRE);
        } while (bottom != __atomic_load_n(&front->bottoms[UNIT_SLAB + c], __ATOMIC_RELAXED));
        uint64_t top = word & FRONT_TOP_MASK;
        uint64_t refilled = (uint64_t)__atomic_load_n(&front->net_refilled[c], __ATOMIC_RELAXED);
        /* What is in the bin came from slabs or from frees, and left through allocations. */
        uint64_t allocations = word >> FRONT_TOP_BITS;
        /* A bin that moves is empty, and moves upwards. */
        uint64_t in_bin = top > bottom ? (top - bottom) / FRONT_SLOT_BYTES : 0;
        uint64_t known = allocations + in_bin;
        /* What is just on its way from the slabs counts as refilled before it is in the bin. */
        uint64_t frees = (int64_t)(known - refilled) > 0 ? known - refilled : 0;
        counters->allocations += allocations;
        counters->frees += frees;
        counters->allocated_bytes += allocations * slab_class_bytes(c);
        counters->freed_bytes += frees * slab_class_bytes(c);
    }
}
