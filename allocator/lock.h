/* A mutual exclusion lock of four bytes that needs no initialisation and no allocation, and that
 * costs nothing while the process has one thread. */
#ifndef ALLOCATOR_LOCK_H
#define ALLOCATOR_LOCK_H

#include "allocator/os.h"

enum lock_state { LOCK_FREE, LOCK_TAKEN, LOCK_CONTENDED };

/* `state` is LOCK_CONTENDED whenever somebody may be asleep waiting for it. */
struct lock {
    uint32_t state;
};

void lock_take_slow(struct lock *lock);

/* Returns false, at once, where the lock is held. */
static inline bool lock_try(struct lock *lock)
{
    uint32_t expected = LOCK_FREE;

    /* With one thread a plain store is enough, and it still shows a fork or a second thread that
     * the lock is held. */
    if (os_is_single_threaded()) {
        __atomic_store_n(&lock->state, LOCK_TAKEN, __ATOMIC_RELAXED);
        return true;
    }
    return __atomic_compare_exchange_n(&lock->state, &expected, LOCK_TAKEN, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* Whether somebody holds it: many who try again and again keep it from its owner, who look do not.
 */
static inline bool lock_is_taken(const struct lock *lock)
{
    return __atomic_load_n(&lock->state, __ATOMIC_RELAXED) != LOCK_FREE;
}

/* Takes a lock; returns whether it had to wait. */
static inline bool lock_take_waits(struct lock *lock)
{
    if (lock_try(lock))
        return false;
    lock_take_slow(lock);
    return true;
}

static inline void lock_take(struct lock *lock)
{
    (void)lock_take_waits(lock);
}

static inline void lock_drop(struct lock *lock)
{
    if (os_is_single_threaded()) {
        __atomic_store_n(&lock->state, LOCK_FREE, __ATOMIC_RELAXED);
        return;
    }
    if (__atomic_exchange_n(&lock->state, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_CONTENDED)
        os_wake(&lock->state);
}

/* For the child of a fork, where the thread that held the lock, if any, is the one that runs. */
static inline void lock_reset(struct lock *lock)
{
    __atomic_store_n(&lock->state, LOCK_FREE, __ATOMIC_RELEASE);
}

#endif
