#include "workloads/prng.h"

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

void prng_seed(struct prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        prng->state[i] = splitmix64(&seed);
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29 (2019). */
uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    unsigned __int128 product = (unsigned __int128)prng_next(prng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t unfair = -bound % bound;
        while ((uint64_t)product < unfair)
            product = (unsigned __int128)prng_next(prng) * bound;
    }
    return (uint64_t)(product >> 64);
}

uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high)
{
    return low + prng_below(prng, high - low + 1);
}

uint64_t prng_log_uniform(struct prng *prng, uint64_t limit)
{
    unsigned doublings = 64 - (unsigned)__builtin_clzll(limit);
    uint64_t value;
    do {
        uint64_t first = UINT64_C(1) << prng_below(prng, doublings);
        value = first + prng_below(prng, first);
    } while (value > limit);
    return value;
}
