#include "allocator/large.h"

/* 128 records fill most of a page: a program with few large objects pays one page for them. */
enum { FIRST_SLOTS = 128 };
/* An object that had to grow gets this part of its size in addresses on top: growing step by step
 * then moves it a logarithmic number of times, and addresses hold no memory until written. */
enum { ROOM_SHIFT = 2 };

struct large_objects large_objects;

static size_t hash(uintptr_t start)
{
    /* See priority() in tree.c; the shift keeps the bits that depend on the whole page number. */
    return (size_t)(((uint64_t)start >> 12) * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

static size_t next_slot(size_t slot)
{
    return (slot + 1) & (large_objects.slots - 1);
}

static size_t home_slot(uintptr_t start)
{
    return hash(start) & (large_objects.slots - 1);
}

static struct large_record *find(const void *start)
{
    if (!large_objects.table || !start)
        return NULL;

    size_t slot = home_slot((uintptr_t)start);
    while (large_objects.table[slot].start) {
        if (large_objects.table[slot].start == (uintptr_t)start)
            return &large_objects.table[slot];
        slot = next_slot(slot);
    }
    return NULL;
}

static void put(const struct large_record *record)
{
    size_t slot = home_slot(record->start);

    while (large_objects.table[slot].start)
        slot = next_slot(slot);
    large_objects.table[slot] = *record;
}

static void drop(struct large_record *record)
{
    size_t hole = (size_t)(record - large_objects.table);

    /* Records behind the hole move into it where their search would otherwise end there. */
    for (size_t slot = next_slot(hole); large_objects.table[slot].start; slot = next_slot(slot)) {
        size_t distance = (slot - home_slot(large_objects.table[slot].start)) &
                          (large_objects.slots - 1);
        if (distance >= ((slot - hole) & (large_objects.slots - 1))) {
            large_objects.table[hole] = large_objects.table[slot];
            hole = slot;
        }
    }
    large_objects.table[hole].start = 0;
    large_objects.used--;
}

static bool make_room(void)
{
    struct large_record *old = large_objects.table;
    size_t old_slots = large_objects.slots;

    if (2 * (large_objects.used + 1) <= old_slots)
        return true;
    size_t slots = old_slots ? 2 * old_slots : FIRST_SLOTS;
    struct large_record *table = os_map(slots * sizeof *table, 0);
    if (!table)
        return false;
    large_objects.table = table;
    large_objects.slots = slots;
    for (size_t slot = 0; slot < old_slots; slot++)
        if (old[slot].start)
            put(&old[slot]);
    if (old)
        os_unmap(old, old_slots * sizeof *old);
    return true;
}

static size_t round_to_page(size_t bytes)
{
    return (bytes + os_page_bytes() - 1) & ~(os_page_bytes() - 1);
}

void *large_alloc(size_t bytes, size_t align)
{
    struct large_record record = {.usable = round_to_page(bytes)};
    void *start = NULL;

    record.mapped = record.usable;
    lock_take(&large_objects.lock);
    if (make_room())
        start = os_map(record.mapped, align);
    if (start) {
        record.start = (uintptr_t)start;
        put(&record);
        large_objects.used++;
    }
    lock_drop(&large_objects.lock);
    return start;
}

size_t large_usable(const void *start)
{
    lock_take(&large_objects.lock);
    const struct large_record *record = find(start);
    size_t usable = record ? record->usable : 0;
    lock_drop(&large_objects.lock);
    return usable;
}

bool large_contains(const void *address)
{
    bool found = false;

    lock_take(&large_objects.lock);
    for (size_t slot = 0; slot < large_objects.slots && !found; slot++) {
        const struct large_record *record = &large_objects.table[slot];
        found = record->start && (uintptr_t)address - record->start < record->usable;
    }
    lock_drop(&large_objects.lock);
    return found;
}

size_t large_free(void *start)
{
    lock_take(&large_objects.lock);
    struct large_record *record = find(start);
    struct large_record freed = {0};
    if (record) {
        freed = *record;
        drop(record);
    }
    lock_drop(&large_objects.lock);
    if (freed.mapped)
        os_unmap(start, freed.mapped);
    return freed.usable;
}

static void *grow(struct large_record *record, size_t usable)
{
    size_t roomy = round_to_page(usable + (usable >> ROOM_SHIFT));
    void *start = (void *)record->start;
    size_t wanted[] = {roomy, usable};

    if (usable <= record->mapped) {
        record->usable = usable;
        return start;
    }
    for (int i = 0; i < 2; i++) {
        void *moved = os_remap(start, record->mapped, wanted[i], true);
        if (!moved)
            continue;
        struct large_record resized = {(uintptr_t)moved, usable, wanted[i]};
        drop(record);
        put(&resized);
        large_objects.used++;
        return moved;
    }
    return NULL;
}

/* Unmaps the tail; a shrunk object rarely grows again. */
static void *shrink(struct large_record *record, size_t usable)
{
    char *start = (char *)record->start;

    if (usable < record->mapped)
        os_unmap(start + usable, record->mapped - usable);
    record->usable = usable;
    record->mapped = usable;
    return start;
}

void *large_resize(void *start, size_t bytes)
{
    size_t usable = round_to_page(bytes);
    void *resized = NULL;

    lock_take(&large_objects.lock);
    struct large_record *record = find(start);
    if (record && usable == record->usable)
        resized = start;
    else if (record)
        resized = usable < record->usable ? shrink(record, usable) : grow(record, usable);
    lock_drop(&large_objects.lock);
    return resized;
}
