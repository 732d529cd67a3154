#include "allocator/slab.h"

#include "allocator/arena.h"
#include "allocator/base.h"
#include "allocator/fault.h"

struct slab {
    struct tree_node node; /* the key is the unit: a set is ordered by address */
    struct slab_set *owner;
    uint16_t free_count, capacity;
    uint32_t reciprocal;  /* of the size of an object: 2^32 divided by it, rounded up */
    uint64_t free_bits[]; /* as many words as the capacity takes */
};

/* What is known of slabs lies densely in entries, some longer than others, and the number of a
 * slab's unit says where: most units may well be no slabs (EXPERIMENTS.md, "What a heap costs").
 * The first entries lie among the allocator's other small tables, so that a small program holds no
 * page for them. The table of all others has room for one of the longest for each unit that the
 * zone may come to have, and is committed in steps of TABLE_STEP_BYTES. An entry that is no longer
 * in use is only for others of its length: more may be asked for than there is room, and blocks
 * serve the size then.
 *
 * Those of sets with a pool lie apart: with room for any class, and in lines of the cache of their
 * own, for what two threads write of two slabs is not to lie side by side. They, and no others,
 * begin at a multiple of APART_BYTES.
 *
 * The zone's lock guards all of it, but for the entries of live slabs and pooled units. */
enum { FIRST_BYTES = 512, APART_BYTES = 128 };
enum { WORDS_APART = (APART_BYTES - sizeof(struct slab)) / sizeof(uint64_t) };
static struct {
    char *first;   /* FIRST_BYTES */
    char *entries; /* where the table would begin if it held the first, too; NULL without one */
    size_t committed, most; /* bytes of both */
    size_t refused_at;      /* the units of the zone when there was no room for it; or 0 */
    size_t used;            /* bytes of entries that were ever in use */
    /* Those that no longer are, by their number of words and linked through `left`. */
    struct tree_node *unused[WORDS_APART + 1];
} tables;
_Static_assert(APART_BYTES % CACHE_LINE_BYTES == 0 && (unsigned)WORDS_APART > SLAB_WORDS,
               "entries apart fill lines of the cache, and have a list of their own");

#define TABLE_STEP_BYTES ((size_t)64 * 1024)
enum { ENTRY_STEP = sizeof(uint64_t) };

/* The entry at so many bytes. */
static struct slab *entry_at(size_t at)
{
    /* Another thread may just get the first of the table of all others. */
    char **table = at < FIRST_BYTES ? &tables.first : &tables.entries;

    return (void *)(__atomic_load_n(table, __ATOMIC_RELAXED) + at);
}

static size_t place_of(const struct slab *entry)
{
    size_t at = (size_t)((uintptr_t)entry - (uintptr_t)tables.first);

    return at < FIRST_BYTES ? at : (size_t)((uintptr_t)entry - (uintptr_t)tables.entries);
}

static struct slab *slab_of_unit(size_t unit)
{
    return entry_at((size_t)zone_get_number(unit) * ENTRY_STEP);
}

static struct slab *slab_of_node(struct tree_node *node)
{
    return (struct slab *)node; /* its first member */
}

static char *start_of(const struct slab *slab)
{
    return zone_address(slab->node.key);
}

struct slab_set *slab_owner(const void *object)
{
    return slab_of_unit(zone_unit(object))->owner;
}

static unsigned capacity_of(unsigned size_class)
{
    size_t objects = UNIT_BYTES / slab_class_bytes(size_class);

    return objects < SLAB_MOST_OBJECTS ? (unsigned)objects : SLAB_MOST_OBJECTS;
}

static unsigned words_for(unsigned capacity)
{
    return (capacity + 63) / 64;
}

static size_t entry_bytes(unsigned words)
{
    return sizeof(struct slab) + words * sizeof(uint64_t);
}

/* One for each unit that the process may come to have. */
static size_t table_bytes(void)
{
    return (zone_span_now() >> UNIT_SHIFT) * entry_bytes(WORDS_APART);
}

/* For bytes [FIRST_BYTES, end) of entries. */
static bool commit_entries(size_t end)
{
    if (!tables.entries) {
        /* Asked again for each small object it would cost two system calls. */
        if (tables.refused_at == zone.owned_units)
            return false;
        size_t bytes = table_bytes();
        char *start = os_reserve(NULL, bytes);
        if (!start) {
            tables.refused_at = zone.owned_units;
            return false;
        }
        __atomic_store_n(&tables.entries, start - FIRST_BYTES, __ATOMIC_RELAXED);
        tables.committed = FIRST_BYTES;
        tables.most = FIRST_BYTES + bytes;
    }
    if (end <= tables.committed)
        return true;
    if (end > tables.most)
        return false;
    size_t more = (end - tables.committed + TABLE_STEP_BYTES - 1) & ~(TABLE_STEP_BYTES - 1);
    if (more > tables.most - tables.committed)
        more = tables.most - tables.committed;
    if (!os_commit(tables.entries + tables.committed, more))
        return false;
    tables.committed += more;
    return true;
}

bool slab_give_up_room(void)
{
    lock_take(&zone.lock);
    size_t keep = FIRST_BYTES + table_bytes();
    if (keep < tables.committed)
        keep = tables.committed;
    bool has_more = tables.most > keep;
    if (has_more) {
        os_unmap(tables.entries + keep, tables.most - keep);
        tables.most = keep;
    }
    lock_drop(&zone.lock);
    return has_more;
}

/* Where the next entry may begin from `at` on. */
static size_t next_place(size_t at, unsigned words)
{
    if (words == WORDS_APART)
        return (at + APART_BYTES - 1) & ~(size_t)(APART_BYTES - 1);
    return at % APART_BYTES == 0 ? at + ENTRY_STEP : at;
}

static bool is_apart(const struct slab *entry)
{
    return place_of(entry) % APART_BYTES == 0;
}

/* Takes memory that no entry had yet; returns where it begins, SIZE_MAX where there is none. */
static size_t take_fresh(unsigned words)
{
    size_t bytes = entry_bytes(words), at = next_place(tables.used, words);

    if (!tables.first && !(tables.first = base_take(FIRST_BYTES)))
        return SIZE_MAX;
    if (at < FIRST_BYTES && at + bytes > FIRST_BYTES)
        at = next_place(FIRST_BYTES, words);
    if (at >= FIRST_BYTES && !commit_entries(at + bytes))
        return SIZE_MAX;
    tables.used = at + bytes;
    return at;
}

/* Gives a unit an entry with so many words; NULL where there is no memory. */
static struct slab *take_entry(size_t unit, unsigned words)
{
    struct tree_node **unused = &tables.unused[words];
    struct slab *slab;

    if (*unused) {
        slab = slab_of_node(*unused);
        *unused = slab->node.left;
    } else {
        size_t at = take_fresh(words);
        if (at == SIZE_MAX)
            return NULL;
        slab = entry_at(at);
    }
    zone_set_number(unit, (uint32_t)(place_of(slab) / ENTRY_STEP));
    slab->node.key = unit;
    slab->capacity = 0;
    return slab;
}

static void give_entry(struct slab *slab)
{
    unsigned words = is_apart(slab) ? WORDS_APART : words_for(slab->capacity);

    slab->node.left = tables.unused[words];
    tables.unused[words] = &slab->node;
}

static void set_all_free(struct slab *slab)
{
    unsigned left = slab->capacity;

    for (unsigned word = 0; left > 0; word++) {
        unsigned bits = left < 64 ? left : 64;
        slab->free_bits[word] = bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
        left -= bits;
    }
}

static size_t units_of(const struct slab_set *set)
{
    size_t units = 0;

    for (unsigned c = 0; c < SLAB_CLASSES; c++)
        units += slab_class_units(set, c);
    return units;
}

/* Takes the zone's lock for slabs that come or go.  Where others hold it the set keeps more of
 * those that would go.  Needs the lock of a class of the set, if that is not private and has no
 * pool yet. */
static void lock_zone(struct slab_set *set)
{
    if (!lock_take_waits(&zone.lock) || set->is_private)
        return;
    struct slab_pool *pool = set->pool;
    if (!pool && (pool = slab_pool_new()))
        __atomic_store_n(&set->pool, pool, __ATOMIC_RELEASE);
    if (pool)
        slab_pool_press(pool, slab_pool_is_small(pool) ? 0 : units_of(set));
}

static struct slab_pool *get_pool(const struct slab_set *set)
{
    return __atomic_load_n(&set->pool, __ATOMIC_ACQUIRE);
}

static void count_units(struct slab_class *class, int more)
{
    __atomic_store_n(&class->units, class->units + (unsigned)more, __ATOMIC_RELAXED);
}

/* A unit and an entry for a slab of the set; NULL where there is no memory.  Needs the zone's lock.
 */
static struct slab *take_slab(struct slab_set *set, unsigned size_class, struct zone_fresh *fresh)
{
    unsigned words = set->pool ? WORDS_APART : words_for(capacity_of(size_class));
    struct slab *slab = NULL;
    char *start = zone_take(1, UNIT_SLAB + size_class, fresh);

    if (start && !(slab = take_entry(zone_unit(start), words)))
        zone_give(start, 1);
    /* Here, because whoever holds the lock may look at the owners of all slabs. */
    if (slab)
        slab->owner = set;
    return slab;
}

/* Makes all objects of a slab free, and the slab one of the open ones. */
static void open_slab(struct slab_set *set, struct slab *slab, unsigned size_class)
{
    unsigned bytes = (unsigned)slab_class_bytes(size_class);

    slab->free_count = slab->capacity;
    slab->reciprocal = (uint32_t)(((UINT64_C(1) << 32) + bytes - 1) / bytes);
    set_all_free(slab);
    tree_insert(&set->classes[size_class].open, &slab->node);
}

/* Gives the unit of a slab that nobody uses to the zone, whose lock it needs and may let go. */
static void give_slab(struct slab *slab)
{
    give_entry(slab);
    zone_give(start_of(slab), 1);
}

/* The same for several units of the set. */
static void give_units(struct slab_set *set, const uint32_t *units, unsigned count)
{
    if (count == 0)
        return;
    lock_zone(set);
    for (unsigned i = 0; i < count; i++)
        give_slab(slab_of_unit(units[i]));
    lock_drop(&zone.lock);
}

/* Leaves a unit of a slab of the set that nobody uses to the next one that needs it. */
static void pool_unit(struct slab_set *set, struct slab_pool *pool, size_t unit)
{
    uint32_t going[SLAB_POOL_GOING_MOST];

    give_units(set, going, slab_pool_put(pool, unit, going));
}

/* Has as many units come to the pool as it wants, from what is free and as long as nobody has to
 * prefault for it.  Drops the zone's lock. */
static RARE void fill_pool(struct slab_set *set, struct slab_pool *pool, unsigned size_class,
                           struct zone_fresh *fresh)
{
    size_t units[SLAB_POOL_COMING_MOST];
    unsigned wanted = slab_pool_wants(pool), count = 0;

    while (count < wanted && fresh->bytes == 0 && zone.free_units > 0) {
        const struct slab *slab = take_slab(set, size_class, fresh);
        if (!slab)
            break;
        units[count++] = slab->node.key;
    }
    lock_drop(&zone.lock);
    for (unsigned i = 0; i < count; i++)
        pool_unit(set, pool, units[i]);
}

/* A slab of a unit that the zone gives; NULL where there is no memory. */
static struct slab *slab_of_zone(struct slab_set *set, unsigned size_class)
{
    struct zone_fresh fresh;

    lock_zone(set);
    /* What holds memory but no object goes before memory that is new. */
    if (zone.dirty_units == 0) {
        lock_drop(&zone.lock);
        (void)arena_give_some();
        lock_take(&zone.lock);
    }
    struct slab *slab = take_slab(set, size_class, &fresh);
    if (slab && set->pool)
        fill_pool(set, set->pool, size_class, &fresh);
    else
        lock_drop(&zone.lock);
    zone_populate(fresh);
    return slab;
}

/* Opens a slab; NULL where there is no memory. */
static struct slab *new_slab(struct slab_set *set, unsigned size_class)
{
    struct slab_pool *pool = get_pool(set);
    struct slab *slab;
    size_t unit;

    if (pool && slab_pool_take(pool, &unit)) {
        slab = slab_of_unit(unit);
        zone_set_slab_kind(unit, UNIT_SLAB + size_class);
    } else if (!(slab = slab_of_zone(set, size_class))) {
        return NULL;
    }
    slab->capacity = (uint16_t)capacity_of(size_class);
    count_units(&set->classes[size_class], 1);
    open_slab(set, slab, size_class);
    return slab;
}

/* Takes up to `most` of the objects that the bits of a word tell, at least one, lowest first, into
 * objects[-1], objects[-2], ...; returns how many.  `start` is the address that bit 0 stands for.
 */
static inline unsigned take_bits(uint64_t *word, char *start, size_t bytes, void **objects,
                                 unsigned most)
{
    uint64_t bits = *word, lowest = bits & -bits;
    unsigned taken = 0;

    /* One run, as in a slab of which nothing was ever freed, or all. */
    if ((bits & (bits + lowest)) == 0) {
        unsigned first = (unsigned)__builtin_ctzll(bits);
        unsigned end = 64 - (unsigned)__builtin_clzll(bits);
        taken = end - first < most ? end - first : most;
        start += first * bytes;
        for (void **last = objects - taken; objects > last; start += bytes)
            *--objects = start;
        *word = taken == end - first ? 0 : bits & ~UINT64_C(0) << (first + taken);
        return taken;
    }
    do {
        *--objects = start + (unsigned)__builtin_ctzll(bits) * bytes;
        bits &= bits - 1;
    } while (++taken < most && bits);
    *word = bits;
    return taken;
}

/* Takes up to `count` free objects of one slab, at least one, into objects[-1], objects[-2], ... */
static unsigned take_from(struct slab *slab, size_t bytes, void **objects, unsigned count)
{
    unsigned most = count < slab->free_count ? count : slab->free_count, taken = 0;
    char *start = start_of(slab);

    for (uint64_t *word = slab->free_bits; taken < most; word++, start += 64 * bytes)
        if (*word != 0)
            taken += take_bits(word, start, bytes, objects - taken, most - taken);
    slab->free_count = (uint16_t)(slab->free_count - taken);
    return taken;
}

unsigned slab_take(struct slab_set *set, unsigned size_class, void **objects, unsigned count)
{
    unsigned left = count;

    while (left > 0) {
        struct tree_node *lowest = tree_first(set->classes[size_class].open);
        struct slab *slab = lowest ? slab_of_node(lowest) : new_slab(set, size_class);
        if (!slab)
            break;
        left -= take_from(slab, slab_class_bytes(size_class), objects + left, left);
        if (slab->free_count == 0)
            (void)tree_remove(&set->classes[size_class].open, &slab->node);
    }
    /* Fewer than asked for: close the gap below. */
    if (left > 0 && left < count)
        for (unsigned i = left; i < count; i++)
            objects[i - left] = objects[i];
    return count - left;
}

/* The slab of a live object; aborts where that is gone, and its entry perhaps another's. */
static inline struct slab *live_slab(const void *object, size_t unit)
{
    struct slab *slab = slab_of_unit(unit);

    if (__builtin_expect(slab->node.key != unit, 0))
        fault_die("double free", object);
    return slab;
}

/* Puts those of the objects from `object` up to `end` back that lie in this slab, at least one, and
 * returns where the first is that does not.
 *
 * Divides by the size with a multiplication (Granlund and Montgomery, 1994): the high half of the
 * product is the index, and the low half tells by being less than the reciprocal that nothing is
 * left over (Lemire, Kaser and Kurz, 2019): it is the remainder, times the reciprocal, and an error
 * that is less than an offset. */
static inline void **put_run(struct slab *slab, size_t bytes, void **object, void **end)
{
    void **const first = object;
    const char *start = start_of(slab);
    const size_t used_bytes = slab->capacity * bytes;
    const uint32_t reciprocal = slab->reciprocal;

    for (; object < end; object++) {
        size_t offset = (size_t)((char *)*object - start);
        if (offset >= used_bytes)
            break;
        uint64_t product = (uint64_t)offset * reciprocal;
        if (__builtin_expect((uint32_t)product >= reciprocal, 0))
            fault_die("invalid pointer", *object);
        uint64_t *word = &slab->free_bits[product >> 38], bit = UINT64_C(1) << (product >> 32 & 63);
        if (__builtin_expect((*word & bit) != 0, 0))
            fault_die("double free", *object);
        *word |= bit;
    }
    if (__builtin_expect(object == first, 0))
        fault_die("invalid pointer", *first);
    return object;
}

/* Brings a slab whose number of free objects was `before` to its place: among the open ones, or
 * back to the zone. */
static NOINLINE void settle(struct slab_set *set, struct slab *slab, unsigned size_class,
                            unsigned before)
{
    struct slab_class *class = &set->classes[size_class];
    struct slab_pool *pool;

    if (slab->free_count < slab->capacity) {
        tree_insert(&class->open, &slab->node);
        return;
    }
    if (before > 0)
        (void)tree_remove(&class->open, &slab->node);
    count_units(class, -1);
    if ((pool = get_pool(set)) && is_apart(slab)) {
        pool_unit(set, pool, slab->node.key);
        return;
    }
    lock_zone(set);
    give_slab(slab);
    lock_drop(&zone.lock);
}

unsigned slab_put(struct slab_set *set, unsigned size_class, void **objects, unsigned count)
{
    const size_t bytes = slab_class_bytes(size_class);
    void **object = objects, **const end = objects + count, **kept = objects;

    while (object < end) {
        struct slab *slab = live_slab(*object, zone_unit(*object));
        if (slab->owner != set) {
            *kept++ = *object++;
            continue;
        }
        /* Objects that were freed one after the other often lie in one slab. */
        void **next = put_run(slab, bytes, object, end);
        unsigned before = slab->free_count;
        unsigned now = before + (unsigned)(next - object);
        slab->free_count = (uint16_t)now;
        /* Most are among the open ones already, and stay there. */
        if (before == 0 || now == slab->capacity)
            settle(set, slab, size_class, before);
        object = next;
    }
    return (unsigned)(kept - objects);
}

void slab_put_back(unsigned size_class, void **objects, unsigned count)
{
    for (unsigned left = count; left > 0;) {
        struct slab_set *owner = slab_owner(objects[left - 1]);
        lock_take(&owner->classes[size_class].lock);
        left = slab_put(owner, size_class, objects, left);
        lock_drop(&owner->classes[size_class].lock);
    }
}

void slab_give_all(struct slab_set *set)
{
    lock_take(&zone.lock);
    for (size_t unit = 0; unit < zone.limit >> UNIT_SHIFT; unit++)
        if (zone_get_kind(unit) >= UNIT_SLAB && slab_of_unit(unit)->owner == set)
            give_slab(slab_of_unit(unit));
    lock_drop(&zone.lock);
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        set->classes[c].open = NULL;
        count_units(&set->classes[c], -(int)set->classes[c].units);
    }
}

void slab_decay(struct slab_set *set, bool all)
{
    struct slab_pool *pool = get_pool(set);
    uint32_t going[SLAB_POOL_MOST];

    if (pool)
        give_units(set, going, slab_pool_decay(pool, all, going));
}

void slab_lock_all(struct slab_set *set, void (*change)(struct lock *))
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++)
        change(&set->classes[c].lock);
    if (get_pool(set))
        change(&set->pool->lock);
}

static const char *verify_slab(const struct slab_set *set, unsigned size_class,
                               const struct slab *slab)
{
    unsigned bits = 0;

    for (unsigned word = 0; word < words_for(slab->capacity); word++)
        bits += (unsigned)__builtin_popcountll(slab->free_bits[word]);
    if (slab->owner != set)
        return "open slab of another set";
    if (zone_kind(start_of(slab)) != UNIT_SLAB + size_class)
        return "map and set differ about the class of a slab";
    if (bits != slab->free_count)
        return "free_count differs from free_bits";
    if (bits == 0)
        return "full slab in a set";
    if (bits == slab->capacity)
        return "empty slab in a set";
    return NULL;
}

const char *slab_verify(const struct slab_set *set)
{
    for (unsigned c = 0; c < SLAB_CLASSES; c++) {
        size_t open = 0;
        for (struct tree_node *node = tree_first(set->classes[c].open); node;
             node = tree_after(set->classes[c].open, node), open++) {
            const char *broken = verify_slab(set, c, slab_of_node(node));
            if (broken)
                return broken;
        }
        if (open > slab_class_units(set, c))
            return "more open slabs than slabs";
    }
    return NULL;
}
