/* Returns memory without managing it: what a replay costs on this target is the harness's own cost.
 *
 * Every call of a thread gets the same address; the replay never reads what it wrote. Behind it one
 * shared window is mapped over and over and prefaulted, so that touching a large object costs no
 * page and no fault.
 */
#include "replay/target.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define NULL_WINDOW_BYTES ((size_t)2 << 20)

/* Each thread starts a page and a cache line further on, so that they do not fight over a line when
 * they touch; after NULL_THREADS of them the places repeat. */
#define NULL_THREADS      32
#define NULL_THREAD_BYTES ((size_t)4096 + 64)

static unsigned char *null_base;
static size_t null_reach_bytes;
static _Atomic unsigned null_threads;
static _Thread_local unsigned char *thread_base;

static __attribute__((noinline)) void choose_place(void)
{
    thread_base = null_base + null_threads++ % NULL_THREADS * NULL_THREAD_BYTES;
}

static void *null_pointer(size_t size)
{
    if (__builtin_expect(!thread_base, 0))
        choose_place();
    return size <= null_reach_bytes ? thread_base : NULL;
}

static void *null_malloc(size_t size)
{
    return null_pointer(size);
}

static void *null_calloc(size_t count, size_t size)
{
    return null_pointer(count * size);
}

static void *null_realloc(void *pointer, size_t size)
{
    (void)pointer;
    return null_pointer(size);
}

static void null_free(void *pointer)
{
    (void)pointer;
}

static void *null_memalign(size_t alignment, size_t size)
{
    (void)alignment;
    return null_pointer(size);
}

/* Maps the window over `reach` bytes. Returns NULL with errno. */
static unsigned char *map_window(size_t reach)
{
    int window = memfd_create("heaplab-null", MFD_CLOEXEC);
    unsigned char *base =
        mmap(NULL, reach, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool ready = window >= 0 && base != MAP_FAILED && ftruncate(window, NULL_WINDOW_BYTES) == 0;
    for (size_t at = 0; ready && at < reach; at += NULL_WINDOW_BYTES)
        ready = mmap(base + at, NULL_WINDOW_BYTES, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_FIXED | MAP_POPULATE, window, 0) != MAP_FAILED;
    if (window >= 0)
        close(window);
    return ready ? base : NULL;
}

static enum target_load null_load(struct target *target, const struct target_request *request,
                                  char error[TARGET_TEXT_BYTES])
{
    null_reach_bytes = (request->largest_bytes / NULL_WINDOW_BYTES + 1) * NULL_WINDOW_BYTES;
    null_base = map_window(null_reach_bytes + NULL_WINDOW_BYTES);
    if (!null_base) {
        snprintf(error, TARGET_TEXT_BYTES, "no shared memory for an object of %zu bytes",
                 request->largest_bytes);
        return TARGET_MISSING;
    }
    *target = (struct target){
        .malloc = null_malloc,
        .calloc = null_calloc,
        .realloc = null_realloc,
        .free = null_free,
        .memalign = null_memalign,
    };
    return TARGET_LOADED;
}

const struct target_adapter target_null = {
    .name = "null",
    .summary = "returns memory without managing it: the harness's own cost",
    .load = null_load,
};
