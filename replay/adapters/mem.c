/* liballocator, linked in: both of its families. */
#include "replay/target.h"

#include <stdio.h>

#include "allocator/include/allocator.h"

/* The vtable's usable_size takes a plain pointer, as malloc_usable_size(3) does. */
static size_t usable_size(void *object)
{
    return mem_usable_size(object);
}

static enum target_load mem_load(struct target *target, const struct target_request *request,
                                 char error[TARGET_TEXT_BYTES])
{
    (void)request;
    (void)error;
    *target = (struct target){
        .malloc = mem_malloc,
        .calloc = mem_calloc,
        .realloc = mem_realloc,
        .free = mem_free,
        .memalign = mem_aligned_alloc,
        .usable_size = usable_size,
    };
    snprintf(target->version, sizeof target->version, "liballocator %s", ALLOCATOR_VERSION);
    return TARGET_LOADED;
}

static enum target_load mem_ts_load(struct target *target, const struct target_request *request,
                                    char error[TARGET_TEXT_BYTES])
{
    enum target_load outcome = mem_load(target, request, error);
    target->malloc = mem_malloc_ts;
    target->calloc = mem_calloc_ts;
    target->realloc = mem_realloc_ts;
    target->free = mem_free_ts;
    target->memalign = mem_aligned_alloc_ts;
    return outcome;
}

const struct target_adapter target_mem = {
    .name = "mem",
    .summary = "liballocator's thread-unsafe family",
    .single_threaded = true,
    .load = mem_load,
};

const struct target_adapter target_mem_ts = {
    .name = "mem_ts",
    .summary = "liballocator's thread-safe family",
    .load = mem_ts_load,
};
