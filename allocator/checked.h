/* Under Valgrind's memcheck: every object gets guard bytes on both sides and a rest before its
 * memory is used again, and memcheck is told of all of it, so that it reports leaks, overruns and
 * uses after free of mem_* objects with the caller's line, as it does for malloc.
 *
 * checked_is_on is one load of a constant otherwise; other Valgrind tools (callgrind) see the
 * allocator as it is. */
#ifndef ALLOCATOR_CHECKED_H
#define ALLOCATOR_CHECKED_H

#include "allocator/os.h"

struct heap;

extern bool checked_on HIDDEN;

static inline bool checked_is_on(void)
{
    return __builtin_expect(checked_on, false);
}

/* As the functions of heap.h; usable bytes are the bytes asked for, to the last one. */
void *checked_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed);
void checked_free(struct heap *heap, void *ptr);
size_t checked_usable(const void *ptr);
/* Frees all objects of a heap instance. */
void checked_free_all(struct heap *heap);

#endif
