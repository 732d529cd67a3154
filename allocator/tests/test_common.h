/* What the allocator's test programs share. */
#ifndef ALLOCATOR_TEST_COMMON_H
#define ALLOCATOR_TEST_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocator/include/allocator.h"

static inline int is_aligned(const void *ptr, size_t alignment)
{
    return ((uintptr_t)ptr & (alignment - 1)) == 0;
}

/* xorshift64*: small, seedable, and the same on every platform (Vigna, 2016). */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static inline size_t random_below(uint64_t *state, size_t bound)
{
    return (size_t)(random_next(state) >> 16) % bound;
}

/* Hides a size from the compiler, which would warn of, or act upon, sizes that are wrong on
 * purpose. */
static inline size_t opaque(size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

#endif
