#include "allocator/checked.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "allocator/heap.h"
#include "allocator/large.h"
#include "allocator/zone.h"

/* In front of every object; memcheck knows REDZONE_BYTES on each side as out of bounds. */
struct guard {
    size_t cookie; /* tells a live object from anything else */
    size_t bytes;  /* as asked for */
    void *block;   /* what the layer below returned */
    /* Of the live objects of a heap instance; in quarantine `next` was freed after this one. */
    struct guard *next, *previous;
};

/* A power of two, so that what follows it is aligned as well. */
enum { REDZONE_BYTES = 64, QUARANTINE_BYTES = 1 << 20 };
_Static_assert(sizeof(struct guard) <= REDZONE_BYTES, "a guard lies in the redzone");
#define COOKIE ((size_t)0x5AFE0B1EC7C0FFEE)

bool checked_on;

/* Freed objects, oldest first, at most QUARANTINE_BYTES of them: memcheck can tell a use after
 * free only as long as the memory is nobody else's. Guarded by the first arena's lock. */
static struct {
    struct guard *oldest, *newest;
    size_t bytes;
} quarantine;

__attribute__((constructor)) static void look_for_memcheck(void)
{
    char probe = 0, bits;

    /* Memcheck answers this request with 1 or an error, every other tool and the bare processor
     * with 0. */
    if (RUNNING_ON_VALGRIND && VALGRIND_GET_VBITS(&probe, &bits, 1) != 0) {
        checked_on = true;
        /* Valgrind simulates a program break of a few MiB and complains when it is used up; of
         * mappings it complains from 256 MiB on. */
        zone_avoid_break((size_t)128 << 20);
    }
}

static struct guard *guard_of(const void *ptr)
{
    return (struct guard *)((char *)(uintptr_t)ptr - REDZONE_BYTES);
}

/* Bookkeeping lives in memory that memcheck believes out of bounds, so its reports are off while
 * the layers below are at work. */
static void *raw_alloc(size_t bytes, size_t align)
{
    void *block = NULL;

    VALGRIND_DISABLE_ERROR_REPORTING;
    lock_take(&first_arena.lock);
    if (bytes < MEM_MMAP_THRESHOLD && align < MEM_MMAP_THRESHOLD)
        block = block_alloc(&first_arena, bytes, align, true);
    lock_drop(&first_arena.lock);
    if (!block)
        block = large_alloc(NULL, bytes, align, false, NULL);
    VALGRIND_ENABLE_ERROR_REPORTING;
    return block;
}

/* Needs the arena's lock. */
static void raw_free(void *block)
{
    if (zone_kind(block) == UNIT_BLOCK)
        (void)block_free(&first_arena, block);
    else
        (void)large_free(NULL, block, NULL);
    /* Nobody counts allocations here that it could wait for. */
    lock_take(&zone.lock);
    if (zone.has_excess)
        (void)zone_settle(1);
    lock_drop(&zone.lock);
}

static void link_to(struct heap *heap, struct guard *guard)
{
    guard->next = heap->guards;
    if (guard->next)
        guard->next->previous = guard;
    heap->guards = guard;
}

static void unlink_from(struct heap *heap, struct guard *guard)
{
    if (guard->next)
        guard->next->previous = guard->previous;
    if (guard->previous)
        guard->previous->next = guard->next;
    else
        heap->guards = guard->next;
}

void *checked_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    size_t front = align > REDZONE_BYTES ? align : REDZONE_BYTES;
    char *block = NULL;

    if (bytes < PTRDIFF_MAX - front - REDZONE_BYTES - MEM_ALIGNMENT)
        block = raw_alloc(front + bytes + REDZONE_BYTES + MEM_ALIGNMENT, align);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }

    char *ptr = block + front;
    /* Up to a whole word: a word that is half out of bounds would read as undefined when the layers
     * below keep their links there later. */
    size_t tail = -bytes & (MEM_ALIGNMENT - 1);
    VALGRIND_DISABLE_ERROR_REPORTING;
    VALGRIND_MAKE_MEM_NOACCESS(guard_of(ptr), bytes + tail + 2 * REDZONE_BYTES);
    *guard_of(ptr) = (struct guard){.cookie = COOKIE, .bytes = bytes, .block = block};
    if (heap_is_instance(heap))
        link_to(heap, guard_of(ptr));
    VALGRIND_ENABLE_ERROR_REPORTING;
    VALGRIND_MALLOCLIKE_BLOCK(ptr, bytes, REDZONE_BYTES, zeroed);
    if (zeroed)
        memset(ptr, 0, bytes);
    counter_add(&heap->counters.allocations, 1);
    counter_add(&heap->counters.allocated_bytes, bytes);
    return ptr;
}

static void release_oldest(void)
{
    struct guard *oldest = quarantine.oldest;

    quarantine.oldest = oldest->next;
    if (!quarantine.oldest)
        quarantine.newest = NULL;
    quarantine.bytes -= oldest->bytes + 2 * REDZONE_BYTES;
    raw_free(oldest->block);
}

static void put_in_quarantine(struct guard *guard)
{
    lock_take(&first_arena.lock);
    guard->cookie = 0;
    guard->next = NULL;
    if (quarantine.newest)
        quarantine.newest->next = guard;
    else
        quarantine.oldest = guard;
    quarantine.newest = guard;
    quarantine.bytes += guard->bytes + 2 * REDZONE_BYTES;
    while (quarantine.bytes > QUARANTINE_BYTES)
        release_oldest();
    lock_drop(&first_arena.lock);
}

static bool is_live(const void *ptr)
{
    /* Only memory that is ours is looked at: memcheck reports the rest by itself. */
    const struct guard *guard = guard_of(ptr);

    return (zone_kind(guard) == UNIT_BLOCK || large_contains(guard)) && guard->cookie == COOKIE;
}

void checked_free(struct heap *heap, void *ptr)
{
    VALGRIND_DISABLE_ERROR_REPORTING;
    bool live = is_live(ptr);
    size_t bytes = live ? guard_of(ptr)->bytes : 0;
    VALGRIND_ENABLE_ERROR_REPORTING;

    /* For an object that is not live memcheck reports an invalid free here. */
    VALGRIND_FREELIKE_BLOCK(ptr, REDZONE_BYTES);
    if (!live)
        return;
    VALGRIND_DISABLE_ERROR_REPORTING;
    if (heap_is_instance(heap))
        unlink_from(heap, guard_of(ptr));
    put_in_quarantine(guard_of(ptr));
    VALGRIND_ENABLE_ERROR_REPORTING;
    counter_add(&heap->counters.frees, 1);
    counter_add(&heap->counters.freed_bytes, bytes);
}

void checked_free_all(struct heap *heap)
{
    while (heap->guards)
        checked_free(heap, (char *)heap->guards + REDZONE_BYTES);
}

size_t checked_usable(const void *ptr)
{
    VALGRIND_DISABLE_ERROR_REPORTING;
    size_t bytes = is_live(ptr) ? guard_of(ptr)->bytes : 0;
    VALGRIND_ENABLE_ERROR_REPORTING;
    return bytes;
}
