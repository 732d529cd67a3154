/* The recorded functions. Each one: note what came, let the real function work, write the slots.
 *
 * A call that the real allocator makes while it works for another one (`is_inside`) is its own
 * business and passes straight through. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "traces/recorder.h"

/* What calloc and friends return is aligned for any object. */
#define BOOTSTRAP_ALIGNMENT 16u

/* Whether the real functions are known; where not, the caller serves itself from the bootstrap
 * memory. */
static inline int is_resolved(void)
{
    if (RECORDER_LIKELY(recorder_real.malloc != NULL))
        return 1;
    recorder_resolve();
    return recorder_real.malloc != NULL;
}

static inline void record(struct recorder_thread *self, uint64_t ticks, unsigned kind,
                          uint64_t size, uint64_t extra, const void *pointer)
{
    if (RECORDER_LIKELY(recorder_is_ready(self, ticks)))
        recorder_write(self, ticks, kind, size, extra, (uintptr_t)pointer);
}

RECORDER_EXPORT void *malloc(size_t size)
{
    if (RECORDER_UNLIKELY(!is_resolved()))
        return recorder_bootstrap_take(BOOTSTRAP_ALIGNMENT, size);
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return recorder_real.malloc(size);
    self->is_inside = 1;
    void *pointer = recorder_real.malloc(size);
    record(self, recorder_ticks(), TRACE_MALLOC, size, 0, pointer);
    self->is_inside = 0;
    return pointer;
}

RECORDER_EXPORT void *calloc(size_t count, size_t size)
{
    if (RECORDER_UNLIKELY(!is_resolved()))
        return size && count > SIZE_MAX / size
                   ? NULL
                   : recorder_bootstrap_take(BOOTSTRAP_ALIGNMENT, count * size);
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return recorder_real.calloc(count, size);
    self->is_inside = 1;
    void *pointer = recorder_real.calloc(count, size);
    record(self, recorder_ticks(), TRACE_CALLOC, size, count, pointer);
    self->is_inside = 0;
    return pointer;
}

/* Memory from before the real functions were known is left behind; to the record it is a new
 * object. */
static void *leave_bootstrap(void *old, size_t size)
{
    void *pointer = malloc(size);
    size_t bytes = recorder_bootstrap_size(old);
    if (pointer)
        memcpy(pointer, old, bytes < size ? bytes : size);
    return pointer;
}

/* Writes the moment before the real realloc, when the old address is about to become free. */
static inline void record_old(struct recorder_thread *self, void *old)
{
    uint64_t ticks = recorder_ticks_release();
    if (RECORDER_LIKELY(recorder_is_ready(self, ticks))) {
        uint64_t delta = recorder_advance(self, ticks);
        recorder_put(self, delta | (uint64_t)SPOOL_OLD << 32, (uintptr_t)old);
    }
}

/* The second half of what record_old began: behind it in the same chunk, which has room for the
 * whole call. */
static inline void record_resized(struct recorder_thread *self, unsigned kind, uint64_t size,
                                  uint64_t extra, void *old, const void *pointer)
{
    if (!old)
        record(self, recorder_ticks(), kind, size, extra, pointer);
    else if (RECORDER_LIKELY(atomic_load_explicit(&recorder_image.state, memory_order_relaxed) ==
                             RECORDER_OPEN))
        recorder_write(self, recorder_ticks(), kind, size, extra, (uintptr_t)pointer);
}

RECORDER_EXPORT void *realloc(void *old, size_t size)
{
    if (RECORDER_UNLIKELY(!is_resolved()))
        return recorder_bootstrap_take(BOOTSTRAP_ALIGNMENT, size);
    if (RECORDER_UNLIKELY(recorder_bootstrap_owns(old)))
        return leave_bootstrap(old, size);
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return recorder_real.realloc(old, size);
    self->is_inside = 1;
    if (old)
        record_old(self, old);
    void *pointer = recorder_real.realloc(old, size);
    record_resized(self, TRACE_REALLOC, size, 0, old, pointer);
    self->is_inside = 0;
    return pointer;
}

RECORDER_EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
    if (RECORDER_UNLIKELY(!is_resolved() || recorder_bootstrap_owns(old))) {
        if (!size || count <= SIZE_MAX / size)
            return realloc(old, count * size);
        errno = ENOMEM;
        return NULL;
    }
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return recorder_real.reallocarray(old, count, size);
    self->is_inside = 1;
    if (old)
        record_old(self, old);
    void *pointer = recorder_real.reallocarray(old, count, size);
    record_resized(self, TRACE_REALLOCARRAY, size, count, old, pointer);
    self->is_inside = 0;
    return pointer;
}

RECORDER_EXPORT void free(void *pointer)
{
    if (RECORDER_UNLIKELY(recorder_bootstrap_owns(pointer) || !is_resolved()))
        return;
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside)) {
        recorder_real.free(pointer);
        return;
    }
    self->is_inside = 1;
    record(self, recorder_ticks_release(), TRACE_FREE, 0, 0, pointer);
    recorder_real.free(pointer);
    self->is_inside = 0;
}

RECORDER_EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
    if (RECORDER_UNLIKELY(!is_resolved())) {
        *result = recorder_bootstrap_take(alignment, size);
        return *result ? 0 : ENOMEM;
    }
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return recorder_real.posix_memalign(result, alignment, size);
    self->is_inside = 1;
    int error = recorder_real.posix_memalign(result, alignment, size);
    record(self, recorder_ticks(), TRACE_POSIX_MEMALIGN, size, alignment, error ? NULL : *result);
    self->is_inside = 0;
    return error;
}

RECORDER_EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    if (RECORDER_UNLIKELY(!is_resolved()))
        return recorder_bootstrap_take(alignment, size);
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return recorder_real.aligned_alloc(alignment, size);
    self->is_inside = 1;
    void *pointer = recorder_real.aligned_alloc(alignment, size);
    record(self, recorder_ticks(), TRACE_ALIGNED_ALLOC, size, alignment, pointer);
    self->is_inside = 0;
    return pointer;
}

RECORDER_EXPORT void *memalign(size_t alignment, size_t size)
{
    if (RECORDER_UNLIKELY(!is_resolved()))
        return recorder_bootstrap_take(alignment, size);
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return recorder_real.memalign(alignment, size);
    self->is_inside = 1;
    void *pointer = recorder_real.memalign(alignment, size);
    record(self, recorder_ticks(), TRACE_MEMALIGN, size, alignment, pointer);
    self->is_inside = 0;
    return pointer;
}

/* valloc and pvalloc don't come while the loader works, so they need no bootstrap memory. */
static void *record_page_aligned(unsigned kind, void *(*real)(size_t), size_t size)
{
    struct recorder_thread *self = &recorder_self;
    if (RECORDER_UNLIKELY(self->is_inside))
        return real(size);
    self->is_inside = 1;
    void *pointer = real(size);
    record(self, recorder_ticks(), kind, size, 0, pointer);
    self->is_inside = 0;
    return pointer;
}

RECORDER_EXPORT void *valloc(size_t size)
{
    return is_resolved() ? record_page_aligned(TRACE_VALLOC, recorder_real.valloc, size) : NULL;
}

RECORDER_EXPORT void *pvalloc(size_t size)
{
    return is_resolved() ? record_page_aligned(TRACE_PVALLOC, recorder_real.pvalloc, size) : NULL;
}
