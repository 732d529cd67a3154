#include "allocator/arena.h"

struct block_heap first_arena, more_arenas[PLACES_MOST - 1] COLD_DATA;
struct places arena_places;

struct block_heap *arena_take_slow(struct place *place)
{
    place_waits(&arena_places, place, places_most(PLACES_MOST));
    struct block_heap *arena = arena_at(place->index);
    lock_take(&arena->lock);
    return arena;
}

void *arena_alloc_elsewhere(unsigned index, size_t bytes, size_t align, bool waits)
{
    void *ptr = NULL;

    for (unsigned i = 0; i < places_used(&arena_places) && !ptr; i++) {
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

    for (unsigned i = 0; i < places_used(&arena_places) && !has_given; i++) {
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
    for (unsigned i = 0; i < places_used(&arena_places); i++) {
        struct block_heap *arena = arena_at(i);
        lock_take(&arena->lock);
        block_decay(arena, most);
        lock_drop(&arena->lock);
    }
}

void arena_purge_long(size_t bytes)
{
    size_t purged = 0;

    for (unsigned i = 0; i < places_used(&arena_places) && purged < bytes; i++) {
        struct block_heap *arena = arena_at(i);
        lock_take(&arena->lock);
        purged += block_purge_long(arena, bytes - purged);
        lock_drop(&arena->lock);
    }
}

size_t arena_trim(void)
{
    size_t trimmed = 0;

    for (unsigned i = 0; i < places_used(&arena_places); i++) {
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
    for (unsigned i = 0; i < places_used(&arena_places); i++) {
        struct block_heap *arena = arena_at(i);
        lock_take(&arena->lock);
        *splits += arena->splits;
        *coalesces += arena->coalesces;
        lock_drop(&arena->lock);
    }
}

void arena_lock_all(void (*change)(struct lock *))
{
    for (unsigned i = 0; i < places_used(&arena_places); i++)
        change(&arena_at(i)->lock);
}
