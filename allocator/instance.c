/* Heap instances: heaps of which all objects end at once.
 *
 * An instance has slabs, a front and a block heap of its own; of the large objects its are marked.
 * So nothing has to be known of its single objects to destroy it: its units go back to the zone. */
#include <errno.h>

#include "allocator/api.h"
#include "allocator/checked.h"
#include "allocator/large.h"
#include "allocator/waiting.h"

struct mem_heap {
    struct heap heap;
    struct block_heap blocks;
    struct slab_set slabs;
};

mem_heap_t *mem_heap_new(void)
{
    mem_heap_t *instance = os_map(sizeof *instance, 0);

    if (!instance) {
        errno = ENOMEM;
        return NULL;
    }
    instance->blocks.is_private = true;
    instance->heap.own_blocks = &instance->blocks;
    instance->heap.own_slabs = &instance->slabs;
    instance->slabs.is_private = true;
    heaps_add_instance(&instance->heap);
    return instance;
}

void mem_heap_destroy(mem_heap_t *instance)
{
    if (!instance)
        return;
    struct heap *heap = &instance->heap;

    heaps_remove_instance(heap);
    if (checked_is_on())
        checked_free_all(heap);
    /* Its front may hold objects that came from elsewhere. */
    front_flush(&heap->front);
    slab_give_all(&instance->slabs);
    block_give_all(&instance->blocks);
    if (!checked_is_on())
        waiting_note_free();
    large_free_all(heap);
    place_leave(&large_places, &heap->large_place);
    os_unmap(instance, sizeof *instance);
}

void *mem_heap_malloc(mem_heap_t *instance, size_t size)
{
    void *ptr;

    if (__builtin_expect(heap_try_malloc(&instance->heap, size, &ptr), 1))
        return ptr;
    return heap_alloc(&instance->heap, size, MEM_ALIGNMENT, false);
}

void mem_heap_free(mem_heap_t *instance, void *ptr)
{
    heap_free(&instance->heap, ptr);
}

void *mem_heap_calloc(mem_heap_t *instance, size_t nmemb, size_t size)
{
    return heap_alloc(&instance->heap, api_product(nmemb, size), MEM_ALIGNMENT, true);
}

void *mem_heap_realloc(mem_heap_t *instance, void *ptr, size_t size)
{
    return heap_realloc(&instance->heap, ptr, size);
}

void *mem_heap_aligned_alloc(mem_heap_t *instance, size_t alignment, size_t size)
{
    if (!api_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return heap_alloc(&instance->heap, size, alignment, false);
}
