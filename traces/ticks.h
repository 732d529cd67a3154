/* The clock that stamps recorded calls. */
#ifndef TRACES_TICKS_H
#define TRACES_TICKS_H

#include <stdint.h>
#include <time.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <x86intrin.h>
#endif

static inline uint64_t ticks_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Whether the time-stamp counter runs at one rate on all processors, so that it can order calls of
 * different threads. "Invariant TSC", CPUID 8000_0007h EDX bit 8, in both AMD's and Intel's
 * manuals. */
static inline int ticks_has_tsc(void)
{
#ifdef __x86_64__
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 1u << 8);
#else
    return 0;
#endif
}

/* RDTSC may be executed ahead of earlier loads, by as much as the processor reorders, but not
 * behind later stores. */
static inline uint64_t ticks_tsc(void)
{
#ifdef __x86_64__
    return __rdtsc();
#else
    return ticks_monotonic_ns();
#endif
}

/* RDTSCP waits for earlier loads, for twice the time: 21 ns instead of 11 on a virtual Zen 4. */
static inline uint64_t ticks_tsc_ordered(void)
{
#ifdef __x86_64__
    unsigned processor;
    return __rdtscp(&processor);
#else
    return ticks_monotonic_ns();
#endif
}

#endif
