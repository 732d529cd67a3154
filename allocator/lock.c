#include "allocator/lock.h"

/* How often to look again before sleeping. Most critical sections here are some hundred
 * instructions, but one that gives memory back takes some 20 us, as sleeping and waking do
 * (EXPERIMENTS.md, "How long to look at a lock"). */
enum { SPINS = 1000 };

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

void lock_take_slow(struct lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t expected = LOCK_FREE;
        if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == LOCK_FREE &&
            __atomic_compare_exchange_n(&lock->state, &expected, LOCK_TAKEN, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return;
        pause_briefly();
    }
    while (__atomic_exchange_n(&lock->state, LOCK_CONTENDED, __ATOMIC_ACQUIRE) != LOCK_FREE)
        os_wait(&lock->state, LOCK_CONTENDED);
}
