/* Pseudo-random numbers that are the same on every machine and C library.
 *
 * xoshiro256**: D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM
 * TOMS 47 (2021), seeded by splitmix64: G. Steele, D. Lea and C. Flood, "Fast Splittable
 * Pseudorandom Number Generators", OOPSLA 2014. Integers only: floating point may round differently
 * elsewhere, and a seed is a promise.
 */
#ifndef WORKLOADS_PRNG_H
#define WORKLOADS_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_seed(struct prng *prng, uint64_t seed);

uint64_t prng_next(struct prng *prng);

/* Returns 0 to bound - 1, each equally likely. `bound` is at least 1. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

/* Returns low to high, both included, each equally likely. */
uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high);

/* Returns 1 to `limit` such that every doubling is equally likely: most values are small, and the
 * mean is set by the large ones. `limit` is at least 1. */
uint64_t prng_log_uniform(struct prng *prng, uint64_t limit);

#endif
