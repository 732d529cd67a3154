#include "allocator/zone_grow.h"

#include "allocator/include/allocator.h"
#include "allocator/place.h"

/* Most processes have the largest window: addresses are free, and a byte and a number for every 8
 * KiB of 1 TiB are 640 MiB of reserved addresses of which only the used part is ever committed.
 * Where RLIMIT_AS is set, to which reserved addresses count, it is as small as holds all that the
 * process may have: with what slabs need for it (slab.c) its tables are up to 4 per cent of that.
 */
#define SPAN_LEAST ((size_t)1 << 26)
/* Left free between the break and the reserved range, for others who use sbrk: this part of the
 * window, or less. */
enum { BREAK_ROOM_SHIFT = 3 };
#define BREAK_ROOM_MOST ((size_t)1 << 30)
/* In a window that is not the largest such a part of it is reserved at a time. */
enum { SOFT_SHIFT = 6 };
/* The map is committed for so many units at a time, 512 MiB of zone. */
#define MAP_STEP ((size_t)64 * 1024)

/* From this size on the one huge page that is not yet filled is a few per cent of the heap
 * (EXPERIMENTS.md, "Huge pages"). */
#define HUGE_FROM        ((size_t)12 << 20)
#define HUGE_FROM_SHARED ((size_t)8 << 20) /* where threads meet at the process's page tables */

/* From this size on long ranges are looked at. */
#define HABIT_FROM ((size_t)1 << 20)
/* As long as for this much, half a millisecond, a program may wait. */
#define FILL_MOST ((size_t)1 << 20)

enum {
    /* Places tried for a reserved range of one size before a smaller one is tried. */
    SOFT_TRIES = 8,
    /* The map begins at a quarter of a page, the numbers of a small program's units before it. */
    MAP_PART = 4,
    INCREMENT_UNITS = MEM_BRK_INCREMENT >> UNIT_SHIFT,
    /* A growing heap grows by a sixteenth: the number of system calls stays logarithmic, and
     * addresses without contents cost nothing. It begins with 256 KiB: a small program lies in one
     * range then, whose tables take two pages, also where it starts threads. */
    GROWTH_SHIFT = 4,
    GROWTH_FIRST_UNITS = 4 * INCREMENT_UNITS,
    GROWTH_MOST_UNITS = 1024,
    /* Several threads may grow it at a time by an eighth. */
    GROWING_SHIFT = 3
};

/* For kinds and numbers of units up to `limit`. */
static bool commit_map(size_t limit)
{
    size_t units = ((limit >> UNIT_SHIFT) + MAP_STEP - 1) & ~(MAP_STEP - 1);

    if (units > zone.span >> UNIT_SHIFT)
        units = zone.span >> UNIT_SHIFT;
    if (units <= zone.map_committed)
        return true;
    uintptr_t start = (uintptr_t)zone_number(units - 1) & ~(os_page_bytes() - 1);
    uintptr_t end = os_round_to_page((uintptr_t)zone.map + units);
    if (!os_commit((void *)start, end - start))
        return false;
    zone.map_committed = units;
    return true;
}

static size_t break_room(size_t span)
{
    size_t room = span >> BREAK_ROOM_SHIFT;

    return room < BREAK_ROOM_MOST ? room : BREAK_ROOM_MOST;
}

static size_t span_for_limit(void)
{
    size_t span = ZONE_SPAN_MOST, limit = os_address_limit();

    while (span > SPAN_LEAST && span / 2 - break_room(span / 2) >= limit)
        span /= 2;
    return span;
}

size_t zone_span_now(void)
{
    size_t span = span_for_limit();

    return span < zone.span ? span : zone.span;
}

/* How many bytes of addresses are reserved for growth at a time. */
static size_t soft_step(void)
{
    size_t span = zone_span_now(), step = span == ZONE_SPAN_MOST ? span : span >> SOFT_SHIFT;

    return zone.soft_most > 0 && zone.soft_most < step ? zone.soft_most : step;
}

static bool reserve_map(void)
{
    const size_t page = os_page_bytes();

    for (zone.span = span_for_limit(); zone.span >= SPAN_LEAST; zone.span /= 2) {
        size_t units = zone.span >> UNIT_SHIFT, below = units * sizeof(uint32_t);
        char *start = os_reserve(NULL, below + units + page);
        if (start) {
            zone.map = (uint8_t *)start + below + page / MAP_PART;
            return true;
        }
    }
    return false;
}

/* What the zone and large objects hold, about: how much of the latter was written nobody knows, so
 * that they count for no more than the zone does. */
static size_t all_bytes(void)
{
    size_t owned = zone.owned_units << UNIT_SHIFT;
    size_t large = zone_large_bytes();

    return owned + (large < owned ? large : owned);
}

static size_t huge_from(void)
{
    return os_is_single_threaded() ? HUGE_FROM : HUGE_FROM_SHARED;
}

bool zone_is_huge(void)
{
    return all_bytes() >= huge_from();
}

/* Makes bytes [offset, offset + bytes) of the window ours, in huge pages where that is asked for.
 */
static bool annex(size_t offset, size_t bytes, bool in_huge_pages)
{
    if (offset >= zone.span || bytes > zone.span - offset || !commit_map(offset + bytes))
        return false;

    size_t first = offset >> UNIT_SHIFT;
    size_t units = bytes >> UNIT_SHIFT;
    uint8_t kind = in_huge_pages ? UNIT_DIRTY : UNIT_CLEAN;
    zone_set_kinds(first, units, kind);
    zone.owned_units += units;
    zone.free_units += units;
    zone.dirty_units += kind == UNIT_DIRTY ? units : 0;
    if (offset + bytes > zone.limit)
        __atomic_store_n(&zone.limit, offset + bytes, __ATOMIC_RELEASE);
    zone_lower_hints(first, first + units);
    zone.grown_units += kind == UNIT_DIRTY ? units : 0;
    return true;
}

static bool grow_by_break(size_t units, bool in_huge_pages)
{
    if (zone.break_refused || zone.soft_end || !os_is_single_threaded())
        return false;

    size_t bytes = units << UNIT_SHIFT;
    char *start = os_break_extend(bytes, UNIT_BYTES);
    if (start && !zone.base)
        __atomic_store_n(&zone.base, (uintptr_t)start, __ATOMIC_RELAXED);
    if (start && (uintptr_t)start >= zone.base &&
        annex((uintptr_t)start - zone.base, bytes, in_huge_pages)) {
        if (in_huge_pages)
            os_fill_huge(start, bytes);
        return true;
    }
    zone.break_refused = true;
    return false;
}

/* Reserves the beginning of the window: anywhere, or, where there will be several ranges, a window
 * below the others' mappings, which grow downwards. */
static char *reserve_first(size_t bytes)
{
    char *start = os_reserve(NULL, bytes);

    if (soft_step() == ZONE_SPAN_MOST || !start || (uintptr_t)start < zone.span)
        return start;
    char *below = os_reserve(start - zone.span, bytes);
    if (!below)
        return start;
    os_unmap(start, bytes);
    return below;
}

static bool reserve_at(size_t offset, size_t bytes)
{
    if (offset >= zone.span || bytes > zone.span - offset)
        return false;
    char *start =
        zone.base ? os_reserve(zone_address(offset >> UNIT_SHIFT), bytes) : reserve_first(bytes);
    if (!start)
        return false;
    if (!zone.base) {
        size_t padding = (size_t)(-(uintptr_t)start & (UNIT_BYTES - 1));
        __atomic_store_n(&zone.base, (uintptr_t)start + padding, __ATOMIC_RELAXED);
        bytes -= padding ? UNIT_BYTES : 0;
    }
    if (!zone.soft_end) {
        zone.gap_start = zone.limit >> UNIT_SHIFT;
        zone.gap_end = offset >> UNIT_SHIFT;
    }
    if (!zone.soft_end || offset != zone.soft_end) {
        zone.soft_first = offset;
        zone.soft_start = offset;
    }
    zone.soft_end = offset + bytes;
    return true;
}

/* Reserves a range for our own break: anywhere when there is no zone yet, else behind the last one,
 * which it may become a part of, or, with some room, behind the program break; as large as can be
 * had. */
static bool reserve_soft_range(size_t needed)
{
    size_t offset = zone.soft_end, most = soft_step();
    size_t least = most < SPAN_LEAST ? most : SPAN_LEAST;

    if (!zone.soft_end && zone.base)
        offset = zone.limit + break_room(zone.span);
    /* The beginning of the first one may be lost to its alignment. */
    needed += UNIT_BYTES;
    least = least < needed ? needed : least;
    for (size_t bytes = most < least ? least : most; bytes >= least; bytes /= 2)
        for (size_t step = 0; step < SOFT_TRIES; step++)
            if (reserve_at(offset + step * bytes, bytes))
                return true;
    return false;
}

bool zone_give_up_room(void)
{
    lock_take(&zone.lock);
    size_t step = soft_step();
    bool has_more = zone.soft_end - zone.soft_start > step;
    if (has_more) {
        size_t end = zone.soft_start + step;
        os_unmap(zone_address(end >> UNIT_SHIFT), zone.soft_end - end);
        zone.soft_end = end;
    }
    lock_drop(&zone.lock);
    return has_more;
}

/* Makes what the system refused available again.  As long as others are at it nobody knows what
 * lies between the parts that they get. */
static void take_back_refused(void)
{
    if (zone.growing_units == 0)
        zone.soft_start = zone.limit > zone.soft_first ? zone.limit : zone.soft_first;
}

/* The system takes as long for a huge page as some hundred calls do: meanwhile others may have the
 * lock, and grow the zone, too. */
static bool grow_by_soft_break(size_t units, bool in_huge_pages)
{
    size_t bytes = units << UNIT_SHIFT;

    if (bytes > zone.soft_end - zone.soft_start && !reserve_soft_range(bytes))
        return false;
    size_t offset = zone.soft_start;
    if (!commit_map(offset + bytes))
        return false;
    void *start = zone_address(offset >> UNIT_SHIFT);
    zone.soft_start += bytes;
    zone.growing_units += units;
    lock_drop(&zone.lock);
    bool has_memory = os_commit(start, bytes);
    if (has_memory && in_huge_pages)
        os_fill_huge(start, bytes);
    lock_take(&zone.lock);
    zone.growing_units -= units;
    bool has_grown = has_memory && annex(offset, bytes, in_huge_pages);
    take_back_refused();
    return has_grown;
}

/* The step that brings the end of the zone, which lies at `offset` now, to the end of a huge page:
 * the system gives one only where all of it is ours. */
static size_t round_to_huge(size_t offset, size_t units)
{
    uintptr_t end = zone.base + offset + (units << UNIT_SHIFT);
    size_t missing = (size_t)(-end & (OS_HUGE_BYTES - 1));

    return units + (missing >> UNIT_SHIFT);
}

static size_t round_to_increment(size_t units)
{
    return (units + INCREMENT_UNITS - 1) / INCREMENT_UNITS * INCREMENT_UNITS;
}

/* How the zone grows. */
struct growth {
    size_t units;
    size_t credit_bytes; /* what it costs of the zone's habit */
    bool in_huge_pages;
};

/* For a run of `units`, up to the end of a huge page and in huge pages if there is credit for long
 * runs. */
static struct growth plan_huge_growth(size_t units)
{
    size_t step =
        round_to_huge(zone.soft_end ? zone.soft_start : zone.limit, round_to_increment(units));
    size_t bytes = (step << UNIT_SHIFT) & ~(OS_HUGE_BYTES - 1);
    size_t credit_bytes = units > ZONE_SHORT_UNITS ? bytes : 0;

    /* A step up to the first end of a huge page holds no whole one. */
    if (bytes == 0 || !habit_allows(&zone.habit, credit_bytes, all_bytes() / 2))
        return (struct growth){.units = step};
    return (struct growth){step, credit_bytes, true};
}

static struct growth plan_growth(size_t units, unsigned kind)
{
    /* Of the long runs that private heaps grow by nobody learns whether they are written. */
    bool may_be_huge =
        units <= ZONE_SHORT_UNITS ||
        (kind != UNIT_PRIVATE && habit_allows(&zone.habit, OS_HUGE_BYTES, all_bytes() / 2));

    if (zone_is_huge() && may_be_huge)
        return plan_huge_growth(units);
    size_t step = zone.owned_units ? zone.owned_units >> GROWTH_SHIFT : GROWTH_FIRST_UNITS;
    if (step > GROWTH_MOST_UNITS)
        step = GROWTH_MOST_UNITS;
    return (struct growth){.units = round_to_increment(step < units ? units : step)};
}

/* Waits until somebody else's growth is over, if there is one and this one beside it were too much;
 * returns whether there was.  *is_first tells that the lock of growth is taken now. */
static bool waits_for_growth(size_t units, bool *is_first)
{
    *is_first = lock_try(&zone.growth_lock);
    if (*is_first || zone.growing_units + units <= zone.owned_units >> GROWING_SHIFT)
        return false;
    zone_wait_for(&zone.growth_lock);
    return true;
}

bool zone_grow(size_t units, unsigned kind)
{
    if ((!zone.map && !reserve_map()) || units > zone.span >> UNIT_SHIFT)
        return false;
    struct growth growth = plan_growth(units, kind);
    bool is_first;
    if (waits_for_growth(growth.units, &is_first))
        return true;
    habit_spend(&zone.habit, growth.credit_bytes);
    bool has_grown = grow_by_break(growth.units, growth.in_huge_pages) ||
                     grow_by_soft_break(growth.units, growth.in_huge_pages) ||
                     grow_by_soft_break(round_to_increment(units), false);
    if (is_first)
        lock_drop(&zone.growth_lock);
    return has_grown;
}

/* Of ranges that may be filled one in so many is not, and shows whether programs write them. */
enum { RANGES_PER_LOOK = 5 };

/* One in several. */
static bool is_looked_at(void)
{
    enum { NOTES_PER_LOOK = 16 };
    static unsigned notes;

    return __atomic_add_fetch(&notes, 1, __ATOMIC_RELAXED) % NOTES_PER_LOOK == 0;
}

void zone_note_long(const void *start, size_t bytes, const void *filled_from)
{
    uintptr_t first = os_round_to_page((uintptr_t)filled_from);
    uintptr_t end = ((uintptr_t)start + bytes) & ~(os_page_bytes() - 1);
    bool is_filled = false;

    /* Another one will do as well; where many get some each look at one holds them up. */
    if ((places_are_crowded() && !is_looked_at()) || !lock_try(&zone.lock))
        return;
    if (all_bytes() >= HABIT_FROM) {
        habit_learn(&zone.habit);
        is_filled = filled_from && habit_allows(&zone.habit, bytes, all_bytes() / 2) &&
                    ++zone.fillable % RANGES_PER_LOOK != 0;
        if (!is_filled)
            habit_note(&zone.habit, start, bytes);
    }
    lock_drop(&zone.lock);
    if (is_filled && first < end)
        zone_populate((struct zone_fresh){
            .start = (void *)first, .bytes = end - first < FILL_MOST ? end - first : FILL_MOST});
}

void zone_look_at_long(const void *start, size_t bytes)
{
    if (!habit_is_of(&zone.habit, start, bytes))
        return;
    lock_take(&zone.lock);
    habit_look(&zone.habit, start, bytes);
    lock_drop(&zone.lock);
}

void zone_avoid_break(size_t most)
{
    zone.soft_most = most;
    zone.break_refused = true;
}
