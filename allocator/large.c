#include "allocator/large.h"

#include <string.h>

#include "allocator/slab.h"
#include "allocator/zone.h"

/* An object that had to grow gets this part of its size in addresses on top: growing step by step
 * then moves it a logarithmic number of times, and addresses hold no memory until written. */
enum { ROOM_SHIFT = 2 };
/* From so many bytes on a huge page that is not filled is a few per cent. */
#define HUGE_FROM ((size_t)8 << 20)
/* Smaller ones share huge pages where large objects have so much together, as the zone begins to
 * use them. */
#define SHARED_FROM ((size_t)12 << 20)

/* With several sets the zone learns of more than that: a line of the cache that all threads write
 * costs each of them as much as all else here. */
#define TOLD_APART ((size_t)1 << 20)

static void add_live(struct large_set *set, size_t bytes)
{
    set->live_bytes += bytes;
    size_t untold = set->live_bytes - set->told_bytes;
    if (places_used(&large_places) > 1 && untold + TOLD_APART <= 2 * TOLD_APART)
        return;
    zone_add_large(untold);
    set->told_bytes = set->live_bytes;
}

/* Whether an object gets a page fault for each 2 MiB instead of each 4 KiB.  A program that writes
 * little of a large object then holds up to 2 MiB more for it, so that only many bytes of large
 * objects, this one and the others, are worth it (EXPERIMENTS.md, "Huge pages for large objects"),
 * and only where the program writes such objects (large_habit.h). */
static bool is_huge(size_t bytes, size_t other_bytes)
{
    return bytes >= OS_HUGE_BYTES && other_bytes + bytes >= HUGE_FROM;
}

/* Keeps the last `tail` bytes of a mapped object, which becomes so much shorter. */
static void keep_tail(struct large_set *set, struct large_record *record, size_t tail,
                      size_t live_bytes)
{
    for (size_t left = tail; left > 0;) {
        struct kept_range last = large_set_last_range(set, record);
        size_t bytes = last.bytes < left ? last.bytes : left;
        last.bytes -= bytes;
        large_set_resize_last(set, record, last.bytes);
        kept_put(&set->kept, (struct kept_range){last.start + last.bytes, bytes, last.id}, tail,
                 live_bytes);
        left -= bytes;
    }
}

/* Grows the mapping of an object to `mapped` bytes in place, where what is kept of the same one
 * lies behind it. */
static bool take_behind(struct large_set *set, struct large_record *record, size_t mapped)
{
    struct kept_range last = large_set_last_range(set, record);
    size_t more = mapped - record->mapped;

    if (!kept_take_at(&set->kept, last.start + last.bytes, more, last.id))
        return false;
    large_set_resize_last(set, record, last.bytes + more);
    return true;
}

/* --- objects -------------------------------------------------------------------------------- */

/* Takes kept memory; NULL where there is none that is better than new memory. */
static void *reuse(struct large_set *set, size_t bytes, size_t align, struct kept_pieces *pieces)
{
    if (set->kept.count == 0)
        return NULL;
    if (align > os_page_bytes())
        return kept_take_aligned(&set->kept, bytes, align, pieces);
    return kept_take(&set->kept, bytes, large_set_has_pieced_entry(set) ? KEPT_PIECES_MOST : 1,
                     set->live_bytes, pieces);
}

/* Whether huge pages are worth it for one more object that is, or is not, to be zero. */
static bool may_be_huge(struct large_set *set, size_t bytes, bool zeroed)
{
    return zeroed || large_habit_fills(&set->habit, bytes, set->live_bytes);
}

/* Memory in a huge page that objects share, of which a part is kept; NULL where the object is not
 * for that. */
static RARE void *share(struct large_set *set, size_t bytes, size_t align, bool zeroed,
                        struct kept_pieces *pieces)
{
    if (bytes >= OS_HUGE_BYTES || align > os_page_bytes() || zone_large_bytes() < SHARED_FROM ||
        !may_be_huge(set, OS_HUGE_BYTES, zeroed) || !kept_add_shared(&set->kept, set->live_bytes))
        return NULL;
    if (!zeroed)
        large_habit_filled(&set->habit, OS_HUGE_BYTES);
    return reuse(set, bytes, align, pieces);
}

/* With small pages for the first `small_bytes`, and huge ones for the others. That makes two
 * mappings of it for the kernel, which merges them again when it is told the same of both
 * (make_whole) if they were one when the first byte was written, but not in the child of a fork. */
static void *map_aligned(size_t bytes, size_t align, size_t small_bytes)
{
    char *start = NULL;

    if (small_bytes < bytes) {
        start = os_map(bytes, align > OS_HUGE_BYTES ? align : OS_HUGE_BYTES);
        if (start && small_bytes > 0)
            *(volatile char *)start = 0;
        if (start)
            os_allow_huge(start + small_bytes, bytes - small_bytes);
    }
    return start ? start : os_map(bytes, align);
}

/* What an object gets. */
struct memory {
    struct kept_pieces pieces;
    bool is_kept;       /* was another object's */
    size_t fresh_bytes; /* from its start on that are in small pages and hold no memory */
};

/* The first `small_bytes` get small pages, the others huge ones. */
static RARE void *map_new(struct large_set *set, size_t bytes, size_t align, size_t small_bytes,
                          struct memory *memory)
{
    void *start = map_aligned(bytes, align, small_bytes);

    memory->is_kept = false;
    memory->fresh_bytes = small_bytes;
    memory->pieces.count = 1;
    memory->pieces.ranges[0] =
        (struct kept_range){(uintptr_t)start, bytes, kept_new_id(&set->kept, small_bytes < bytes)};
    if (start)
        kept_replace(&set->kept, bytes, 0, set->live_bytes);
    return start;
}

/* How many bytes of a new mapping are to be in small pages, from its start on. */
static size_t small_part(size_t bytes, bool in_huge_pages)
{
    if (in_huge_pages)
        return 0;
    return bytes >= HUGE_FROM + OS_HUGE_BYTES && large_habit_tries() ? HUGE_FROM : bytes;
}

/* What need not be zero, or is for memory that is there. */
static void *obtain_full(struct large_set *set, size_t bytes, size_t align, bool zeroed,
                         struct memory *memory)
{
    bool is_long = is_huge(bytes, zone_large_bytes()), is_enough_kept = set->kept.bytes >= bytes;
    /* What would be new in an object that is put together gets small pages. */
    bool in_huge_pages = is_long && !is_enough_kept && may_be_huge(set, bytes, zeroed);
    void *start = NULL;

    memory->is_kept = true;
    memory->fresh_bytes = 0;
    if (!in_huge_pages && !(start = reuse(set, bytes, align, &memory->pieces)))
        start = share(set, bytes, align, zeroed, &memory->pieces);
    if (start)
        return start;
    if (is_long && is_enough_kept)
        in_huge_pages = may_be_huge(set, bytes, zeroed);
    start = map_new(set, bytes, align, small_part(bytes, in_huge_pages), memory);
    if (start && in_huge_pages && !zeroed)
        large_habit_filled(&set->habit, bytes);
    return start;
}

/* What is to be zero and for new small pages, though perhaps at kept addresses: clearing, and huge
 * pages, would touch all of a large array of which programs often use little. */
static RARE void *obtain_empty(struct large_set *set, size_t bytes, size_t align,
                               struct memory *memory)
{
    bool is_fresh = true;
    void *start = align <= os_page_bytes()
                      ? kept_take_empty(&set->kept, bytes, &memory->pieces, &is_fresh)
                      : NULL;

    memory->is_kept = !is_fresh;
    memory->fresh_bytes = is_fresh ? bytes : 0;
    return start ? start : map_new(set, bytes, align, bytes, memory);
}

static void *obtain(struct large_set *set, size_t bytes, size_t align, bool zeroed,
                    struct memory *memory)
{
    if (zeroed && !large_habit_clears(&set->habit, bytes, set->live_bytes, set->kept.bytes))
        return obtain_empty(set, bytes, align, memory);
    void *start = obtain_full(set, bytes, align, zeroed, memory);
    if (start && zeroed && memory->fresh_bytes == 0)
        large_habit_cleared(&set->habit, bytes);
    return start;
}

static size_t decay(struct large_set *set, bool all)
{
    set->looks = 0;
    return kept_decay(&set->kept, all);
}

/* What the zone grew by so far; atomic, modulo 2^64. */
static size_t grown_bytes;

void large_note_growth(size_t bytes)
{
    __atomic_add_fetch(&grown_bytes, bytes, __ATOMIC_RELAXED);
}

/* Each set makes way for its part of what the zone grew by since it did so last. */
static void make_way(struct large_set *set)
{
    size_t grown = __atomic_load_n(&grown_bytes, __ATOMIC_RELAXED);
    size_t more = (grown - set->seen_growth_bytes) / places_used(&large_places);

    set->seen_growth_bytes = grown;
    if (more > 0)
        kept_make_way(&set->kept, more);
}

void large_look(const struct place *place, unsigned looks_per_decay)
{
    struct large_set *set = place ? large_set_at(place->index) : &first_large_set;

    /* Or else at the next look, or at that of another heap. */
    if (!lock_try(&set->lock))
        return;
    kept_settle(&set->kept, set->live_bytes);
    make_way(set);
    if (++set->looks >= looks_per_decay)
        (void)decay(set, false);
    lock_drop(&set->lock);
}

void large_give_some(size_t most)
{
    for (unsigned i = 0; i < places_used(&large_places); i++) {
        struct large_set *set = large_set_at(i);
        lock_take(&set->lock);
        kept_give_some(&set->kept, most / places_used(&large_places));
        lock_drop(&set->lock);
    }
}

size_t large_decay(bool all)
{
    size_t given = 0;

    for (unsigned i = 0; i < places_used(&large_places); i++) {
        struct large_set *set = large_set_at(i);
        lock_take(&set->lock);
        make_way(set);
        given += decay(set, all);
        lock_drop(&set->lock);
    }
    return given;
}

/* Has a new object show what the program does with such ones, where it is to and can; returns how
 * many bytes of its end hold no memory, if it is made of kept memory. */
static size_t show(struct large_set *set, char *start, size_t bytes, bool zeroed,
                   const struct memory *memory)
{
    struct large_habit *habit = &set->habit;
    size_t shown = memory->fresh_bytes, noted = shown > 0 ? shown : bytes;
    uint32_t last_id = memory->pieces.ranges[memory->pieces.count - 1].id;
    /* As long as there is credit for the next one it costs more than it tells. */
    bool may_empty =
        zeroed && memory->is_kept && habit->zeroed.credit_bytes < bytes && !kept_is_huge(last_id);

    if ((shown == 0 && !may_empty) || !large_habit_is_due(habit, zeroed, set->live_bytes))
        return shown;
    if (shown == 0 && os_purge(start + bytes - os_page_bytes(), os_page_bytes()))
        shown = os_page_bytes();
    if (shown > 0)
        large_habit_note(habit, start, noted, zeroed, shown);
    return shown;
}

/* Takes the lock of the set at a heap's place, or of another one, and returns it. */
static struct large_set *lock_set(struct place *place)
{
    if (!place) {
        lock_take(&first_large_set.lock);
        return &first_large_set;
    }
    struct large_set *set = large_set_at(place->index);
    if (lock_try(&set->lock))
        return set;
    place_waits(&large_places, place, places_most(KEPT_SETS));
    set = large_set_at(place->index);
    lock_take(&set->lock);
    return set;
}

/* Takes the lock of the set that an object is of, looking at a heap's own first, and returns the
 * object's record and *in; NULL, with no lock taken, where it is of none. */
static struct large_record *lock_object(const struct place *place, const void *start,
                                        struct large_set **in)
{
    unsigned used = places_used(&large_places), first = place ? place->index : 0;

    for (unsigned i = 0; i < used; i++) {
        struct large_set *set = large_set_at((first + i) % used);
        lock_take(&set->lock);
        struct large_record *record = large_set_find(set, start);
        if (record) {
            *in = set;
            return record;
        }
        lock_drop(&set->lock);
    }
    return NULL;
}

static void *alloc(struct place *place, size_t bytes, size_t align, bool zeroed, const void *owner)
{
    struct large_record record = {.usable = os_round_to_page(bytes), .owner = owner};
    struct memory memory;
    size_t empty = 0;
    void *start = NULL;

    record.mapped = record.usable;
    struct large_set *set = lock_set(place);
    if (large_set_make_room(set))
        start = obtain(set, record.mapped, align, zeroed, &memory);
    if (start) {
        record.start = (uintptr_t)start;
        large_set_take_pieces(set, &record, &memory.pieces);
        large_set_add(set, &record);
        add_live(set, record.usable);
        empty = show(set, start, record.usable, zeroed, &memory);
    }
    lock_drop(&set->lock);
    if (start && zeroed && memory.is_kept)
        memset(start, 0, record.usable - empty);
    if (start && !zeroed && memory.fresh_bytes > 0)
        zone_note_long(start, memory.fresh_bytes, start);
    return start;
}

/* Where the process has limited itself after much was reserved for it, most of that goes; returns
 * whether any did.  Takes the zone's lock. */
static RARE bool make_room(void)
{
    bool has_room = zone_give_up_room();

    return slab_give_up_room() || has_room;
}

void *large_alloc(struct place *place, size_t bytes, size_t align, bool zeroed, const void *owner)
{
    void *start = alloc(place, bytes, align, zeroed, owner);

    if (!start && make_room())
        start = alloc(place, bytes, align, zeroed, owner);
    return start;
}

size_t large_usable(const struct place *place, const void *start)
{
    struct large_set *set;
    const struct large_record *record = lock_object(place, start, &set);

    if (!record)
        return 0;
    size_t usable = record->usable;
    lock_drop(&set->lock);
    return usable;
}

static RARE bool contains(struct large_set *set, const void *address)
{
    bool found = false;

    lock_take(&set->lock);
    for (size_t slot = 0; slot < set->slots && !found; slot++) {
        const struct large_record *record = &set->table[slot];
        found = record->start && (uintptr_t)address - record->start < record->usable;
    }
    lock_drop(&set->lock);
    return found;
}

bool large_contains(const void *address)
{
    bool found = false;

    for (unsigned i = 0; i < places_used(&large_places) && !found; i++)
        found = contains(large_set_at(i), address);
    return found;
}

/* Whether mremap(2) can resize it. */
static bool is_movable(const struct large_record *record)
{
    return !record->pieced && !kept_is_shared(record->id);
}

/* Has the kernel make one mapping of an object that began in small pages (map_aligned), as kept.h
 * and mremap(2) want it. */
static RARE void make_whole(const struct large_record *record)
{
    if (is_movable(record) && kept_is_huge(record->id) && record->mapped > HUGE_FROM)
        os_allow_huge((void *)record->start, record->mapped);
}

/* Before the memory of an object goes elsewhere. */
static void part_with(struct large_set *set, const struct large_record *record)
{
    large_habit_look(&set->habit, (void *)record->start, record->usable);
    make_whole(record);
}

static size_t release(struct large_set *set, struct large_record *record)
{
    struct large_record freed = *record;

    part_with(set, record);
    large_set_drop(set, record);
    add_live(set, -freed.usable);
    keep_tail(set, &freed, freed.mapped, set->live_bytes);
    return freed.usable;
}

size_t large_free(const struct place *place, void *start, const void *owner)
{
    struct large_set *set;
    struct large_record *record = lock_object(place, start, &set);

    if (!record)
        return 0;
    size_t usable = record->owner == owner ? release(set, record) : 0;
    lock_drop(&set->lock);
    /* Its memory is kept as yet, mostly, and may go with the next object. */
    if (usable > 0)
        zone_look_at_long(start, usable);
    return usable;
}

static RARE void free_all_of(struct large_set *set, const void *owner)
{
    lock_take(&set->lock);
    /* Where a record goes another may move in, from behind. */
    for (size_t slot = 0; slot < set->slots;) {
        struct large_record *record = &set->table[slot];
        if (record->start && record->owner == owner)
            (void)release(set, record);
        else
            slot++;
    }
    lock_drop(&set->lock);
}

void large_free_all(const void *owner)
{
    for (unsigned i = 0; i < places_used(&large_places); i++)
        free_all_of(large_set_at(i), owner);
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
static RARE void *copy_to_new(struct large_set *set, const struct large_record *record,
                              size_t mapped, bool in_huge_pages)
{
    void *moved = map_aligned(mapped, 0, in_huge_pages ? 0 : mapped);
    struct large_record old = *record;

    if (!moved)
        return NULL;
    memcpy(moved, (void *)record->start, record->usable);
    keep_tail(set, &old, old.mapped, set->live_bytes);
    return moved;
}

static void *move_or_copy(struct large_set *set, const struct large_record *record, size_t mapped,
                          bool in_huge_pages)
{
    if (!is_movable(record))
        return copy_to_new(set, record, mapped, in_huge_pages);
    void *moved =
        os_remap((void *)record->start, record->mapped, mapped, in_huge_pages ? OS_HUGE_BYTES : 0);
    if (moved && in_huge_pages)
        os_allow_huge(moved, mapped);
    return moved;
}

static void *grow(struct large_set *set, struct large_record *record, size_t usable)
{
    /* What grows is full. */
    bool in_huge_pages = is_huge(usable, zone_large_bytes() - record->usable);
    size_t wanted[] = {with_room(usable, in_huge_pages), usable};
    /* A mapping that moves takes along what the system was told. */
    bool was_huge = is_movable(record) && kept_is_huge(record->id);
    bool is_huge_now = in_huge_pages || was_huge;

    if (usable <= record->mapped || take_behind(set, record, usable)) {
        record->usable = usable;
        return (void *)record->start;
    }
    if (is_movable(record) && !was_huge)
        large_habit_note_growth(&set->habit, (void *)record->start, record->usable);
    part_with(set, record);
    for (int i = 0; i < 2; i++) {
        void *moved = move_or_copy(set, record, wanted[i], in_huge_pages);
        if (!moved)
            continue;
        bool is_same = (uintptr_t)moved == record->start;
        struct large_record resized = {.start = (uintptr_t)moved,
                                       .usable = usable,
                                       .mapped = wanted[i],
                                       .owner = record->owner,
                                       .id = is_same && was_huge == is_huge_now
                                                 ? record->id
                                                 : kept_new_id(&set->kept, is_huge_now)};
        kept_replace(&set->kept, usable - record->mapped, wanted[i] - usable, set->live_bytes);
        large_set_drop(set, record);
        large_set_add(set, &resized);
        return moved;
    }
    return NULL;
}

/* The tail is kept: the object perhaps grows again, or another one needs pages. */
static void *shrink(struct large_set *set, struct large_record *record, size_t usable)
{
    size_t live_bytes = set->live_bytes - (record->usable - usable);

    part_with(set, record);
    keep_tail(set, record, record->mapped - usable, live_bytes);
    record->usable = usable;
    return (void *)record->start;
}

RARE void *large_resize(const struct place *place, void *start, size_t bytes)
{
    size_t usable = os_round_to_page(bytes);
    struct large_set *set;
    void *resized = start;

    /* It may move, and another object come to lie there. */
    zone_look_at_long(start, 1);
    struct large_record *record = lock_object(place, start, &set);
    if (!record)
        return NULL;
    size_t before = record->usable;
    if (usable < before)
        resized = shrink(set, record, usable);
    else if (usable > before)
        resized = grow(set, record, usable);
    if (resized)
        add_live(set, usable - before);
    lock_drop(&set->lock);
    return resized;
}

RARE void large_prepare_fork(void)
{
    for (unsigned i = 0; i < places_used(&large_places); i++) {
        const struct large_set *set = large_set_at(i);
        for (size_t slot = 0; slot < set->slots; slot++)
            if (set->table[slot].start)
                make_whole(&set->table[slot]);
    }
}

void large_lock_all(void (*change)(struct lock *))
{
    for (unsigned i = 0; i < places_used(&large_places); i++)
        change(&large_set_at(i)->lock);
}
