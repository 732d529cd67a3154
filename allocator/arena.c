#include "allocator/arena.h"

struct block_heap first_arena, more_arenas[ZONE_ARENAS - 1] COLD_DATA;

unsigned arenas_used = 1;

/* No more than threads can run at a time: what lies free in one arena is of no use to the others.
 */
static unsigned arenas_most = ZONE_ARENAS;

/* Before there are threads, which may be bound to one processor each. */
__attribute__((constructor)) static void count_processors(void)
{
    unsigned processors = os_processors();

    if (processors > 0 && processors < ZONE_ARENAS)
        arenas_most = processors;
}

/* Between two looks of decay, 64 slow calls. What is spread over several arenas lies less densely:
 * redis, whose threads meet now and then, held 1.02 of its memory when heaps went on at once. */
enum { WAITS_MOST = 4 };

static struct block_heap *take(unsigned index)
{
    struct block_heap *arena = arena_at(index);

    lock_take(&arena->lock);
    arena->arena = index;
    unsigned before = arena_used();
    while (before <= index && !__atomic_compare_exchange_n(&arenas_used, &before, index + 1, false,
                                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
    return arena;
}

struct block_heap *arena_take_slow(struct arena_place *place)
{
    if (++place->waits == WAITS_MOST) {
        place->waits = 0;
        place->arena = (place->arena + 1) % arenas_most;
    }
    return take(place->arena);
}

void *arena_alloc_elsewhere(unsigned index, size_t bytes, size_t align, bool waits)
{
    void *ptr = NULL;

    for (unsigned i = 0; i < arena_used() && !ptr; i++) {
        struct block_heap *arena = arena_at(i);
        if (i == index)
            continue;
        if (waits)
            lock_take(&arena->lock);
        else if (!lock_try(&arena->lock))
            continue;
        ptr = block_alloc(arena, bytes, align, false);
        lock_drop(&arena->lock);
    }
    return ptr;
}

bool arena_give_some(void)
{
    bool has_given = false;

    for (unsigned i = 0; i < arena_used() && !has_given; i++) {
        struct block_heap *arena = arena_at(i);
        if (!lock_try(&arena->lock))
            continue;
        has_given = block_give_some(arena);
        lock_drop(&arena->lock);
    }
    return has_given;
}

void arena_decay(size_t most)
{
    for (unsigned i = 0; i < arena_used(); i++) {
        struct block_heap *arena = arena_at(i);
        lock_take(&arena->lock);
        block_decay(arena, most);
        lock_drop(&arena->lock);
    }
}

void arena_purge_long(size_t bytes)
{
    size_t purged = 0;

    for (unsigned i = 0; i < arena_used() && purged < bytes; i++) {
        struct block_heap *arena = arena_at(i);
        lock_take(&arena->lock);
        purged += block_purge_long(arena, bytes - purged);
        lock_drop(&arena->lock);
    }
}

size_t arena_trim(void)
{
    size_t trimmed = 0;

    for (unsigned i = 0; i < arena_used(); i++) {
        struct block_heap *arena = arena_at(i);
        lock_take(&arena->lock);
        trimmed += block_trim(arena);
        lock_drop(&arena->lock);
    }
    return trimmed;
}

void arena_count(size_t *splits, size_t *coalesces)
{
    *splits = *coalesces = 0;
    for (unsigned i = 0; i < arena_used(); i++) {
        struct block_heap *arena = arena_at(i);
        lock_take(&arena->lock);
        *splits += arena->splits;
        *coalesces += arena->coalesces;
        lock_drop(&arena->lock);
    }
}

void arena_lock_all(void (*change)(struct lock *))
{
    for (unsigned i = 0; i < ZONE_ARENAS; i++)
        change(&arena_at(i)->lock);
}
