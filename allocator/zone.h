/* The zone: one window of addresses, cut into units of 8 KiB, and one byte for each unit.
 *
 * Units come from the program break in multiples of MEM_BRK_INCREMENT.  Where the break cannot be
 * had (something lies above it, a limit, Valgrind) or cannot be had safely (a process with several
 * threads, in which a foreign sbrk could run at the same time: sbrk is not thread-safe), a reserved
 * range inside the same window with a break of our own takes over.
 *
 * Invariants: map[u] tells what unit u is, and 0 (UNIT_FOREIGN) for every unit that is not ours, so
 * that a zeroed map is a valid one; bytes at and beyond `limit` belong to nobody here; all free
 * runs are found in the map itself, so neighbouring free units merge without any work.
 * Runs are taken lowest address first: what lives long gathers at the bottom and the top drains.
 *
 * The functions that follow the inline ones need the zone's lock where they do not say otherwise.
 * Where there are several threads zone_take, zone_take_for_arena, zone_give, zone_settle,
 * zone_purge and zone_purge_some let go of it while the system gives or gets memory: what was read
 * of the zone before need not hold afterwards. */
#ifndef ALLOCATOR_ZONE_H
#define ALLOCATOR_ZONE_H

#include <endian.h>

#include "allocator/habit.h"
#include "allocator/include/allocator.h"
#include "allocator/lock.h"

/* 8 KiB: a program with few objects in each of 32 classes holds 32 partly used units, so units are
 * small; 4 KiB loses more in the tables and at the ends of slabs (EXPERIMENTS.md, "Unit size"). */
enum { UNIT_SHIFT = 13 };
#define UNIT_BYTES ((size_t)1 << UNIT_SHIFT)
/* Of addresses in the window, at most. */
#define ZONE_SPAN_MOST ((size_t)1 << 40)

enum unit_kind {
    UNIT_FOREIGN, /* not ours, or on its way to the system */
    UNIT_CLEAN,   /* free, holds no memory, reads as zero */
    UNIT_DIRTY,   /* free, may hold memory */
    UNIT_BLOCK,   /* part of a segment of the arena that its number tells */
    UNIT_PRIVATE, /* of a heap instance's block heap */
    UNIT_SLAB     /* UNIT_SLAB + c: a slab of size class c */
};

/* One for each length up to that of the largest block, from 1 on. */
enum { ZONE_HINTS = 2 + (MEM_MMAP_THRESHOLD >> UNIT_SHIFT) };

struct zone {
    /* What every free reads. */
    uintptr_t base; /* start of unit 0, a multiple of UNIT_BYTES */
    size_t limit;   /* bytes from base to the end of the highest unit that is ours */
    uint8_t *map;
    /* And what every slow call reads, here because other lines are written more often. */
    bool has_excess; /* more lies dirty than is to stay: zone_settle is to be called */
    bool is_waiting; /* what lies dirty, for that; guarded by the lock of waiting.c */

    _Alignas(CACHE_LINE_BYTES) struct lock lock;
    size_t map_committed; /* units whose kinds and numbers can be read and written */
    size_t span;          /* bytes of address window that the map can describe */
    size_t owned_units;   /* not foreign */
    size_t free_units;    /* clean or dirty */
    size_t dirty_units;
    size_t idle_units;        /* the least number of dirty units since decay began an interval */
    size_t unmissed_units;    /* given back when it began and not needed again since */
    size_t seen_units;        /* from this one on none was ever taken */
    size_t grown_units;       /* taken clean so far or prefaulted, for the first time or again */
    size_t purged_units;      /* cleaned so far */
    size_t purge_debt;        /* clean units taken while there were dirty ones; see settle_debt */
    size_t over_purged_units; /* cleaned by bound_dirty since decay began an interval */
    size_t regret_units; /* a multiple of those that were needed again at once; see dirty_most */
    bool has_regretted;  /* since decay began an interval */
    /* Comes before the zone's lock: held while the zone grows by more than little. */
    struct lock growth_lock;
    struct lock purge_lock; /* held by who purges; comes before the zone's, too */
    size_t growing_units;   /* asked for from the system just now, without the zone's lock */
    /* Offsets of the reserved range; all 0 without one.  From soft_start on nothing was asked for,
     * or the system refused it. */
    size_t soft_first, soft_start, soft_end;
    size_t soft_most; /* bytes reserved at a time; 0 means no bound */
    /* Units left to others between the program break and the first reserved range. */
    size_t gap_start, gap_end;
    struct habit habit;   /* what the program does with long runs and large objects */
    unsigned fillable;    /* long ranges that were filled, or were to show the habit instead */
    size_t large_bytes;   /* of large objects; atomic */
    bool cannot_populate; /* the kernel doesn't know how; not asked again */
    bool break_refused;   /* the program break could not be moved; not asked again */
    /* No free run of n units starts below any of hints[1] to hints[n]: each tells of runs of its
     * length and longer ones, whatever those beside it are.  None is above highest_hint. */
    size_t hints[ZONE_HINTS], highest_hint;
    size_t hint_slack; /* how far below a run the next hint is to lie */
};

extern struct zone zone HIDDEN;

/* The distance of an address from the zone's base; at least `limit` for an address outside, NULL
 * and the time before the first allocation included. */
static inline size_t zone_offset(const void *address)
{
    return (uintptr_t)address - __atomic_load_n(&zone.base, __ATOMIC_RELAXED);
}

static inline size_t zone_limit(void)
{
    return __atomic_load_n(&zone.limit, __ATOMIC_ACQUIRE);
}

/* Sets *kind to the kind of the address's unit; false where that lies outside of the zone, as NULL
 * does. */
static inline bool zone_find_kind(const void *address, unsigned *kind)
{
    /* First, so that a limit above 0 comes with the base that it was set for. */
    size_t limit = zone_limit(), offset = zone_offset(address);

    if (__builtin_expect(offset >= limit, 0))
        return false;
    *kind = __atomic_load_n(&zone.map[offset >> UNIT_SHIFT], __ATOMIC_RELAXED);
    return true;
}

/* The same for the number of a unit below the limit. */
static inline unsigned zone_get_kind(size_t unit)
{
    return __atomic_load_n(&zone.map[unit], __ATOMIC_RELAXED);
}

/* Of a run of units; needs the zone's lock. */
static inline void zone_set_kinds(size_t first, size_t units, unsigned kind)
{
    for (size_t unit = first; unit < first + units; unit++)
        __atomic_store_n(&zone.map[unit], (uint8_t)kind, __ATOMIC_RELAXED);
}

/* Of a unit that is a slab for whoever calls this: another class's.  Needs no lock. */
static inline void zone_set_slab_kind(size_t unit, unsigned kind)
{
    /* Every free of what lies near reads that line. */
    if (zone_get_kind(unit) != kind)
        __atomic_store_n(&zone.map[unit], (uint8_t)kind, __ATOMIC_RELEASE);
}

/* Those of eight units from `unit` on, a multiple of 8, the lowest in the lowest byte; what lies
 * beyond the limit is undefined. */
static inline uint64_t zone_get_kinds(size_t unit)
{
    return le64toh(__atomic_load_n((uint64_t *)(void *)&zone.map[unit], __ATOMIC_RELAXED));
}

static inline unsigned zone_kind(const void *address)
{
    unsigned kind;

    return zone_find_kind(address, &kind) ? kind : UNIT_FOREIGN;
}

/* Whether units of this kind belong to a block heap, an arena or an instance's. */
static inline bool zone_is_block(unsigned kind)
{
    return kind - UNIT_BLOCK <= UNIT_PRIVATE - UNIT_BLOCK;
}

static inline size_t zone_unit(const void *address)
{
    return zone_offset(address) >> UNIT_SHIFT;
}

/* A number for each unit that is ours, for the layer that has it.  They lie below the map and
 * upside down, so that a small program holds one page for both. */
static inline uint32_t *zone_number(size_t unit)
{
    return (uint32_t *)(void *)zone.map - 1 - unit;
}

static inline uint32_t zone_get_number(size_t unit)
{
    return __atomic_load_n(zone_number(unit), __ATOMIC_RELAXED);
}

static inline void zone_set_number(size_t unit, uint32_t number)
{
    __atomic_store_n(zone_number(unit), number, __ATOMIC_RELAXED);
}

/* Marks the numbers of arenas, apart from those that other layers give. */
#define ZONE_ARENA_NUMBER (UINT32_C(1) << 31)

/* The arena of a unit that is in use as part of one. */
static inline unsigned zone_arena(size_t unit)
{
    return zone_get_number(unit) & ~ZONE_ARENA_NUMBER;
}

/* Whether an address lies in a unit of this arena, whose lock is held.  Others may take and give
 * the unit meanwhile: then its number, which comes before its kind, is no longer or not yet this
 * one. */
static inline bool zone_is_of_arena(const void *address, unsigned arena)
{
    size_t limit = zone_limit(), offset = zone_offset(address), unit = offset >> UNIT_SHIFT;

    return offset < limit && __atomic_load_n(&zone.map[unit], __ATOMIC_ACQUIRE) == UNIT_BLOCK &&
           zone_get_number(unit) == (arena | ZONE_ARENA_NUMBER);
}

static inline void *zone_address(size_t unit)
{
    return (void *)(zone.base + (unit << UNIT_SHIFT));
}

/* Of a longer run than 16 KiB the program may never write the end: it gets no memory ahead of need,
 * and growth for it takes small pages unless the program has credit (habit.h), since a heap of
 * such blocks may be sparse (EXPERIMENTS.md, "Blocks of which little is written"). */
enum { ZONE_SHORT_UNITS = (16 * 1024) >> UNIT_SHIFT };

/* Memory that is better got at once than page by page; none where `bytes` is 0. */
struct zone_fresh {
    void *start;
    size_t bytes;
};

/* A run that was taken. */
struct zone_run {
    void *start;      /* NULL where there is none */
    size_t units;     /* those that were asked for and free ones behind them */
    size_t new_units; /* so many at the end of these nobody had before: they hold zeros */
    bool is_long;     /* more than short, and holds no memory: see zone_note_long */
};

/* Waits until nobody holds a lock that comes before the zone's; others may have the zone's
 * meanwhile. */
static inline void zone_wait_for(struct lock *lock)
{
    lock_drop(&zone.lock);
    lock_take(lock);
    lock_drop(lock);
    lock_take(&zone.lock);
}

/* Returns the lowest free run of `units` and marks it as `kind`; NULL with nothing changed where
 * the system gives no more.  Where the zone has to grow or purges others may have the lock in
 * between.
 * Leaves *fresh to zone_populate, which may take as long as a hundred other calls and needs no
 * lock. */
void *zone_take(size_t units, unsigned kind, struct zone_fresh *fresh);
void zone_populate(struct zone_fresh fresh);
/* Both; takes the zone's lock. */
struct zone_run zone_take_run(size_t units, unsigned kind);
/* The same for the arena of a number, and up to `most` units and 1/64 of the zone, where those
 * behind the run are free.  Of what is to be zero programs often use little: more than one unit of
 * it gets no memory before it is written. */
struct zone_run zone_take_for_arena(size_t units, size_t most, unsigned arena, bool zeroed);
/* Tells of [start, start + bytes), which a program will own and which holds no memory yet.  If the
 * program writes such ranges up to 1 MiB from `filled_from` on, which is its own, too, gets memory
 * at once; one in five gets none, and shows whether the program still does.  Where `filled_from` is
 * NULL none gets any.  Takes the zone's lock. */
void zone_note_long(const void *start, size_t bytes, const void *filled_from);
/* Tells that memory of [start, start + bytes), which was given to the program, is about to go.
 * Takes the zone's lock. */
void zone_look_at_long(const void *start, size_t bytes);
/* Tells that large objects have so many bytes more, modulo 2^64, and how many.  Need no lock. */
static inline void zone_add_large(size_t bytes)
{
    __atomic_add_fetch(&zone.large_bytes, bytes, __ATOMIC_RELAXED);
}

static inline size_t zone_large_bytes(void)
{
    return __atomic_load_n(&zone.large_bytes, __ATOMIC_RELAXED);
}
/* Gives a run, or a part of one, back. More units may lie dirty then than are to stay; of very many
 * some go at once (zone_purge). */
void zone_give(void *start, size_t units);
/* Whether there are such, which has_excess says from then on. */
bool zone_update_excess(void);
/* Has memory of one of `parts` of them go to the system, and of 4 MiB at least; returns whether
 * none are left. */
bool zone_settle(unsigned parts);
/* So many more may stay from now on, since the program took as many back that were to go. */
void zone_want(size_t units);
/* Returns the memory of dirty units to the system, highest address first, until at most
 * `keep_units` of them are left; returns the number of units cleaned.  Where there are several
 * threads others may have the zone's lock meanwhile, and nothing is done while one of them is at
 * it. */
size_t zone_purge(size_t keep_units);
/* All of it; returns bytes.  Takes the zone's lock. */
size_t zone_trim(void);
/* The same for up to `most` of those beyond a sixteenth of what is in use, 128 KiB at least. */
size_t zone_purge_some(size_t most);
/* Begins an interval of decay, for which `given_units` were cleaned: what lies dirty from now on to
 * the next one is idle.  One that ends by time, and not by traffic, also ends the memory of what
 * was purged too soon.  Returns how many of the units given for the last interval nobody took again
 * in it. */
size_t zone_begin_interval(bool by_time, size_t given_units);
/* How much of the window the process may use, which may have limited itself since it was chosen. */
size_t zone_span_now(void);
/* Gives addresses back that are reserved for growth beyond that; returns whether there were any.
 * Takes the zone's lock. */
bool zone_give_up_room(void);
/* Never uses the program break from now on, and reserves no more than `most` bytes at a time. */
void zone_avoid_break(size_t most);

#endif
