#include "replay/observe.h"

#include <stdatomic.h>

static const struct target *observed;
static _Atomic uint64_t usable_bytes;

static void *gained(void *object)
{
    if (object)
        atomic_fetch_add_explicit(&usable_bytes, observed->usable_size(object),
                                  memory_order_relaxed);
    return object;
}

static uint64_t usable_size_of(void *object)
{
    return object ? observed->usable_size(object) : 0;
}

static void lost(uint64_t bytes)
{
    atomic_fetch_sub_explicit(&usable_bytes, bytes, memory_order_relaxed);
}

static void *observe_malloc(size_t size)
{
    return gained(observed->malloc(size));
}

static void *observe_calloc(size_t count, size_t size)
{
    return gained(observed->calloc(count, size));
}

static void *observe_memalign(size_t alignment, size_t size)
{
    return gained(observed->memalign(alignment, size));
}

static void *observe_realloc(void *object, size_t size)
{
    uint64_t before = usable_size_of(object);
    void *moved = observed->realloc(object, size);
    if (moved || size == 0)
        lost(before);
    return gained(moved);
}

static void observe_free(void *object)
{
    lost(usable_size_of(object));
    observed->free(object);
}

void observe_target(struct target *observer, const struct target *target)
{
    observed = target;
    *observer = *target;
    observer->malloc = observe_malloc;
    observer->calloc = observe_calloc;
    observer->realloc = observe_realloc;
    observer->free = observe_free;
    if (target->memalign)
        observer->memalign = observe_memalign;
}

uint64_t observe_usable_bytes(void)
{
    return atomic_load_explicit(&usable_bytes, memory_order_relaxed);
}
