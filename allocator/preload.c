/* The whole malloc family over mem_*_ts, for LD_PRELOAD.
 *
 * C++ operator new and delete are not defined here: those of libstdc++ and libc++ call malloc,
 * aligned_alloc and free through the dynamic linker, so they arrive here, and only they can throw
 * std::bad_alloc and call the new-handler, which C can't. */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "allocator/api.h"
#include "allocator/checked.h"

#define EXPORT __attribute__((visibility("default")))

void cfree(void *ptr);

EXPORT void *malloc(size_t size)
{
    return api_malloc_ts(size);
}

EXPORT void free(void *ptr)
{
    api_free(ptr);
}

EXPORT void cfree(void *ptr)
{
    api_free(ptr);
}

EXPORT void *calloc(size_t nmemb, size_t size)
{
    return mem_calloc_ts(nmemb, size);
}

EXPORT void *realloc(void *ptr, size_t size)
{
    return mem_realloc_ts(ptr, size);
}

/* This and pvalloc are not among the functions that memcheck replaces with its own: under it they
 * call one that is, for what it did not allocate it would not let go of without a complaint. */
EXPORT void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(nmemb, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return checked_is_on() ? realloc(ptr, bytes) : mem_realloc_ts(ptr, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return mem_aligned_alloc_ts(alignment, size);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    /* As glibc: an alignment that is not a power of two is rounded up to one. */
    size_t rounded = 1;

    while (rounded < alignment && rounded <= SIZE_MAX / 2)
        rounded *= 2;
    return mem_aligned_alloc_ts(rounded, size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
    int saved = errno;

    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    void *ptr = mem_aligned_alloc_ts(alignment, size);
    errno = saved;
    if (!ptr)
        return ENOMEM;
    *out = ptr;
    return 0;
}

EXPORT void *valloc(size_t size)
{
    return mem_aligned_alloc_ts(os_page_bytes(), size);
}

EXPORT void *pvalloc(size_t size)
{
    size_t page = os_page_bytes();

    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    size = (size + page - 1) & ~(page - 1);
    return checked_is_on() ? memalign(page, size) : mem_aligned_alloc_ts(page, size);
}

EXPORT size_t malloc_usable_size(void *ptr)
{
    return mem_usable_size(ptr);
}

EXPORT int malloc_trim(size_t pad)
{
    (void)pad;
    return mem_trim() > 0;
}

/* None of glibc's parameters has a counterpart: 0 tells the caller that nothing was set. */
EXPORT int mallopt(int parameter, int value)
{
    (void)parameter;
    (void)value;
    return 0;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
    mem_stats_t stats = mem_get_stats();

    return (struct mallinfo2){.uordblks = stats.current_usage};
}

EXPORT struct mallinfo mallinfo(void)
{
    mem_stats_t stats = mem_get_stats();

    return (struct mallinfo){.uordblks = (int)stats.current_usage};
}
