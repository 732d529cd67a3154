#include "allocator/zone.h"

#include "allocator/zone_grow.h"

enum {
    /* Ahead of need by at most 1/64 of the heap, and memory not for less than 32 KiB, that is, from
     * 2 MiB on (EXPERIMENTS.md, "Prefaulting"). */
    AHEAD_SHIFT = 6,
    POPULATE_LEAST_UNITS = (32 * 1024) >> UNIT_SHIFT,
    DEBT_UNITS = (256 * 1024) >> UNIT_SHIFT,
    /* An eighth of what is in use, 512 KiB, and 1/64 of the largest heap so far, because a purge
     * looks at the whole map. */
    DIRTY_SHIFT = 3,
    DIRTY_LEAST_UNITS = (512 * 1024) >> UNIT_SHIFT,
    DIRTY_OWNED_SHIFT = 6,
    DIRTY_SLACK = 8, /* the part of the bound that a purge makes room for */
    WAITING_LEAST_UNITS = (32 << 20) >> UNIT_SHIFT,
    /* Set apart at a time while they are purged: others may have to grow the zone instead. */
    APART_MOST_UNITS = (2 << 20) >> UNIT_SHIFT,
    SETTLE_LEAST_UNITS = (4 << 20) >> UNIT_SHIFT,
    /* What zone_purge_some leaves: a sixteenth of what is in use, 128 KiB at least. */
    SOME_SHIFT = 4,
    SOME_LEAST_UNITS = (128 * 1024) >> UNIT_SHIFT,
    /* Runs that go one below the other, as when a program frees what it allocated last first, lower
     * the hints once in so many units: a hint may lie too low, and the next search finds out. */
    HINT_SLACK_MOST = 63,
    /* How many units more may stay for each that was given back too soon (EXPERIMENTS.md,
       "Regret"). */
    REGRET_FACTOR = 4
};

struct zone zone;

static bool is_free(size_t unit)
{
    return zone_get_kind(unit) - UNIT_CLEAN <= UNIT_DIRTY - UNIT_CLEAN;
}

static size_t limit_unit(void)
{
    return zone.limit >> UNIT_SHIFT;
}

/* Where the lowest run of so many units may begin: no run of fewer begins below their hints. */
static size_t hint_for(size_t units)
{
    size_t hint = zone.hints[1];

    for (size_t n = 2; n <= units && n < ZONE_HINTS; n++)
        if (hint < zone.hints[n])
            hint = zone.hints[n];
    return hint;
}

/* No run of so many units starts below `unit`. */
static void raise_hint(size_t units, size_t unit)
{
    zone.hint_slack = 0;
    if (units >= ZONE_HINTS)
        return;
    zone.hints[units] = unit;
    if (zone.highest_hint < unit)
        zone.highest_hint = unit;
}

/* The highest bit of each byte of `kinds` that is the kind of a free unit: with its lowest bit
 * taken from one less no other is 0 (Warren, "Hacker's Delight", finds such bytes so). */
static uint64_t free_among(uint64_t kinds)
{
    const uint64_t each = UINT64_C(0x0101010101010101), high = each << 7;
    /* No kind is above 127. */
    uint64_t less = ((kinds | high) - each * UNIT_CLEAN) ^ high, rest = less & ~each;

    return ~(((rest & ~high) + ~high) | rest) & high;
}

/* The lowest free unit in [unit, end), or `end`. */
static size_t next_free_below(size_t unit, size_t end)
{
    enum { AT_A_TIME = sizeof(uint64_t) };
    size_t first = unit & ~(size_t)(AT_A_TIME - 1);

    if (unit >= end)
        return end;
    uint64_t free = free_among(zone_get_kinds(first)) & ~UINT64_C(0) << 8 * (unit - first);

    for (; free == 0; free = free_among(zone_get_kinds(first)))
        if ((first += AT_A_TIME) >= end)
            return end;
    unit = first + (unsigned)__builtin_ctzll(free) / 8;
    return unit < end ? unit : end;
}

/* The lowest free unit from `unit` on, or the limit. */
static size_t next_free(size_t unit)
{
    if (unit < zone.gap_start) {
        unit = next_free_below(unit, zone.gap_start);
        if (unit < zone.gap_start)
            return unit;
    }
    if (unit < zone.gap_end)
        unit = zone.gap_end;
    return next_free_below(unit, limit_unit());
}

/* Returns the lowest free run of `units`, which the caller has to take: to the hints it is taken
 * already.  Returns the limit without one. */
static size_t claim_run(size_t units)
{
    size_t limit = limit_unit(), start = hint_for(units), end;

    if (zone.free_units < units)
        return limit;
    for (;; start = end) {
        if (start >= limit || !is_free(start))
            start = next_free(start);
        for (end = start; end < limit && end - start < units; end++)
            if (end > start && !is_free(end))
                break;
        if (end - start == units) {
            raise_hint(units, end);
            return start;
        }
        if (end == limit)
            break;
    }
    /* What is free at the top may become a run once the zone grows. */
    raise_hint(units, start);
    return limit;
}

void zone_lower_hints(size_t first, size_t end)
{
    const size_t longest = ZONE_HINTS - 1;
    size_t start = first, after = end;

    /* Even with all that may be free below it no run begins below a hint. */
    if (zone.highest_hint + longest <= first)
        return;
    while (start > 0 && is_free(start - 1) && first - start < longest)
        start--;
    if (zone.highest_hint <= start)
        return;
    while (after < limit_unit() && is_free(after) && after - start < longest)
        after++;
    /* What is given one after the other often lies one below the other. */
    size_t hint = start > zone.hint_slack ? start - zone.hint_slack : 0, bound = 0;
    bool is_lower = false;
    zone.highest_hint = 0;
    for (size_t n = 1; n < ZONE_HINTS; n++) {
        /* What shorter ones tell of runs that are longer than this one stays true. */
        if (bound < zone.hints[n])
            bound = zone.hints[n];
        bool begins_here = bound > start && n <= after - start;
        zone.hints[n] = begins_here ? hint : bound;
        is_lower |= begins_here;
        if (zone.highest_hint < zone.hints[n])
            zone.highest_hint = zone.hints[n];
    }
    if (is_lower && zone.hint_slack < HINT_SLACK_MOST)
        zone.hint_slack = 2 * zone.hint_slack + 1;
}

/* Units that are taken clean while others lie dirty make the heap's resident memory grow although
 * its live memory may not.  Once that adds up, as many dirty units give their memory back: so
 * resident memory follows the need, at a cost that is a fraction of the page faults that came
 * before it. */
static void settle_debt(void)
{
    size_t debt = zone.purge_debt;

    if (debt < DEBT_UNITS || zone.dirty_units == 0)
        return;
    if (zone_purge(zone.dirty_units > debt ? zone.dirty_units - debt : 0) > 0)
        zone.purge_debt = 0;
}

/* Gets memory for fresh units a part of the heap at a time, from `first` on, where a run of
 * [first, taken) was taken of which `units` are needed at once: a page costs less than half as much
 * in a batch as by a page fault of its own.  The units ahead count as dirty before they get it:
 * should another thread purge them in between, some hold memory and count as clean. */
static void plan_populate(size_t first, size_t units, size_t taken, struct zone_fresh *fresh)
{
    size_t end = first + units;
    size_t ahead = zone.owned_units >> AHEAD_SHIFT;

    if (__atomic_load_n(&zone.cannot_populate, __ATOMIC_RELAXED) || ahead < POPULATE_LEAST_UNITS ||
        zone_is_huge())
        return;
    while (end < limit_unit() && (end < taken || zone_get_kind(end) == UNIT_CLEAN) &&
           end - first < ahead)
        end++;
    if (end - first < POPULATE_LEAST_UNITS)
        return;
    for (; taken < end; taken++) {
        __atomic_store_n(&zone.map[taken], UNIT_DIRTY, __ATOMIC_RELAXED);
        zone.dirty_units++;
        zone.grown_units++;
    }
    *fresh = (struct zone_fresh){zone_address(first), (end - first) << UNIT_SHIFT};
}

void zone_populate(struct zone_fresh fresh)
{
    if (fresh.bytes > 0 && !os_populate(fresh.start, fresh.bytes))
        __atomic_store_n(&zone.cannot_populate, true, __ATOMIC_RELAXED);
}

/* Units stay dirty up to a part of those in use, so that a program that shrinks gives memory back
 * as it does, whatever it calls afterwards.  What it takes back at once it will want again: a
 * multiple of that more may stay from then on, and half as much after each interval of time
 * without. */
static size_t dirty_most(void)
{
    size_t most = (zone.owned_units - zone.free_units) >> DIRTY_SHIFT;
    size_t least = zone.owned_units >> DIRTY_OWNED_SHIFT;

    if (least < DIRTY_LEAST_UNITS)
        least = DIRTY_LEAST_UNITS;
    return (most > least ? most : least) + zone.regret_units;
}

/* 1/parts goes, or as much as is worth a look through the map. */
static void bound_dirty(size_t most, unsigned parts)
{
    size_t keep = most - most / DIRTY_SLACK;
    size_t goes = (zone.dirty_units - keep) / parts;

    if (goes < SETTLE_LEAST_UNITS)
        goes = SETTLE_LEAST_UNITS;
    /* The last part makes the room, too. */
    if (zone.dirty_units > most + goes)
        keep = zone.dirty_units - goes;
    zone.over_purged_units += zone_purge(keep);
}

bool zone_update_excess(void)
{
    bool has_excess = zone.dirty_units > dirty_most();

    /* Every free reads what lies beside it. */
    if (zone.has_excess != has_excess)
        __atomic_store_n(&zone.has_excess, has_excess, __ATOMIC_RELAXED);
    return has_excess;
}

void zone_want(size_t units)
{
    zone.regret_units += units;
    zone.has_regretted |= units > 0;
}

bool zone_settle(unsigned parts)
{
    size_t most = dirty_most();

    if (zone.dirty_units > most)
        bound_dirty(most, parts);
    return !zone_update_excess();
}

/* A program that only frees is often about to end, and then the system takes its memory back in
 * less time: what lies dirty beyond the bound waits for the next allocations (decay.h), but not for
 * more than half of the zone, since they might never come. */
static void note_excess(void)
{
    size_t most = dirty_most(), waiting = zone.owned_units / 2;

    if (waiting < WAITING_LEAST_UNITS)
        waiting = WAITING_LEAST_UNITS;
    if (zone.dirty_units > most + waiting)
        bound_dirty(most + waiting, 1);
    if (zone.dirty_units > most && !zone.has_excess)
        __atomic_store_n(&zone.has_excess, true, __ATOMIC_RELAXED);
}

static void regret(size_t clean_taken)
{
    size_t needed = clean_taken < zone.over_purged_units ? clean_taken : zone.over_purged_units;

    if (needed == 0)
        return;
    zone.over_purged_units -= needed;
    zone.regret_units += REGRET_FACTOR * needed;
    zone.has_regretted = true;
}

size_t zone_begin_interval(bool by_time, size_t given_units)
{
    size_t unmissed = zone.unmissed_units;

    zone.idle_units = zone.dirty_units;
    zone.unmissed_units = given_units;
    if (!by_time)
        return unmissed;
    zone.over_purged_units = 0;
    if (!zone.has_regretted)
        zone.regret_units /= 2;
    zone.has_regretted = false;
    return unmissed;
}

/* Waits until those units are free that are on their way to the system, if there are any. */
static bool waits_for_purge(void)
{
    if (!lock_is_taken(&zone.purge_lock))
        return false;
    zone_wait_for(&zone.purge_lock);
    return true;
}

/* Finds the lowest free run of `units`, which is to be taken, growing the zone where there is none;
 * returns the limit where no more can be had.  May let go of the lock. */
static size_t obtain_run(size_t units, unsigned kind)
{
    for (;;) {
        size_t first = claim_run(units);
        if (first != limit_unit())
            return first;
        if (!zone_grow(units, kind) && !waits_for_purge())
            break;
    }
    /* Others may have given units meanwhile. */
    return claim_run(units);
}

/* What is taken: `units` and up to `most`, or a part of the zone, of those behind them. */
struct wish {
    size_t units, most, populate_most;
    unsigned kind;
    uint32_t number;
};

/* Takes the lowest free run, and leaves *fresh to zone_populate. */
static struct zone_run take(struct wish wish, struct zone_fresh *fresh)
{
    size_t ahead = zone.owned_units >> AHEAD_SHIFT;
    size_t most = ahead < wish.most ? ahead : wish.most;
    size_t end, clean = 0, clean_needed = 0, again = 0, unseen = 0;

    *fresh = (struct zone_fresh){.bytes = 0};
    /* Before anything is marked that has no owner yet, for it may let go of the lock. */
    settle_debt();
    size_t first = obtain_run(wish.units, wish.kind);
    if (first == limit_unit())
        return (struct zone_run){.start = NULL};
    for (end = first + wish.units; end < first + most && end < limit_unit(); end++)
        if (!is_free(end))
            break;
    for (size_t unit = first; unit < end; unit++) {
        if (zone_get_kind(unit) == UNIT_DIRTY) {
            zone.dirty_units--;
        } else {
            clean++;
            clean_needed += unit < first + wish.units;
            again += unit < zone.seen_units;
        }
        unseen += unit >= zone.seen_units;
        zone_set_number(unit, wish.number);
        __atomic_store_n(&zone.map[unit], (uint8_t)wish.kind, __ATOMIC_RELEASE);
    }
    zone.free_units -= end - first;
    if (zone.idle_units > zone.dirty_units)
        zone.idle_units = zone.dirty_units;
    zone.grown_units += clean;
    /* What is not needed yet holds no memory yet; but where it is taken it will. */
    if (zone.dirty_units > 0)
        zone.purge_debt += clean_needed;
    regret(clean);
    zone.unmissed_units -= again < zone.unmissed_units ? again : zone.unmissed_units;
    if (zone.seen_units < end)
        zone.seen_units = end;
    bool holds_none = clean_needed == wish.units;
    if (holds_none && wish.units <= wish.populate_most)
        plan_populate(first, wish.units, end, fresh);
    return (struct zone_run){.start = zone_address(first),
                             .units = end - first,
                             .new_units = unseen,
                             .is_long = holds_none && wish.units > ZONE_SHORT_UNITS};
}

void *zone_take(size_t units, unsigned kind, struct zone_fresh *fresh)
{
    struct wish wish = {.units = units, .populate_most = ZONE_SHORT_UNITS, .kind = kind};

    return take(wish, fresh).start;
}

/* Takes a run and gets its memory. */
static struct zone_run take_and_populate(struct wish wish)
{
    struct zone_fresh fresh;

    lock_take(&zone.lock);
    struct zone_run run = take(wish, &fresh);
    lock_drop(&zone.lock);
    zone_populate(fresh);
    return run;
}

struct zone_run zone_take_run(size_t units, unsigned kind)
{
    return take_and_populate(
        (struct wish){.units = units, .populate_most = ZONE_SHORT_UNITS, .kind = kind});
}

struct zone_run zone_take_for_arena(size_t units, size_t most, unsigned arena, bool zeroed)
{
    return take_and_populate((struct wish){.units = units,
                                           .most = most,
                                           .populate_most = zeroed ? 1 : ZONE_SHORT_UNITS,
                                           .kind = UNIT_BLOCK,
                                           .number = arena | ZONE_ARENA_NUMBER});
}

void zone_give(void *start, size_t units)
{
    size_t first = zone_unit(start);

    zone_set_kinds(first, units, UNIT_DIRTY);
    zone.free_units += units;
    zone.dirty_units += units;
    zone_lower_hints(first, first + units);
    note_excess();
}

/* Lets the memory of ranges go that are dirty for nobody any more.  `is_apart` tells that nobody
 * else takes them meanwhile: the system takes as long for it as a hundred calls do. */
static void purge_ranges(struct os_purge *purge, bool is_apart)
{
    size_t count = purge->count;

    if (!is_apart || count == 0) {
        os_purge_finish(purge);
        return;
    }
    lock_drop(&zone.lock);
    os_purge_finish(purge);
    lock_take(&zone.lock);
    for (size_t i = 0; i < count; i++) {
        size_t units = purge->ranges[i].iov_len >> UNIT_SHIFT;
        size_t first = zone_unit(purge->ranges[i].iov_base);
        zone_set_kinds(first, units, UNIT_CLEAN);
        zone.free_units += units;
        zone_lower_hints(first, first + units);
    }
}

/* The highest dirty units below `unit`, at most so many; returns where they begin and sets *end; 0
 * where there are none. */
static size_t find_dirty_below(size_t unit, size_t most, size_t *end)
{
    while (unit > 0) {
        if (unit == zone.gap_end && unit > zone.gap_start)
            unit = zone.gap_start;
        *end = unit--;
        if (zone_get_kind(unit) != UNIT_DIRTY)
            continue;
        while (unit > 0 && zone_get_kind(unit - 1) == UNIT_DIRTY && *end - unit < most)
            unit--;
        return unit;
    }
    *end = 0;
    return 0;
}

/* At most as much as lies dirty now, whatever others give meanwhile.  Needs the lock of purges. */
static size_t purge_down_to(size_t keep_units, bool is_apart)
{
    size_t most = zone.dirty_units - keep_units, batch_units = 0;
    size_t cleaned = 0, unit = limit_unit(), end;
    struct os_purge purge;

    purge.count = 0;
    while (cleaned < most && zone.dirty_units > keep_units) {
        size_t left = most - cleaned, over = zone.dirty_units - keep_units;
        size_t room = is_apart ? APART_MOST_UNITS - batch_units : left;
        left = left < over ? left : over;
        unit = find_dirty_below(unit, left < room ? left : room, &end);
        if (end == 0)
            break;
        void *start = zone_address(unit);
        size_t units = end - unit;
        habit_look(&zone.habit, start, units << UNIT_SHIFT);
        zone_set_kinds(unit, units, is_apart ? UNIT_FOREIGN : UNIT_CLEAN);
        zone.free_units -= is_apart ? units : 0;
        zone.dirty_units -= units;
        zone.purged_units += units;
        if (zone.idle_units > zone.dirty_units)
            zone.idle_units = zone.dirty_units;
        cleaned += units;
        batch_units += units;
        purge.ranges[purge.count++] = (struct iovec){start, units << UNIT_SHIFT};
        if (purge.count == OS_PURGE_MOST || (is_apart && batch_units == APART_MOST_UNITS)) {
            purge_ranges(&purge, is_apart);
            batch_units = 0;
        }
    }
    purge_ranges(&purge, is_apart);
    return cleaned;
}

size_t zone_purge(size_t keep_units)
{
    if (zone.dirty_units <= keep_units || !lock_try(&zone.purge_lock))
        return 0;
    size_t cleaned = purge_down_to(keep_units, !os_is_single_threaded());
    lock_drop(&zone.purge_lock);
    return cleaned;
}

size_t zone_trim(void)
{
    lock_take(&zone.purge_lock);
    lock_take(&zone.lock);
    size_t cleaned = purge_down_to(0, false);
    lock_drop(&zone.lock);
    lock_drop(&zone.purge_lock);
    return cleaned << UNIT_SHIFT;
}

size_t zone_purge_some(size_t most)
{
    size_t keep = (zone.owned_units - zone.free_units) >> SOME_SHIFT;

    if (keep < SOME_LEAST_UNITS)
        keep = SOME_LEAST_UNITS;
    if (zone.dirty_units > keep + most)
        keep = zone.dirty_units - most;
    return zone_purge(keep);
}
