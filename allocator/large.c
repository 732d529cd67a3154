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

/* What a program that shows nothing may come to hold for nothing, in huge pages of which it writes
 * little. */
#define FIRST_CREDIT_BYTES ((size_t)16 << 20)
enum { CREDIT_SHIFT = 2 }; /* or so much of what is live, which is the most that it earns */
/* An object is looked at when it is freed, or once there were so many others: programs often
 * allocate several, and then write them. */
enum { NOTED_APART = 8 };

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
        large_objects.written.credit_bytes = FIRST_CREDIT_BYTES;
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
 * and only where programs write such objects to the end: see may_fill.
 */
static bool is_huge(size_t bytes, size_t other_bytes)
{
    return bytes >= OS_HUGE_BYTES && other_bytes + bytes >= HUGE_FROM;
}

/* What an object may hold for nothing in a huge page, and how much of its end shows whether it
 * does.
 */
static size_t doubtful_bytes(size_t bytes)
{
    return bytes < OS_HUGE_BYTES ? bytes : OS_HUGE_BYTES;
}

static bool may_spend(struct habit *habit, size_t bytes, size_t most)
{
    return habit_allows(habit, bytes, 2 * most) || (bytes <= most && habit_earn(habit, most));
}

/* Whether the program writes what it allocates, as far as that is known, so that memory in huge
 * pages is not for nothing (EXPERIMENTS.md, "Large objects of which little is written"). */
static bool may_fill(size_t bytes)
{
    size_t part = large_objects.live_bytes >> CREDIT_SHIFT;
    size_t most = part < FIRST_CREDIT_BYTES ? FIRST_CREDIT_BYTES : part;

    return may_spend(&large_objects.written, doubtful_bytes(bytes), most) ||
           !os_can_count_resident();
}

static void spend_doubtful(size_t bytes)
{
    size_t credit = large_objects.written.credit_bytes, doubtful = doubtful_bytes(bytes);

    habit_spend(&large_objects.written, doubtful < credit ? doubtful : credit);
}

/* Whether it writes what is to be zero, so that clearing memory that is there costs less than its
 * page faults and is not for nothing.  Should it stop to, it holds half as much as is live for
 * nothing, and what was kept anyway. */
static bool may_clear(size_t bytes)
{
    enum { TIMES = 4 }; /* what one that is looked at earns: the others need not show anything */

    return may_spend(&large_objects.zeroed, bytes,
                     large_objects.live_bytes / 2 + TIMES * kept.bytes);
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

/* Takes kept memory; NULL where there is none, or new memory is better: what would be new in an
 * object that is put together gets small pages. */
static void *reuse(size_t bytes, size_t align, bool in_huge_pages, struct kept_pieces *pieces)
{
    if (kept.count == 0)
        return NULL;
    if (align > os_page_bytes())
        return kept_take_aligned(bytes, align, pieces);
    if (in_huge_pages && kept.bytes < bytes)
        return NULL;
    return kept_take(bytes, has_pieced_entry() ? KEPT_PIECES_MOST : 1, large_objects.live_bytes,
                     pieces);
}

/* Memory in a huge page that objects share, of which a part is kept; NULL where the object is not
 * for that. */
static void *share(size_t bytes, size_t align, struct kept_pieces *pieces)
{
    if (bytes >= OS_HUGE_BYTES || align > os_page_bytes() ||
        large_objects.live_bytes < SHARED_FROM || !may_fill(OS_HUGE_BYTES) ||
        !kept_add_shared(large_objects.live_bytes))
        return NULL;
    spend_doubtful(OS_HUGE_BYTES);
    return reuse(bytes, align, false, pieces);
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

/* Clearing what is kept, and huge pages, would touch all of a large array of which programs often
 * use little: what is to be zero gets new small pages unless this one has credit (habit.h). */
static void *obtain(size_t bytes, size_t align, bool zeroed, struct kept_pieces *pieces,
                    enum source *source)
{
    bool is_sparse = zeroed && !may_clear(bytes);
    bool in_huge_pages =
        !is_sparse && is_huge(bytes, large_objects.live_bytes) && (zeroed || may_fill(bytes));
    void *start = NULL;

    *source = is_sparse ? SOURCE_SMALL_PAGES : SOURCE_KEPT;
    if (is_sparse)
        start = align <= os_page_bytes() ? kept_take_zero(bytes, pieces) : NULL;
    else if (!(start = reuse(bytes, align, in_huge_pages, pieces)))
        start = share(bytes, align, pieces);
    if (!start)
        start = map_new(bytes, align, in_huge_pages, pieces, source);
    if (start && zeroed && *source != SOURCE_SMALL_PAGES)
        habit_spend(&large_objects.zeroed, bytes);
    if (start && !zeroed && *source == SOURCE_HUGE_PAGES)
        spend_doubtful(bytes);
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

size_t large_decay(bool all)
{
    lock_take(&large_objects.lock);
    size_t given = kept_decay(all);
    lock_drop(&large_objects.lock);
    return given;
}

/* Whether the next object shows what the program does with such ones; counts it.  The written ones
 * matter where large objects are about to have huge pages. */
static bool is_shown(bool zeroed)
{
    struct habit *habit = zeroed ? &large_objects.zeroed : &large_objects.written;
    unsigned *since = zeroed ? &large_objects.since_zeroed : &large_objects.since_written;
    bool matters = zeroed || large_objects.live_bytes >= HUGE_FROM / 2;

    if (!matters || (habit->bytes > 0 && ++*since < NOTED_APART))
        return false;
    *since = 0;
    return true;
}

/* Clears an object of kept memory, but for its last page, which gets none, if that is to show
 * whether it is written; whether it does, it returns. */
static bool clear(char *start, size_t bytes, bool shows)
{
    size_t shown = os_page_bytes();

    if (shows && os_purge(start + bytes - shown, shown)) {
        memset(start, 0, bytes - shown);
        return true;
    }
    memset(start, 0, bytes);
    return false;
}

/* Tells of a new object, whose last `shown_bytes` hold no memory. */
static void note(const char *start, size_t bytes, bool zeroed, size_t shown_bytes)
{
    size_t doubtful = doubtful_bytes(bytes);

    lock_take(&large_objects.lock);
    if (zeroed)
        habit_note_end(&large_objects.zeroed, start, bytes, shown_bytes);
    else
        habit_note(&large_objects.written, start + bytes - doubtful, doubtful);
    lock_drop(&large_objects.lock);
}

void *large_alloc(size_t bytes, size_t align, bool zeroed, const void *owner)
{
    struct large_record record = {.usable = os_round_to_page(bytes), .owner = owner};
    struct kept_pieces pieces;
    enum source source;
    size_t shown_bytes = record.usable;
    void *start = NULL;
    bool shows = false;

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
        if (source == SOURCE_SMALL_PAGES ||
            (zeroed && large_objects.zeroed.credit_bytes < record.usable &&
             !kept_is_huge(pieces.ranges[pieces.count - 1].id)))
            shows = is_shown(zeroed);
    }
    lock_drop(&large_objects.lock);
    if (!start)
        return NULL;
    if (zeroed && source == SOURCE_KEPT) {
        shows = clear(start, record.usable, shows);
        shown_bytes = os_page_bytes();
    }
    if (shows)
        note(start, record.usable, zeroed, shown_bytes);
    if (source == SOURCE_SMALL_PAGES && !zeroed)
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
    habit_look(&large_objects.written, (void *)record->start, record->usable);
    habit_look(&large_objects.zeroed, (void *)record->start, record->usable);
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

static void *move_or_copy(const struct large_record *record, size_t mapped, bool in_huge_pages)
{
    if (record->pieced || kept_is_shared(record->id))
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
        struct large_record resized = {
            .start = (uintptr_t)moved,
            .usable = usable,
            .mapped = wanted[i],
            .owner = record->owner,
            .id = is_same && !in_huge_pages ? record->id : kept_new_id(in_huge_pages)};
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
