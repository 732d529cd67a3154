/* The malloc that this process was linked with: glibc's, unless another was preloaded. */
#include "replay/target.h"

#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static enum target_load system_load(struct target *target, const struct target_request *request,
                                    char error[TARGET_TEXT_BYTES])
{
    (void)request;
    (void)error;
    *target = (struct target){
        .malloc = malloc,
        .calloc = calloc,
        .realloc = realloc,
        .free = free,
        .memalign = memalign,
        .usable_size = malloc_usable_size,
    };
    snprintf(target->version, sizeof target->version, "glibc %s", gnu_get_libc_version());
    return TARGET_LOADED;
}

const struct target_adapter target_system = {
    .name = "system",
    .summary = "the C library's malloc",
    .load = system_load,
};
