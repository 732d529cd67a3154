#include "allocator/large.h"

#include <string.h>

#include "allocator/base.h"
#include "allocator/zone.h"

/* Less than a page of the base: a program with few large objects pays that for them. */
enum { FIRST_SLOTS = 64 };
/* An object that had to grow gets this part of its size in addresses on top: growing step by step
 * then moves it a logarithmic number of times, and addresses hold no memory until written. */
enum { ROOM_SHIFT = 2 };
/* From so many bytes on a huge page that is not filled is a few per cent. */
#define HUGE_FROM ((size_t)8 << 20)
/* Smaller ones share huge pages where large objects have so much together, as the zone begins to
 * use them. */
#define SHARED_FROM ((size_t)12 << 20)

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
    struct large_record *table =
        old ? os_map(slots * sizeof *table, 0) : base_take(slots * sizeof *table);
    if (!table)
        return false;
    if (!old)
        large_habit_begin(&large_objects.habit);
    large_objects.table = table;
    large_objects.slots = slots;
    for (size_t slot = 0; slot < old_slots; slot++)
        if (old[slot].start)
            put(&old[slot]);
    if (old_slots > FIRST_SLOTS)
        os_unmap(old, old_slots * sizeof *old);
    return true;
}

static void add_live(size_t bytes)
{
    large_objects.live_bytes += bytes;
    zone_set_large(large_objects.live_bytes);
}

/* Whether an object gets a page fault for each 2 MiB instead of each 4 KiB.  A program that writes
 * little of a large object then holds up to 2 MiB more for it, so that only many bytes of large
 * objects, this one and the others, are worth it (EXPERIMENTS.md, "Huge pages for large objects"),
 * and only where the program writes such objects (large_habit.h). */
static bool is_huge(size_t bytes, size_t other_bytes)
{
    return bytes >= OS_HUGE_BYTES && other_bytes + bytes >= HUGE_FROM;
}

/* --- objects of several pieces --------------------------------------------------------------- */

/* Makes sure that there is an entry for the pieces of one more object. */
static bool has_pieced_entry(void)
{
    if (large_objects.pieced_free > 0)
        return true;
    if (!large_objects.pieced)
        large_objects.pieced = os_map(LARGE_PIECED_MOST * sizeof *large_objects.pieced, 0);
    return large_objects.pieced && large_objects.pieced_used < LARGE_PIECED_MOST;
}

/* Tells a record what it is made of. */
static void set_pieces(struct large_record *record, const struct kept_pieces *pieces)
{
    record->id = pieces->ranges[0].id;
    record->pieced = 0;
    if (pieces->count < 2)
        return;
    if (large_objects.pieced_free > 0) {
        record->pieced = large_objects.pieced_free;
        large_objects.pieced_free = large_objects.pieced[record->pieced - 1].ranges[0].id;
    } else {
        record->pieced = ++large_objects.pieced_used;
    }
    large_objects.pieced[record->pieced - 1] = *pieces;
}

static struct kept_pieces *pieces_of(const struct large_record *record)
{
    return record->pieced ? &large_objects.pieced[record->pieced - 1] : NULL;
}

static void forget_pieces(struct large_record *record)
{
    struct kept_pieces *pieces = pieces_of(record);

    record->id = pieces->ranges[0].id;
    pieces->ranges[0].id = large_objects.pieced_free;
    large_objects.pieced_free = record->pieced;
    record->pieced = 0;
}

/* The last piece of an object, or all of it where it is of one. */
static struct kept_range last_range(const struct large_record *record)
{
    const struct kept_pieces *pieces = pieces_of(record);

    return pieces ? pieces->ranges[pieces->count - 1]
                  : (struct kept_range){record->start, record->mapped, record->id};
}

/* Gives the last piece another length, 0 for none. */
static void resize_last(struct large_record *record, size_t bytes)
{
    struct kept_pieces *pieces = pieces_of(record);

    record->mapped += bytes - last_range(record).bytes;
    if (!pieces)
        return;
    pieces->ranges[pieces->count - 1].bytes = bytes;
    pieces->count -= bytes == 0;
    if (pieces->count < 2)
        forget_pieces(record);
}

/* Keeps the last `tail` bytes of a mapped object, which becomes so much shorter. */
static void keep_tail(struct large_record *record, size_t tail, size_t live_bytes)
{
    for (size_t left = tail; left > 0;) {
        struct kept_range last = last_range(record);
        size_t bytes = last.bytes < left ? last.bytes : left;
        last.bytes -= bytes;
        resize_last(record, last.bytes);
        kept_put((struct kept_range){last.start + last.bytes, bytes, last.id}, tail, live_bytes);
        left -= bytes;
    }
}

/* Grows the mapping of an object to `mapped` bytes in place, where what is kept of the same one
 * lies behind it. */
static bool take_behind(struct large_record *record, size_t mapped)
{
    struct kept_range last = last_range(record);
    size_t more = mapped - record->mapped;

    if (!kept_take_at(last.start + last.bytes, more, last.id))
        return false;
    resize_last(record, last.bytes + more);
    return true;
}

/* --- objects -------------------------------------------------------------------------------- */

/* Takes kept memory; NULL where there is none that is better than new memory. */
static void *reuse(size_t bytes, size_t align, struct kept_pieces *pieces)
{
    if (kept.count == 0)
        return NULL;
    if (align > os_page_bytes())
        return kept_take_aligned(bytes, align, pieces);
    return kept_take(bytes, has_pieced_entry() ? KEPT_PIECES_MOST : 1, large_objects.live_bytes,
                     pieces);
}

/* Whether huge pages are worth it for one more object that is, or is not, to be zero. */
static bool may_be_huge(size_t bytes, bool zeroed)
{
    return zeroed || large_habit_fills(&large_objects.habit, bytes, large_objects.live_bytes);
}

/* Memory in a huge page that objects share, of which a part is kept; NULL where the object is not
 * for that. */
static void *share(size_t bytes, size_t align, bool zeroed, struct kept_pieces *pieces)
{
    if (bytes >= OS_HUGE_BYTES || align > os_page_bytes() ||
        large_objects.live_bytes < SHARED_FROM || !may_be_huge(OS_HUGE_BYTES, zeroed) ||
        !kept_add_shared(large_objects.live_bytes))
        return NULL;
    if (!zeroed)
        large_habit_filled(&large_objects.habit, OS_HUGE_BYTES);
    return reuse(bytes, align, pieces);
}

static void *map_aligned(size_t bytes, size_t align, bool in_huge_pages)
{
    void *start = NULL;

    if (in_huge_pages) {
        start = os_map(bytes, align > OS_HUGE_BYTES ? align : OS_HUGE_BYTES);
        if (start)
            os_allow_huge(start, bytes);
    }
    return start ? start : os_map(bytes, align);
}

/* Where the memory of an object comes from. */
enum source { SOURCE_KEPT, SOURCE_HUGE_PAGES, SOURCE_SMALL_PAGES }; /* the last hold no memory */

static void *map_new(size_t bytes, size_t align, bool in_huge_pages, struct kept_pieces *pieces,
                     enum source *source)
{
    void *start = map_aligned(bytes, align, in_huge_pages);

    *source = in_huge_pages ? SOURCE_HUGE_PAGES : SOURCE_SMALL_PAGES;
    pieces->count = 1;
    pieces->ranges[0] = (struct kept_range){(uintptr_t)start, bytes, kept_new_id(in_huge_pages)};
    if (start)
        kept_replace(bytes, 0, large_objects.live_bytes);
    return start;
}

/* What need not be zero, or is for memory that is there. */
static void *obtain_full(size_t bytes, size_t align, bool zeroed, struct kept_pieces *pieces,
                         enum source *source)
{
    bool is_long = is_huge(bytes, large_objects.live_bytes), is_enough_kept = kept.bytes >= bytes;
    /* What would be new in an object that is put together gets small pages. */
    bool in_huge_pages = is_long && !is_enough_kept && may_be_huge(bytes, zeroed);
    void *start = NULL;

    *source = SOURCE_KEPT;
    if (!in_huge_pages && !(start = reuse(bytes, align, pieces)))
        start = share(bytes, align, zeroed, pieces);
    if (start)
        return start;
    if (is_long && is_enough_kept)
        in_huge_pages = may_be_huge(bytes, zeroed);
    start = map_new(bytes, align, in_huge_pages, pieces, source);
    if (start && in_huge_pages && !zeroed)
        large_habit_filled(&large_objects.habit, bytes);
    return start;
}

/* What is to be zero and for new small pages, though perhaps at kept addresses: clearing, and huge
 * pages, would touch all of a large array of which programs often use little. */
static void *obtain_empty(size_t bytes, size_t align, struct kept_pieces *pieces,
                          enum source *source)
{
    bool is_fresh = true;
    void *start = align <= os_page_bytes() ? kept_take_empty(bytes, pieces, &is_fresh) : NULL;

    *source = is_fresh ? SOURCE_SMALL_PAGES : SOURCE_KEPT;
    return start ? start : map_new(bytes, align, false, pieces, source);
}

static void *obtain(size_t bytes, size_t align, bool zeroed, struct kept_pieces *pieces,
                    enum source *source)
{
    if (zeroed &&
        !large_habit_clears(&large_objects.habit, bytes, large_objects.live_bytes, kept.bytes))
        return obtain_empty(bytes, align, pieces, source);
    void *start = obtain_full(bytes, align, zeroed, pieces, source);
    if (start && zeroed && *source != SOURCE_SMALL_PAGES)
        large_habit_cleared(&large_objects.habit, bytes);
    return start;
}

void large_settle(size_t grown_bytes)
{
    lock_take(&large_objects.lock);
    kept_settle(large_objects.live_bytes);
    if (grown_bytes > 0)
        kept_make_way(grown_bytes);
    lock_drop(&large_objects.lock);
}

void large_give_some(size_t most)
{
    lock_take(&large_objects.lock);
    kept_give_some(most);
    lock_drop(&large_objects.lock);
}

size_t large_decay(bool all)
{
    lock_take(&large_objects.lock);
    size_t given = kept_decay(all);
    lock_drop(&large_objects.lock);
    return given;
}

/* Has a new object show what the program does with such ones, where it is to and can; returns how
 * many bytes of its end hold no memory. */
static size_t show(char *start, size_t bytes, bool zeroed, enum source source, uint32_t last_id)
{
    struct large_habit *habit = &large_objects.habit;
    size_t shown = source == SOURCE_SMALL_PAGES ? bytes : 0;
    /* As long as there is credit for the next one it costs more than it tells. */
    bool may_empty = zeroed && source == SOURCE_KEPT && habit->zeroed.credit_bytes < bytes &&
                     !kept_is_huge(last_id);

    if ((shown == 0 && !may_empty) || !large_habit_is_due(habit, zeroed, large_objects.live_bytes))
        return shown;
    if (shown == 0 && os_purge(start + bytes - os_page_bytes(), os_page_bytes()))
        shown = os_page_bytes();
    if (shown > 0)
        large_habit_note(habit, start, bytes, zeroed, shown);
    return shown;
}

void *large_alloc(size_t bytes, size_t align, bool zeroed, const void *owner)
{
    struct large_record record = {.usable = os_round_to_page(bytes), .owner = owner};
    struct kept_pieces pieces;
    enum source source = SOURCE_KEPT;
    size_t empty = 0;
    void *start = NULL;

    record.mapped = record.usable;
    lock_take(&large_objects.lock);
    if (make_room())
        start = obtain(record.mapped, align, zeroed, &pieces, &source);
    if (start) {
        record.start = (uintptr_t)start;
        set_pieces(&record, &pieces);
        put(&record);
        large_objects.used++;
        add_live(record.usable);
        empty = show(start, record.usable, zeroed, source, pieces.ranges[pieces.count - 1].id);
    }
    lock_drop(&large_objects.lock);
    if (start && zeroed && source == SOURCE_KEPT)
        memset(start, 0, record.usable - empty);
    if (start && !zeroed && source == SOURCE_SMALL_PAGES)
        zone_note_long(start, record.usable);
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

/* Before the memory of an object goes elsewhere. */
static void look_at(const struct large_record *record)
{
    large_habit_look(&large_objects.habit, (void *)record->start, record->usable);
}

static size_t release(struct large_record *record)
{
    struct large_record freed = *record;

    look_at(record);
    drop(record);
    add_live(-freed.usable);
    keep_tail(&freed, freed.mapped, large_objects.live_bytes);
    return freed.usable;
}

size_t large_free(void *start, const void *owner)
{
    lock_take(&large_objects.lock);
    struct large_record *record = find(start);
    size_t usable = record && record->owner == owner ? release(record) : 0;
    lock_drop(&large_objects.lock);
    /* Its memory is kept as yet, mostly, and may go with the next object. */
    if (usable > 0)
        zone_look_at_long(start, usable);
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

/* An object of several pieces, which mremap(2) can't resize, or in a huge page that it shares is
 * copied once to a mapping of its own. */
static void *copy_to_new(const struct large_record *record, size_t mapped, bool in_huge_pages)
{
    void *moved = map_aligned(mapped, 0, in_huge_pages);
    struct large_record old = *record;

    if (!moved)
        return NULL;
    memcpy(moved, (void *)record->start, record->usable);
    keep_tail(&old, old.mapped, large_objects.live_bytes);
    return moved;
}

/* Whether mremap(2) can resize it. */
static bool is_movable(const struct large_record *record)
{
    return !record->pieced && !kept_is_shared(record->id);
}

static void *move_or_copy(const struct large_record *record, size_t mapped, bool in_huge_pages)
{
    if (!is_movable(record))
        return copy_to_new(record, mapped, in_huge_pages);
    void *moved =
        os_remap((void *)record->start, record->mapped, mapped, in_huge_pages ? OS_HUGE_BYTES : 0);
    if (moved && in_huge_pages)
        os_allow_huge(moved, mapped);
    return moved;
}

static void *grow(struct large_record *record, size_t usable)
{
    /* What grows is full. */
    bool in_huge_pages = is_huge(usable, large_objects.live_bytes - record->usable);
    size_t wanted[] = {with_room(usable, in_huge_pages), usable};

    if (usable <= record->mapped || take_behind(record, usable)) {
        record->usable = usable;
        return (void *)record->start;
    }
    look_at(record);
    for (int i = 0; i < 2; i++) {
        void *moved = move_or_copy(record, wanted[i], in_huge_pages);
        if (!moved)
            continue;
        bool is_same = (uintptr_t)moved == record->start;
        /* A mapping that moves takes along what the system was told. */
        bool was_huge = is_movable(record) && kept_is_huge(record->id);
        bool is_huge_now = in_huge_pages || was_huge;
        struct large_record resized = {
            .start = (uintptr_t)moved,
            .usable = usable,
            .mapped = wanted[i],
            .owner = record->owner,
            .id = is_same && was_huge == is_huge_now ? record->id : kept_new_id(is_huge_now)};
        kept_replace(usable - record->mapped, wanted[i] - usable, large_objects.live_bytes);
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
    size_t live_bytes = large_objects.live_bytes - (record->usable - usable);

    look_at(record);
    keep_tail(record, record->mapped - usable, live_bytes);
    record->usable = usable;
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
            add_live(usable - before);
    }
    lock_drop(&large_objects.lock);
    return resized;
}
