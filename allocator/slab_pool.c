#include "allocator/slab_pool.h"

#include <string.h>

enum {
    FIRST_MOST = 4,
    /* Of the units of a set, and of a small set: a program may free all that it had in one go, and
     * take it again (EXPERIMENTS.md, "Pools of units"). */
    MOST_SHIFT = 3,
    SMALL_SET_MOST = 128
};

static unsigned get_most(const struct slab_pool *pool)
{
    return __atomic_load_n(&pool->most, __ATOMIC_RELAXED);
}

static void set_most(struct slab_pool *pool, size_t most)
{
    __atomic_store_n(&pool->most, (uint16_t)most, __ATOMIC_RELAXED);
}

struct slab_pool *slab_pool_new(void)
{
    return os_map(sizeof(struct slab_pool), 0);
}

bool slab_pool_is_small(const struct slab_pool *pool)
{
    return get_most(pool) < SMALL_SET_MOST;
}

void slab_pool_press(struct slab_pool *pool, size_t set_units)
{
    size_t before = get_most(pool), limit = set_units >> MOST_SHIFT;

    if (limit < SMALL_SET_MOST)
        limit = SMALL_SET_MOST;
    if (limit > SLAB_POOL_MOST)
        limit = SLAB_POOL_MOST;
    size_t most = before > 0 ? 2 * before : FIRST_MOST;
    set_most(pool, most < limit ? most : limit);
}

bool slab_pool_take(struct slab_pool *pool, size_t *unit)
{
    lock_take(&pool->lock);
    bool has_some = pool->count > 0;
    if (has_some) {
        *unit = pool->units[--pool->count];
        if (pool->least > pool->count)
            pool->least = pool->count;
    }
    lock_drop(&pool->lock);
    return has_some;
}

unsigned slab_pool_wants(const struct slab_pool *pool)
{
    unsigned wanted = get_most(pool) / 2;

    return wanted < SLAB_POOL_COMING_MOST ? wanted : SLAB_POOL_COMING_MOST;
}

static void insert(struct slab_pool *pool, uint32_t unit)
{
    unsigned at = pool->count++;

    for (; at > 0 && pool->units[at - 1] < unit; at--)
        pool->units[at] = pool->units[at - 1];
    pool->units[at] = unit;
}

/* The highest `count` go. */
static void remove_highest(struct slab_pool *pool, unsigned count, uint32_t *going)
{
    pool->count = (uint16_t)(pool->count - count);
    memcpy(going, pool->units, count * sizeof *going);
    memmove(pool->units, pool->units + count, pool->count * sizeof *going);
    if (pool->least > pool->count)
        pool->least = pool->count;
}

unsigned slab_pool_put(struct slab_pool *pool, size_t unit, uint32_t going[SLAB_POOL_GOING_MOST])
{
    unsigned count = 0, most = get_most(pool);

    lock_take(&pool->lock);
    if (pool->count >= most) {
        count = pool->count - most / 2;
        if (count > SLAB_POOL_GOING_MOST - 1)
            count = SLAB_POOL_GOING_MOST - 1;
        remove_highest(pool, count, going);
    }
    if (most > 0)
        insert(pool, (uint32_t)unit);
    else
        going[count++] = (uint32_t)unit;
    lock_drop(&pool->lock);
    return count;
}

unsigned slab_pool_decay(struct slab_pool *pool, bool all, uint32_t going[SLAB_POOL_MOST])
{
    lock_take(&pool->lock);
    unsigned count = all ? pool->count : pool->least;
    /* What lay idle was too many. */
    if (count > 0)
        set_most(pool, get_most(pool) / 2);
    remove_highest(pool, count, going);
    pool->least = pool->count;
    lock_drop(&pool->lock);
    return count;
}
