/* The C library's malloc with a planted effect, by which a campaign shows that it would have seen
 * one of that size. */
#include "replay/target.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- slow: about 5 ns more for each malloc and free ---- */

/* Dependent multiplications take 3 cycles each (Fog, "Instruction tables"): 21 cycles are 5 ns
 * at 4.2 GHz and 8 at 2.6. */
#define SLOW_STEPS 7

static inline void lose_time(void)
{
    unsigned long value = 3;
    for (int i = 0; i < SLOW_STEPS; i++) {
        value *= value;
        __asm__ volatile("" : "+r"(value)); /* keeps the compiler from working it out */
    }
}

static void *slow_malloc(size_t size)
{
    lose_time();
    return malloc(size);
}

static void slow_free(void *object)
{
    lose_time();
    free(object);
}

/* ---- fat: a tenth more bytes than asked for ---- */

static size_t fattened(size_t size)
{
    return size <= PTRDIFF_MAX ? size + size / 10 : size;
}

static void *fat_malloc(size_t size)
{
    return malloc(fattened(size));
}

static void *fat_calloc(size_t count, size_t size)
{
    return calloc(count, fattened(size));
}

static void *fat_realloc(void *object, size_t size)
{
    return realloc(object, fattened(size));
}

static void *fat_memalign(size_t alignment, size_t size)
{
    return memalign(alignment, fattened(size));
}

/* ---- leaky: one free in ten is dropped ---- */

/* Of each thread's own frees, so that the same source loses the same number however its threads
 * take turns. */
#define LEAKY_FREES 10

static void leaky_free(void *object)
{
    static _Thread_local unsigned frees;
    if (++frees % LEAKY_FREES == 0)
        return;
    free(object);
}

/* ---- */

static enum target_load planted_load(struct target *target, const char *name)
{
    char plain[TARGET_TEXT_BYTES];
    enum target_load outcome = target_system.load(target, NULL, plain);
    memcpy(plain, target->version, sizeof plain);
    snprintf(target->version, sizeof target->version, "%.200s, %s", plain, name);
    return outcome;
}

static enum target_load slow_load(struct target *target, const struct target_request *request,
                                  char error[TARGET_TEXT_BYTES])
{
    (void)request;
    (void)error;
    enum target_load outcome = planted_load(target, "slowed");
    target->malloc = slow_malloc;
    target->free = slow_free;
    return outcome;
}

static enum target_load fat_load(struct target *target, const struct target_request *request,
                                 char error[TARGET_TEXT_BYTES])
{
    (void)request;
    (void)error;
    enum target_load outcome = planted_load(target, "fattened");
    target->malloc = fat_malloc;
    target->calloc = fat_calloc;
    target->realloc = fat_realloc;
    target->memalign = fat_memalign;
    return outcome;
}

static enum target_load leaky_load(struct target *target, const struct target_request *request,
                                   char error[TARGET_TEXT_BYTES])
{
    (void)request;
    (void)error;
    enum target_load outcome = planted_load(target, "leaking");
    target->free = leaky_free;
    return outcome;
}

const struct target_adapter target_slow = {
    .name = "slow",
    .summary = "the C library's malloc, 5 ns slower: a control",
    .is_control = true,
    .load = slow_load,
};

const struct target_adapter target_fat = {
    .name = "fat",
    .summary = "the C library's malloc, 10 % fatter: a control",
    .is_control = true,
    .load = fat_load,
};

const struct target_adapter target_leaky = {
    .name = "leaky",
    .summary = "the C library's malloc, losing one free in ten: a control",
    .is_control = true,
    .load = leaky_load,
};
