#include "allocator/heap.h"

#include <errno.h>
#include <string.h>

#include "allocator/checked.h"
#include "allocator/decay.h"
#include "allocator/fault.h"
#include "allocator/large.h"
#include "allocator/waiting.h"

static const void *owner_of(const struct heap *heap)
{
    return heap_is_instance(heap) ? heap : NULL;
}

static inline void count_alloc(struct heap *heap, size_t usable)
{
    counter_add(&heap->counters.allocations, 1);
    counter_add(&heap->counters.allocated_bytes, usable);
}

static inline void count_free(struct heap *heap, size_t usable)
{
    counter_add(&heap->counters.frees, 1);
    counter_add(&heap->counters.freed_bytes, usable);
}

static void count_resize(struct heap *heap, size_t before, size_t now)
{
    if (now > before)
        counter_add(&heap->counters.allocated_bytes, now - before);
    else
        counter_add(&heap->counters.freed_bytes, before - now);
}

/* Takes a block from the heap's front for blocks; NULL where that holds none for this. */
ALWAYS_INLINE void *pop_block(struct heap *heap, size_t bytes, size_t align)
{
    size_t usable;
    void *ptr = block_front_pop(&heap->block_front, bytes, align, &usable);

    if (ptr)
        count_alloc(heap, usable);
    return ptr;
}

/* The same, once for all rare ways. */
static RARE void *pop_aligned(struct heap *heap, size_t bytes, size_t align)
{
    return pop_block(heap, bytes, align);
}

void heap_flush(struct heap *heap)
{
    front_flush(&heap->front);
    (void)block_nursery_retire(&heap->nursery, heap->own_blocks);
    (void)block_front_flush(&heap->block_front, heap->own_blocks);
    waiting_note_free();
}

/* What a front holds keeps whole slabs from going back, so that it is emptied once in a while. */
static void count_slow_call(struct heap *heap)
{
    if (++heap->slow_calls % DECAY_PERIOD != 0)
        return;
    heap->arena_place.waits = 0;
    heap->large_place.waits = 0;
    heap->slab_place.waits = 0;
    unsigned rounds = decay_look(&heap->large_place);
    if (rounds != heap->decay_rounds)
        heap_flush(heap);
    heap->decay_rounds = rounds;
}

static NOINLINE void hold_in_place(struct heap *heap, void *ptr, size_t size)
{
    count_slow_call(heap);
    block_front_hold_in_place(&heap->block_front, heap->own_blocks, ptr, size);
    waiting_note_free();
}

/* A block that the front refuses. */
static NOINLINE void free_refused(struct heap *heap, void *ptr)
{
    count_slow_call(heap);
    (void)arena_free(ptr, heap->own_blocks);
    waiting_note_free();
}

static inline bool is_slab_size(size_t bytes)
{
    return bytes <= SLAB_MOST_BYTES && slab_class(bytes) != SLAB_NO_CLASS;
}

/* Whether blocks serve this size; what they serve only for want of slabs is left out. */
static inline bool is_block_size(size_t bytes)
{
    return bytes < MEM_MMAP_THRESHOLD && !is_slab_size(bytes);
}

/* Whether slabs serve by now what a block of this size was for, up to MEM_ALIGNMENT less: hardly
 * anybody will ask for it. */
static inline bool is_superseded(size_t size)
{
    return size - MEM_ALIGNMENT > SLAB_FIRST_MOST_BYTES && is_slab_size(size - MEM_ALIGNMENT);
}

/* Lets the heap's front hold a block; false, with nothing done, where it can't, and where that is
 * superseded. */
ALWAYS_INLINE bool push_block(struct heap *heap, void *ptr)
{
    struct block_front *front = &heap->block_front;
    size_t size = block_front_takes(front, ptr);

    if (size == 0 || __builtin_expect(is_superseded(size), 0))
        return false;
    count_free(heap, size - BLOCK_TAG_BYTES);
    if (block_front_refuses(front, size))
        free_refused(heap, ptr);
    else if (block_front_has_room(front, size))
        block_front_hold(front, ptr, size);
    else
        hold_in_place(heap, ptr, size);
    return true;
}

/* What its bins hold now came from the set before, and goes back there. */
static void note_crowd(struct heap *heap)
{
    if (!heap->front.is_crowded)
        return;
    heap->front.is_crowded = false;
    if (!heap_is_instance(heap))
        place_waits(slab_places_of(heap->node), &heap->slab_place, slab_sets_most());
}

/* How many calls for slabs this one stands for: all threads write what slab_sample learns from, so
 * that of many only one in several tells it. */
static unsigned samples_for(const struct heap *heap)
{
    enum { CALLS_PER_SAMPLE = 16 };

    if (!places_are_crowded())
        return 1;
    return heap->slow_calls % CALLS_PER_SAMPLE == 0 ? CALLS_PER_SAMPLE : 0;
}

/* NULL also where blocks serve this size. */
static void *take_small(struct heap *heap, size_t bytes)
{
    unsigned size_class = slab_class(bytes);
    void *ptr;

    if (size_class == SLAB_NO_CLASS)
        return NULL;
    if (front_pop(&heap->front, size_class, &ptr))
        return ptr;
    count_slow_call(heap);
    struct slab_set *slabs = heap_slabs_of(heap);
    ptr = front_refill(&heap->front, slabs, size_class);
    note_crowd(heap);
    waiting_note_free();
    unsigned sampled = samples_for(heap);
    if (sampled > 0)
        slab_sample(slabs, bytes, sampled * (front_held(&heap->front, UNIT_SLAB + size_class) + 1));
    return ptr;
}

/* Of a size that slabs could serve. */
static void note_small_block(const struct block_heap *blocks, size_t bytes)
{
    size_t most = slab_group_most(bytes ? bytes : 1), least = most - SLAB_GROUP_BYTES + 1;

    slab_note_blocks(most, block_live_bytes(blocks, least, most));
}

static inline struct block_heap *lock_blocks(struct heap *heap)
{
    struct block_heap *blocks = heap->own_blocks;

    if (__builtin_expect(!blocks, 1))
        return arena_take(&heap->arena_place);
    lock_take(&blocks->lock);
    return blocks;
}

/* Lets the next nursery begin, if there is memory for it, and cuts a block from it. */
static RARE void *renew_nursery(struct heap *heap, size_t size)
{
    /* Where memory lies free in pieces of which each is full after a few blocks these go, for a
     * while, where they fit best (EXPERIMENTS.md, "A nursery for what the front refuses"). */
    enum { FEW = 4, WAITS = 16 };
    struct block_nursery *nursery = &heap->nursery;
    bool was_short = nursery->start && nursery->cuts < FEW;

    struct block_heap *blocks = lock_blocks(heap);
    bool may_begin = !was_short && block_nursery_may_begin(blocks, size);
    lock_drop(&blocks->lock);
    /* The last one may lie in another arena. */
    if (may_begin || was_short)
        (void)block_nursery_retire(nursery, heap->own_blocks);
    if (may_begin) {
        /* Under the lock also for the sake of a fork's child. */
        blocks = lock_blocks(heap);
        may_begin = block_nursery_begin(nursery, blocks, size);
        lock_drop(&blocks->lock);
    }
    if (may_begin)
        return block_nursery_alloc(nursery, size);
    nursery->waits = WAITS;
    return NULL;
}

/* A block of a size that the front refuses, for these hardly ever come again soon. */
static void *take_from_nursery(struct heap *heap, size_t bytes)
{
    size_t size = block_size_for(bytes);

    if (!block_nursery_may_serve(&heap->nursery, size) ||
        !block_front_will_refuse(&heap->block_front, size))
        return NULL;
    /* Behind the front: as much of the traffic that decay goes by as if blocks were cut and merged.
     */
    count_slow_call(heap);
    void *ptr = block_nursery_alloc(&heap->nursery, size);
    if (!ptr)
        ptr = renew_nursery(heap, size);
    if (ptr)
        count_alloc(heap, block_size(ptr) - BLOCK_TAG_BYTES);
    return ptr;
}

static inline void *take_block_from(struct heap *heap, size_t bytes, size_t align, bool may_grow,
                                    struct block_zeros *zeros)
{
    struct block_heap *blocks = lock_blocks(heap);
    void *ptr = block_alloc_zeros(blocks, bytes, align, may_grow, zeros);
    if (bytes <= SLAB_MOST_BYTES)
        note_small_block(blocks, bytes);
    lock_drop(&blocks->lock);
    return ptr;
}

/* Whether the other arenas are to be asked before one takes units.  In a crowd threads whose blocks
 * lie in each other's arenas meet there: not if memory lies free in the zone. */
static bool asks_others(size_t bytes)
{
    if (!places_are_crowded())
        return true;
    /* If others are at it there will be some. */
    if (!lock_try(&zone.lock))
        return false;
    bool has_dirty = zone.dirty_units << UNIT_SHIFT > bytes;
    lock_drop(&zone.lock);
    return !has_dirty;
}

/* What the fronts hold goes back before a block heap grows: it may merge into what is needed. */
static RARE void *grow_for_block(struct heap *heap, size_t bytes, size_t align,
                                 struct block_zeros *zeros)
{
    void *ptr = NULL;

    bool has_retired = block_nursery_has_free(&heap->nursery, bytes) &&
                       block_nursery_retire(&heap->nursery, heap->own_blocks);
    if (block_front_flush(&heap->block_front, heap->own_blocks) || has_retired)
        ptr = take_block_from(heap, bytes, align, false, zeros);
    if (!ptr && !heap->own_blocks && asks_others(bytes))
        ptr = arena_alloc_elsewhere(heap->arena_place.index, bytes, align, false);
    if (!ptr)
        ptr = take_block_from(heap, bytes, align, true, zeros);
    if (!ptr && !heap->own_blocks)
        ptr = arena_alloc_elsewhere(heap->arena_place.index, bytes, align, true);
    /* Others may have freed what the nursery takes for live. */
    if (!ptr && block_nursery_retire(&heap->nursery, heap->own_blocks))
        ptr = take_block_from(heap, bytes, align, false, zeros);
    return ptr;
}

static void *take_block(struct heap *heap, size_t bytes, size_t align, struct block_zeros *zeros)
{
    count_slow_call(heap);
    block_front_miss(&heap->block_front, bytes);
    void *ptr = take_block_from(heap, bytes, align, false, zeros);
    if (!ptr)
        ptr = grow_for_block(heap, bytes, align, zeros);
    if (ptr)
        count_alloc(heap, block_size(ptr) - BLOCK_TAG_BYTES);
    return ptr;
}

/* Clears the first `bytes` of it but for what holds zeros: a program that uses little of a large
 * array has memory for no more of it. */
static NOINLINE void *take_zeroed_block(struct heap *heap, size_t bytes, size_t align)
{
    struct block_zeros zeros = {0, 0};
    char *ptr = take_block(heap, bytes, align, &zeros);
    uintptr_t first = (uintptr_t)ptr, end = first + bytes;

    if (!ptr)
        return NULL;
    if (zeros.start < first)
        zeros.start = first;
    if (zeros.end > end)
        zeros.end = end;
    if (zeros.start >= zeros.end)
        return memset(ptr, 0, bytes);
    memset(ptr, 0, zeros.start - first);
    memset(ptr + (zeros.end - first), 0, end - zeros.end);
    return ptr;
}

static void *take_any_block(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    return zeroed ? take_zeroed_block(heap, bytes, align) : take_block(heap, bytes, align, NULL);
}

static void *take_large(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    if (waiting_is_on())
        waiting_end();
    count_slow_call(heap);
    bytes = bytes ? bytes : 1;
    void *ptr = large_alloc(&heap->large_place, bytes, align, zeroed, owner_of(heap));

    if (ptr)
        count_alloc(heap, os_round_to_page(bytes));
    return ptr;
}

/* Whether blocks are to serve what was refused a mapping: there are too many of those, or the
 * process may not have more addresses and the zone has some.  It is not to grow by what the system
 * has just found too much. */
static bool is_for_blocks_after_all(size_t bytes, size_t align)
{
    if (bytes >= ZONE_SPAN_MOST || align >= ZONE_SPAN_MOST)
        return false;
    if (large_set_is_full())
        return true;
    lock_take(&zone.lock);
    bool may_fit = zone.free_units << UNIT_SHIFT >= bytes + align;
    lock_drop(&zone.lock);
    return may_fit;
}

/* Any request, and what the frequent way below has no block for. */
static RARE void *alloc_any(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    void *ptr = NULL;

    if (bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (align < MEM_ALIGNMENT)
        align = MEM_ALIGNMENT;
    if (checked_is_on())
        return checked_alloc(heap, bytes, align, zeroed);
    waiting_note_alloc();

    /* A multiple of the alignment gets a class that is one too. */
    size_t rounded = ((bytes ? bytes : 1) + align - 1) & ~(align - 1);
    if (rounded - 1 < SLAB_MOST_BYTES)
        ptr = take_small(heap, rounded);
    /* Where one kind of memory is exhausted the next may still be had. */
    bool is_block = bytes < MEM_MMAP_THRESHOLD && align < MEM_MMAP_THRESHOLD;
    if (!ptr && is_block)
        ptr = pop_aligned(heap, bytes, align);
    if (ptr)
        return zeroed ? memset(ptr, 0, bytes) : ptr;
    if (is_block)
        ptr = take_any_block(heap, bytes, align, zeroed);
    if (!ptr)
        ptr = take_large(heap, bytes, align, zeroed);
    if (!ptr && is_for_blocks_after_all(bytes, align))
        ptr = take_any_block(heap, bytes, align, zeroed);
    if (!ptr)
        errno = ENOMEM;
    return ptr;
}

/* A block, `held` where the front held one. */
static NOINLINE void *alloc_block(struct heap *heap, void *held, size_t bytes, bool zeroed)
{
    waiting_note_alloc();
    void *ptr = held ? held : take_from_nursery(heap, bytes);
    if (ptr)
        return zeroed ? memset(ptr, 0, bytes) : ptr;
    ptr = take_any_block(heap, bytes, MEM_ALIGNMENT, zeroed);
    return ptr ? ptr : alloc_any(heap, bytes, MEM_ALIGNMENT, zeroed);
}

/* A small object that the front doesn't hold. */
static NOINLINE void *alloc_small(struct heap *heap, size_t bytes, bool zeroed)
{
    waiting_note_alloc();
    void *ptr = take_small(heap, bytes ? bytes : 1);
    if (!ptr)
        return alloc_any(heap, bytes, MEM_ALIGNMENT, zeroed);
    return zeroed ? memset(ptr, 0, bytes) : ptr;
}

void *heap_alloc(struct heap *heap, size_t bytes, size_t align, bool zeroed)
{
    if (bytes >= MEM_MMAP_THRESHOLD || align > MEM_ALIGNMENT || checked_is_on())
        return alloc_any(heap, bytes, align, zeroed);
    if (!is_block_size(bytes))
        return alloc_small(heap, bytes, zeroed);
    void *ptr = pop_block(heap, bytes, MEM_ALIGNMENT);
    if (!ptr || waiting_is_on())
        return alloc_block(heap, ptr, bytes, zeroed);
    return zeroed ? memset(ptr, 0, bytes) : ptr;
}

static void free_small(struct heap *heap, void *ptr, unsigned kind)
{
    count_slow_call(heap);
    front_spill(&heap->front, heap_slabs_of(heap), kind, ptr);
    waiting_note_free();
}

static void free_block(struct heap *heap, void *ptr)
{
    count_slow_call(heap);
    size_t usable = block_nursery_holds(&heap->nursery, ptr)
                        ? block_nursery_free(&heap->nursery, ptr)
                        : block_front_pass(&heap->block_front, heap->own_blocks, ptr);
    count_free(heap, usable);
    waiting_note_free();
}

static void free_large(struct heap *heap, void *ptr)
{
    count_slow_call(heap);
    size_t usable = large_free(&heap->large_place, ptr, owner_of(heap));
    if (usable == 0)
        fault_die("invalid pointer", ptr);
    count_free(heap, usable);
}

/* Whether units of this kind are of the heap's blocks. */
static inline bool is_own_block(const struct heap *heap, unsigned kind)
{
    return heap_is_instance(heap) ? kind == UNIT_PRIVATE : kind == UNIT_BLOCK;
}

/* What the fronts can't hold. */
static NOINLINE void free_behind_fronts(struct heap *heap, void *ptr, unsigned kind)
{
    if (checked_is_on())
        checked_free(heap, ptr);
    else if (is_own_block(heap, kind))
        free_block(heap, ptr);
    else if (kind >= UNIT_SLAB)
        free_small(heap, ptr, kind);
    else
        free_large(heap, ptr);
}

void heap_free_kind(struct heap *heap, void *ptr, unsigned kind)
{
    /* Under memcheck nothing is held, and not even the block's tag may be read. */
    if (!is_own_block(heap, kind) || !push_block(heap, ptr))
        free_behind_fronts(heap, ptr, kind);
}

/* A shrunk small object stays while it fills three quarters: moving it costs more than that. */
static inline bool stays_small(size_t usable, size_t bytes)
{
    return bytes <= usable && usable - bytes <= usable / 4;
}

static bool resize_block(struct heap *heap, void *ptr, size_t bytes)
{
    /* What became small moves to a slab. */
    if (!is_block_size(bytes))
        return false;
    size_t before = block_usable(ptr);
    if (before + BLOCK_TAG_BYTES == block_size_for(bytes))
        return true;
    bool done;
    if (block_nursery_holds(&heap->nursery, ptr)) {
        done = block_nursery_resize(&heap->nursery, ptr, block_size_for(bytes));
    } else {
        struct block_heap *blocks = arena_or_own(ptr, heap->own_blocks);
        lock_take(&blocks->lock);
        done = block_resize(blocks, ptr, bytes);
        lock_drop(&blocks->lock);
    }
    if (done)
        count_resize(heap, before, block_usable(ptr));
    return done;
}

static void *resize_large(struct heap *heap, void *ptr, size_t bytes)
{
    size_t before = large_usable(&heap->large_place, ptr);

    if (before == 0)
        fault_die("invalid pointer", ptr);
    /* Down to half the threshold an object stays mapped: crossing it to and fro is cheap. */
    void *resized =
        bytes >= MEM_MMAP_THRESHOLD / 2 ? large_resize(&heap->large_place, ptr, bytes) : NULL;
    if (resized)
        count_resize(heap, before, os_round_to_page(bytes));
    return resized;
}

/* Returns an object that is not small, perhaps moved without copying, or NULL where it can't be
 * resized that way. */
static void *resize(struct heap *heap, void *ptr, unsigned kind, size_t bytes)
{
    if (checked_is_on())
        return NULL;
    if (is_own_block(heap, kind))
        return resize_block(heap, ptr, bytes) ? ptr : NULL;
    return resize_large(heap, ptr, bytes);
}

/* Copies an object of `usable` bytes to one of `bytes`, and frees it; where there is no memory for
 * that the object stays if it is large enough, and else the result is NULL. */
static inline void *move(struct heap *heap, void *ptr, unsigned kind, size_t usable, size_t bytes)
{
    void *moved;

    if (!heap_try_malloc(heap, bytes, &moved) &&
        !(moved = heap_alloc(heap, bytes, MEM_ALIGNMENT, false)))
        return bytes <= usable ? ptr : NULL;
    size_t copied = usable < bytes ? usable : bytes;
    /* Knowing how few they may be the compiler would copy them itself, with `rep movs`, which takes
     * longer than a call. */
    __asm__("" : "+r"(copied));
    memcpy(moved, ptr, copied);
    if (!heap_try_free(heap, ptr, kind))
        heap_free_kind(heap, ptr, kind);
    return moved;
}

void *heap_realloc(struct heap *heap, void *ptr, size_t bytes)
{
    if (!ptr)
        return heap_alloc(heap, bytes, MEM_ALIGNMENT, false);
    if (bytes == 0) {
        heap_free(heap, ptr);
        return NULL;
    }
    if (bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }

    unsigned kind = zone_kind(ptr);
    if (kind >= UNIT_SLAB && !checked_is_on()) {
        size_t usable = slab_class_bytes(kind - UNIT_SLAB);
        return stays_small(usable, bytes) ? ptr : move(heap, ptr, kind, usable, bytes);
    }
    void *resized = resize(heap, ptr, kind, bytes);
    return resized ? resized : move(heap, ptr, kind, heap_usable(ptr), bytes);
}

size_t heap_usable(const void *ptr)
{
    unsigned kind = zone_kind(ptr);
    size_t usable;

    if (!ptr)
        return 0;
    if (checked_is_on())
        return checked_usable(ptr);
    if (kind >= UNIT_SLAB)
        return slab_class_bytes(kind - UNIT_SLAB);
    if (zone_is_block(kind))
        return block_usable(ptr);
    usable = large_usable(NULL, ptr);
    if (usable == 0)
        fault_die("invalid pointer", ptr);
    return usable;
}
