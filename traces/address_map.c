#include "traces/address_map.h"

#include <errno.h>
#include <stdlib.h>

#define SMALLEST_CAPACITY 64

/* Packed: padding would cost a fifth. */
struct slot {
    uint64_t address; /* 0: empty */
    uint64_t bytes;
    uint32_t object;
} __attribute__((packed, aligned(4)));

/* Invariant: between an address's home and its slot no slot is empty. */
struct address_map {
    struct slot *slots;
    size_t capacity;
    size_t count;
};

struct address_map *address_map_new(void)
{
    struct address_map *map = calloc(1, sizeof *map);
    if (!map)
        return NULL;
    map->capacity = SMALLEST_CAPACITY;
    map->slots = calloc(map->capacity, sizeof *map->slots);
    if (!map->slots) {
        free(map);
        return NULL;
    }
    return map;
}

void address_map_destroy(struct address_map *map)
{
    if (!map)
        return;
    free(map->slots);
    free(map);
}

size_t address_map_count(const struct address_map *map)
{
    return map->count;
}

/* Fibonacci hashing (Knuth, volume 3, section 6.4), its upper bits scaled to a capacity that need
 * not be a power of two (Lemire, "Fast random integer generation in an interval", 2019). */
static size_t home_of(const struct address_map *map, uint64_t address)
{
    uint64_t hash = address * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((unsigned __int128)hash * map->capacity >> 64);
}

static size_t next_slot(const struct address_map *map, size_t slot)
{
    return slot + 1 == map->capacity ? 0 : slot + 1;
}

/* The slot of `address`, or the empty one where it belongs. */
static size_t slot_of(const struct address_map *map, uint64_t address)
{
    size_t slot = home_of(map, address);
    while (map->slots[slot].address && map->slots[slot].address != address)
        slot = next_slot(map, slot);
    return slot;
}

/* By half, so that the map is more than half full after it grew. */
static int grow(struct address_map *map)
{
    struct address_map larger = {.capacity = map->capacity + map->capacity / 2,
                                 .count = map->count};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].address)
            larger.slots[slot_of(&larger, map->slots[i].address)] = map->slots[i];
    free(map->slots);
    *map = larger;
    return 0;
}

int address_map_add(struct address_map *map, uint64_t address, struct mapped_object object)
{
    if (map->count >= map->capacity / 5 * 4 && grow(map))
        return -ENOMEM;
    struct slot *slot = &map->slots[slot_of(map, address)];
    if (slot->address)
        return -EEXIST;
    *slot = (struct slot){.address = address, .bytes = object.bytes, .object = object.object};
    map->count++;
    return 0;
}

bool address_map_find(const struct address_map *map, uint64_t address, struct mapped_object *object)
{
    const struct slot *slot = &map->slots[slot_of(map, address)];
    if (!slot->address)
        return false;
    *object = (struct mapped_object){.bytes = slot->bytes, .object = slot->object};
    return true;
}

/* Moves later members of the probe sequence back until no invariant hangs on the gap. */
static void close_gap(struct address_map *map, size_t gap)
{
    for (size_t slot = next_slot(map, gap); map->slots[slot].address; slot = next_slot(map, slot)) {
        size_t home = home_of(map, map->slots[slot].address);
        /* Whether home lies cyclically in (gap, slot]: then this one may stay. */
        bool stays = gap < slot ? gap < home && home <= slot : gap < home || home <= slot;
        if (stays)
            continue;
        map->slots[gap] = map->slots[slot];
        gap = slot;
    }
    map->slots[gap].address = 0;
}

bool address_map_remove(struct address_map *map, uint64_t address, struct mapped_object *object)
{
    size_t slot = slot_of(map, address);
    if (!address || !map->slots[slot].address)
        return false;
    *object =
        (struct mapped_object){.bytes = map->slots[slot].bytes, .object = map->slots[slot].object};
    map->count--;
    close_gap(map, slot);
    return true;
}
