#include "allocator/large_set.h"

#include "allocator/base.h"

/* Less than a page of the base: a program with few large objects pays that for them. Other sets
 * than the first begin with the next size, in pages of their own. */
enum { FIRST_SLOTS = 64 };

struct large_set first_large_set, more_large_sets[KEPT_SETS - 1] COLD_DATA;

/* How many objects all sets may have without asking again; atomic.  They ask for many at a time,
 * for a line of the cache that all threads write costs each of them as much as all else here. */
static size_t reserved_count;
enum { RESERVED_AT_A_TIME = 64 };

static size_t hash(uintptr_t start)
{
    /* See priority() in tree.c; the shift keeps the bits that depend on the whole page number. */
    return (size_t)(((uint64_t)start >> 12) * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

static size_t next_slot(const struct large_set *set, size_t slot)
{
    return (slot + 1) & (set->slots - 1);
}

static size_t home_slot(const struct large_set *set, uintptr_t start)
{
    return hash(start) & (set->slots - 1);
}

struct large_record *large_set_find(const struct large_set *set, const void *start)
{
    if (!set->table || !start)
        return NULL;

    size_t slot = home_slot(set, (uintptr_t)start);
    while (set->table[slot].start) {
        if (set->table[slot].start == (uintptr_t)start)
            return &set->table[slot];
        slot = next_slot(set, slot);
    }
    return NULL;
}

static void put(struct large_set *set, const struct large_record *record)
{
    size_t slot = home_slot(set, record->start);

    while (set->table[slot].start)
        slot = next_slot(set, slot);
    set->table[slot] = *record;
}

void large_set_add(struct large_set *set, const struct large_record *record)
{
    put(set, record);
    set->used++;
}

void large_set_drop(struct large_set *set, struct large_record *record)
{
    size_t hole = (size_t)(record - set->table);

    /* Records behind the hole move into it where their search would otherwise end there. */
    for (size_t slot = next_slot(set, hole); set->table[slot].start; slot = next_slot(set, slot)) {
        size_t distance = (slot - home_slot(set, set->table[slot].start)) & (set->slots - 1);
        if (distance >= ((slot - hole) & (set->slots - 1))) {
            set->table[hole] = set->table[slot];
            hole = slot;
        }
    }
    set->table[hole].start = 0;
    set->used--;
    if (set->reserved >= set->used + 2 * RESERVED_AT_A_TIME) {
        set->reserved -= RESERVED_AT_A_TIME;
        __atomic_sub_fetch(&reserved_count, RESERVED_AT_A_TIME, __ATOMIC_RELAXED);
    }
}

bool large_set_is_full(void)
{
    return __atomic_load_n(&reserved_count, __ATOMIC_RELAXED) + RESERVED_AT_A_TIME >
           LARGE_OBJECTS_MOST;
}

bool large_set_is_used(void)
{
    return __atomic_load_n(&reserved_count, __ATOMIC_RELAXED) > 0;
}

static bool reserve(struct large_set *set)
{
    if (set->used < set->reserved)
        return true;
    if (large_set_is_full())
        return false;
    __atomic_add_fetch(&reserved_count, RESERVED_AT_A_TIME, __ATOMIC_RELAXED);
    set->reserved += RESERVED_AT_A_TIME;
    return true;
}

static unsigned index_of(const struct large_set *set)
{
    return set == &first_large_set ? 0 : 1 + (unsigned)(set - more_large_sets);
}

bool large_set_make_room(struct large_set *set)
{
    struct large_record *old = set->table;
    size_t old_slots = set->slots;

    if (!reserve(set))
        return false;
    if (2 * (set->used + 1) <= old_slots)
        return true;
    bool is_first = !old && set == &first_large_set;
    size_t slots = is_first ? FIRST_SLOTS : 2 * (old ? old_slots : FIRST_SLOTS);
    struct large_record *table =
        is_first ? base_take(slots * sizeof *table) : os_map(slots * sizeof *table, 0);
    if (!table)
        return false;
    if (!old)
        set->kept.set = index_of(set);
    set->table = table;
    set->slots = slots;
    for (size_t slot = 0; slot < old_slots; slot++)
        if (old[slot].start)
            put(set, &old[slot]);
    if (old_slots > FIRST_SLOTS)
        os_unmap(old, old_slots * sizeof *old);
    return true;
}

/* --- objects of several pieces --------------------------------------------------------------- */

/* Of the sets that came so far each later one has less. */
static uint32_t pieced_most(void)
{
    return LARGE_PIECED_MOST / places_used(&large_places);
}

bool large_set_has_pieced_entry(struct large_set *set)
{
    if (set->pieced_free > 0)
        return true;
    if (!set->pieced)
        set->pieced = os_map(LARGE_PIECED_MOST * sizeof *set->pieced, 0);
    return set->pieced && set->pieced_used < pieced_most();
}

void large_set_take_pieces(struct large_set *set, struct large_record *record,
                           const struct kept_pieces *pieces)
{
    record->id = pieces->ranges[0].id;
    record->pieced = 0;
    if (pieces->count < 2)
        return;
    if (set->pieced_free > 0) {
        record->pieced = set->pieced_free;
        set->pieced_free = set->pieced[record->pieced - 1].ranges[0].id;
    } else {
        record->pieced = ++set->pieced_used;
    }
    set->pieced[record->pieced - 1] = *pieces;
}

static struct kept_pieces *pieces_of(struct large_set *set, const struct large_record *record)
{
    return record->pieced ? &set->pieced[record->pieced - 1] : NULL;
}

static void forget_pieces(struct large_set *set, struct large_record *record)
{
    struct kept_pieces *pieces = pieces_of(set, record);

    record->id = pieces->ranges[0].id;
    pieces->ranges[0].id = set->pieced_free;
    set->pieced_free = record->pieced;
    record->pieced = 0;
}

struct kept_range large_set_last_range(struct large_set *set, const struct large_record *record)
{
    const struct kept_pieces *pieces = pieces_of(set, record);

    return pieces ? pieces->ranges[pieces->count - 1]
                  : (struct kept_range){record->start, record->mapped, record->id};
}

void large_set_resize_last(struct large_set *set, struct large_record *record, size_t bytes)
{
    struct kept_pieces *pieces = pieces_of(set, record);

    record->mapped += bytes - large_set_last_range(set, record).bytes;
    if (!pieces)
        return;
    pieces->ranges[pieces->count - 1].bytes = bytes;
    pieces->count -= bytes == 0;
    if (pieces->count < 2)
        forget_pieces(set, record);
}
