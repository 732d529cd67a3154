#include "allocator/place.h"

/* Between two looks of decay, 64 slow calls; once where threads are crowded. What is spread over
 * several places lies less densely: redis, whose threads meet now and then, held 1.02 of its memory
 * when heaps went on at once. */
enum { WAITS_MOST = 4 };

unsigned places_most_used;
unsigned places_processors = PLACES_MOST;
static struct lock use_lock;

/* Before there are threads, which may be bound to one processor each. */
__attribute__((constructor)) static void count_processors(void)
{
    unsigned count = os_processors();

    if (count > 0 && count < PLACES_MOST)
        places_processors = count;
}

unsigned places_most(unsigned limit)
{
    return places_processors < limit ? places_processors : limit;
}

bool places_use(struct places *places, unsigned index)
{
    if (index < places_used(places))
        return true;
    if (!lock_try(&use_lock))
        return false;
    if (index >= places_used(places))
        __atomic_store_n(&places->used, index + 1, __ATOMIC_RELEASE);
    if (index >= places_most_used)
        __atomic_store_n(&places_most_used, index + 1, __ATOMIC_RELAXED);
    lock_drop(&use_lock);
    return true;
}

void places_change_lock(void (*change)(struct lock *))
{
    change(&use_lock);
}

static unsigned users_of(const struct places *places, unsigned index)
{
    return __atomic_load_n(&places->users[index], __ATOMIC_RELAXED);
}

static void count_user(struct places *places, unsigned index, int more)
{
    uint8_t *users = &places->users[index], before = __atomic_load_n(users, __ATOMIC_RELAXED);

    while (before < UINT8_MAX &&
           !__atomic_compare_exchange_n(users, &before, (uint8_t)(before + more), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

void place_leave(struct places *places, struct place *place)
{
    if (place->is_user)
        count_user(places, place->index, -1);
    *place = (struct place){0};
}

/* The first of those with the fewest users. */
static unsigned least_used(const struct places *places, unsigned count)
{
    unsigned best = 0;

    for (unsigned i = 1; i < count && users_of(places, best) > 0; i++)
        if (users_of(places, i) < users_of(places, best))
            best = i;
    return best;
}

/* Where a heap at `index` may meet others less often; `index` where there is no such place. Whoever
 * waits although it is alone meets those who free what it allocated: what comes next it allocates
 * elsewhere. */
static unsigned better_than(const struct places *places, unsigned index, unsigned count)
{
    unsigned best = least_used(places, count), users = users_of(places, best);

    if (users < users_of(places, index))
        return best;
    /* Whoever holds the lock of any may just not run. */
    return users > 1 ? (index + 1) % count : index;
}

/* Goes to a place as one of its users, and leaves the one before if it was one of its. */
static void move(struct places *places, struct place *place, unsigned next)
{
    unsigned before = place->index;
    bool leaves = place->is_user;

    /* In this order, for the child of a fork. */
    count_user(places, next, 1);
    place->index = (uint16_t)next;
    place->is_user = true;
    if (leaves)
        count_user(places, before, -1);
}

void place_begin(struct places *places, struct place *place, unsigned most)
{
    unsigned next;

    if (places_are_crowded() && places_use(places, next = least_used(places, most)))
        move(places, place, next);
}

void place_waits(struct places *places, struct place *place, unsigned count)
{
    if (!place->is_user)
        count_user(places, place->index, 1);
    place->is_user = true;
    if (++place->waits < (places_are_crowded() ? 1 : WAITS_MOST))
        return;
    place->waits = 0;
    unsigned next = better_than(places, place->index, count);
    if (next == place->index || !places_use(places, next))
        return;
    move(places, place, next);
}
