#include "allocator/large.h"

#include "allocator/kept.h"

/* 128 records fill most of a page: a program with few large objects pays one page for them. */
enum { FIRST_SLOTS = 128 };
/* An object that had to grow gets this part of its size in addresses on top: growing step by step
 * then moves it a logarithmic number of times, and addresses hold no memory until written. */
enum { ROOM_SHIFT = 2 };
/* From so many bytes on a huge page that is not filled is a few per cent. */
#define HUGE_FROM ((size_t)16 << 20)
/* While there are fewer objects, each may be so many mappings to the kernel: see
 * LARGE_OBJECTS_MOST. */
enum { ASSEMBLED_MOST = 1024, PIECES_MOST = 8 };

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
        size_t distance =
            (slot - home_slot(large_objects.table[slot].start)) & (large_objects.slots - 1);
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

    if (large_objects.used == LARGE_OBJECTS_MOST)
        return false;
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

/* Whether an object gets a page fault for each 2 MiB instead of each 4 KiB.  A program that writes
 * little of a large object then holds up to 2 MiB more for it, so that only many bytes of large
 * objects, this one and the others, are worth it (EXPERIMENTS.md, "Huge pages for large objects").
 */
static bool is_huge(size_t bytes, size_t other_bytes)
{
    return bytes >= OS_HUGE_BYTES && other_bytes + bytes >= HUGE_FROM;
}

/* Takes a kept mapping; NULL where there is none, or a new one is better: what would be new in one
 * that is put together gets small pages. */
static void *reuse(size_t bytes, size_t align)
{
    if (align > os_page_bytes())
        return kept_take_aligned(bytes, align);
    if (is_huge(bytes, large_objects.live_bytes) && kept.bytes < bytes)
        return NULL;
    return kept_take(bytes, large_objects.used < ASSEMBLED_MOST ? PIECES_MOST : 1,
                     large_objects.live_bytes);
}

static void *map_new(size_t bytes, size_t align, bool in_huge_pages)
{
    kept_replace(bytes, large_objects.live_bytes);
    if (in_huge_pages && is_huge(bytes, large_objects.live_bytes)) {
        void *start = os_map(bytes, align > OS_HUGE_BYTES ? align : OS_HUGE_BYTES);
        if (start) {
            os_allow_huge(start, bytes);
            return start;
        }
    }
    return os_map(bytes, align);
}

void large_make_way(size_t bytes)
{
    lock_take(&large_objects.lock);
    kept_make_way(bytes);
    lock_drop(&large_objects.lock);
}

size_t large_decay(bool all)
{
    lock_take(&large_objects.lock);
    size_t given = kept_decay(all);
    lock_drop(&large_objects.lock);
    return given;
}

void *large_alloc(size_t bytes, size_t align, bool zeroed, const void *owner)
{
    struct large_record record = {.usable = os_round_to_page(bytes), .owner = owner};
    void *start = NULL;

    record.mapped = record.usable;
    lock_take(&large_objects.lock);
    if (make_room()) {
        /* Clearing used pages would touch all of a large array of which perhaps few are used. */
        if (!zeroed)
            start = reuse(record.mapped, align);
        /* Small pages for what is to be zero, for the same reason. */
        if (!start)
            start = map_new(record.mapped, align, !zeroed);
    }
    if (start) {
        record.start = (uintptr_t)start;
        put(&record);
        large_objects.used++;
        large_objects.live_bytes += record.usable;
    }
    lock_drop(&large_objects.lock);
    return start;
}

bool large_is_full(void)
{
    lock_take(&large_objects.lock);
    bool is_full = large_objects.used == LARGE_OBJECTS_MOST;
    lock_drop(&large_objects.lock);
    return is_full;
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

static size_t release(struct large_record *record)
{
    struct large_record freed = *record;

    drop(record);
    large_objects.live_bytes -= freed.usable;
    kept_put(freed.start, freed.mapped, large_objects.live_bytes);
    return freed.usable;
}

size_t large_free(void *start, const void *owner)
{
    lock_take(&large_objects.lock);
    struct large_record *record = find(start);
    size_t usable = record && record->owner == owner ? release(record) : 0;
    lock_drop(&large_objects.lock);
    return usable;
}

void large_free_all(const void *owner)
{
    lock_take(&large_objects.lock);
    /* Where a record goes another may move in, from behind. */
    for (size_t slot = 0; slot < large_objects.slots;) {
        struct large_record *record = &large_objects.table[slot];
        if (record->start && record->owner == owner)
            (void)release(record);
        else
            slot++;
    }
    lock_drop(&large_objects.lock);
}

/* How much to map for an object that grows to `usable` bytes. A huge page that only begins in the
 * object fills the room behind it as well, which is little enough only for the largest. */
static size_t with_room(size_t usable, bool in_huge_pages)
{
    bool has_room = !in_huge_pages || usable >= HUGE_FROM;

    return has_room ? os_round_to_page(usable + (usable >> ROOM_SHIFT)) : usable;
}

static void *grow(struct large_record *record, size_t usable)
{
    void *start = (void *)record->start;
    bool in_huge_pages = is_huge(usable, large_objects.live_bytes - record->usable);
    size_t wanted[] = {with_room(usable, in_huge_pages), usable};

    if (usable > record->mapped &&
        kept_take_at(record->start + record->mapped, usable - record->mapped))
        record->mapped = usable;
    if (usable <= record->mapped) {
        record->usable = usable;
        return start;
    }
    kept_replace(wanted[0] - record->mapped, large_objects.live_bytes);
    for (int i = 0; i < 2; i++) {
        void *moved = os_remap(start, record->mapped, wanted[i], in_huge_pages ? OS_HUGE_BYTES : 0);
        if (!moved)
            continue;
        if (in_huge_pages)
            os_allow_huge(moved, wanted[i]);
        struct large_record resized = {(uintptr_t)moved, usable, wanted[i], record->owner};
        drop(record);
        put(&resized);
        large_objects.used++;
        return moved;
    }
    return NULL;
}

/* The tail is kept: the object perhaps grows again, or another one needs pages. */
static void *shrink(struct large_record *record, size_t usable)
{
    uintptr_t end = record->start + usable;
    size_t tail = record->mapped - usable;

    record->usable = usable;
    record->mapped = usable;
    kept_put(end, tail, large_objects.live_bytes);
    return (void *)record->start;
}

void *large_resize(void *start, size_t bytes)
{
    size_t usable = os_round_to_page(bytes);
    void *resized = NULL;

    lock_take(&large_objects.lock);
    struct large_record *record = find(start);
    if (record) {
        size_t before = record->usable;
        if (usable == before)
            resized = start;
        else
            resized = usable < before ? shrink(record, usable) : grow(record, usable);
        if (resized)
            large_objects.live_bytes += usable - before;
    }
    lock_drop(&large_objects.lock);
    return resized;
}
