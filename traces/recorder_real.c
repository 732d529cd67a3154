/* Finds the functions that do the work. */
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/recorder.h"

struct recorder_real recorder_real;
static char allocator_name[sizeof((struct spool_header *)0)->allocator];
static uint32_t is_bypassed;

char recorder_bootstrap[RECORDER_BOOTSTRAP_BYTES] __attribute__((aligned(64)));
static _Atomic size_t bootstrap_used;

void *recorder_bootstrap_take(size_t alignment, size_t bytes)
{
    if (bytes > RECORDER_BOOTSTRAP_BYTES || alignment > RECORDER_BOOTSTRAP_BYTES)
        return NULL;
    /* Room to align, and the size in front for realloc. */
    size_t start = atomic_fetch_add(&bootstrap_used, bytes + alignment + sizeof(size_t));
    uintptr_t address = (uintptr_t)recorder_bootstrap + start + sizeof(size_t);
    address = (address + alignment - 1) & ~(uintptr_t)(alignment - 1);
    if (address + bytes > (uintptr_t)recorder_bootstrap + RECORDER_BOOTSTRAP_BYTES)
        return NULL;
    memcpy((char *)address - sizeof(size_t), &bytes, sizeof bytes);
    return (void *)address;
}

size_t recorder_bootstrap_size(const void *pointer)
{
    size_t bytes;
    memcpy(&bytes, (const char *)pointer - sizeof(size_t), sizeof bytes);
    return bytes;
}

/* A function pointer, which ISO C won't cast from dlsym's object pointer. */
static void find(void *function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

/* Asked once, at the start: in a child of a threaded program the loader's lock may be held for
 * ever. */
static void name_allocator(void *function)
{
    Dl_info info;
    const char *library = dladdr(function, &info) && info.dli_fname ? info.dli_fname : "unknown";
    const char *slash = strrchr(library, '/');
    library = slash ? slash + 1 : library;
    if (!strcmp(library, "libc.so.6"))
        snprintf(allocator_name, sizeof allocator_name, "glibc %s", gnu_get_libc_version());
    else
        snprintf(allocator_name, sizeof allocator_name, "%s", library);
    void *ours = dlsym(RTLD_DEFAULT, "malloc");
    is_bypassed = ours != (void *)(uintptr_t)&malloc;
}

void recorder_describe(struct spool_header *header)
{
    memcpy(header->allocator, allocator_name, sizeof allocator_name);
    header->bypassed = is_bypassed;
}

void recorder_resolve(void)
{
    static _Atomic int is_resolving;
    if (atomic_exchange(&is_resolving, 1))
        return; /* a call made by dlsym below; the bootstrap memory serves it */
    struct recorder_real real;
    find(&real.calloc, "calloc");
    find(&real.realloc, "realloc");
    find(&real.reallocarray, "reallocarray");
    find(&real.free, "free");
    find(&real.posix_memalign, "posix_memalign");
    find(&real.aligned_alloc, "aligned_alloc");
    find(&real.memalign, "memalign");
    find(&real.valloc, "valloc");
    find(&real.pvalloc, "pvalloc");
    find(&real.malloc, "malloc");
    name_allocator(dlsym(RTLD_NEXT, "malloc"));
    recorder_configure();
    recorder_real = real;
}
