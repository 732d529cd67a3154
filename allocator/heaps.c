#include "allocator/heaps.h"

#include <pthread.h>

#include "allocator/base.h"
#include "allocator/checked.h"
#include "allocator/decay.h"
#include "allocator/depot.h"
#include "allocator/large.h"
#include "allocator/waiting.h"

struct heap heap_plain COLD_DATA;
struct heap heap_none COLD_DATA;
__thread struct heap *heaps_current __attribute__((tls_model("initial-exec"))) = &heap_none;

/* The thread has run its destructors: a heap given to it now would never come back. */
static __thread bool has_ended __attribute__((tls_model("initial-exec")));

/* For threads without a heap: at their very end, under memcheck, or out of memory. */
static struct heap heap_shared COLD_DATA;
static struct lock shared_lock;

/* Guarded by registry_lock, which comes before every other lock. */
static struct lock registry_lock;
static struct heap *all_heaps, *idle_heaps, *instances;
static struct counters destroyed; /* of the instances that are gone */
static struct mem_stats reset_point;

static pthread_key_t exit_key;
static bool has_exit_key;

/* --- threads and their heaps ---------------------------------------------------------------- */

static void give_up_heap(void *current)
{
    struct heap *heap = current;

    heaps_current = &heap_none;
    has_ended = true;
    heap_flush(heap);
    lock_take(&registry_lock);
    heap->is_owned = false;
    heap->next_idle = idle_heaps;
    idle_heaps = heap;
    lock_drop(&registry_lock);
}

/* Lets a heap have the slabs of the node of its thread: the set that it had before, or the first
 * one. */
static void settle_on_node(struct heap *heap, bool is_new)
{
    unsigned node = os_node() % SLAB_NODES;

    if (!is_new && node == heap->node)
        return;
    if (!is_new)
        place_leave(slab_places_of(heap->node), &heap->slab_place);
    heap->node = node;
    slab_sets_begin(node);
}

static void begin_in_crowd(struct heap *heap)
{
    place_begin(slab_places_of(heap->node), &heap->slab_place, slab_sets_most());
    place_begin(&arena_places, &heap->arena_place, places_most(PLACES_MOST));
    place_begin(&large_places, &heap->large_place, places_most(KEPT_SETS));
}

static struct heap *adopt_or_create(void)
{
    lock_take(&registry_lock);
    struct heap *heap = idle_heaps;
    bool is_new = !heap;
    if (heap) {
        idle_heaps = heap->next_idle;
    } else if ((heap = os_map(sizeof *heap, 0)) != NULL) {
        heap->next = all_heaps;
        all_heaps = heap;
    }
    if (heap) {
        settle_on_node(heap, is_new);
        if (is_new)
            begin_in_crowd(heap);
        heap->is_owned = true;
    }
    lock_drop(&registry_lock);
    return heap;
}

static struct heap *enter_shared(void)
{
    lock_take(&shared_lock);
    return &heap_shared;
}

struct heap *heaps_enter(void)
{
    if (heaps_current != &heap_none)
        return heaps_current;
    /* Without the key a thread's end would go unnoticed. */
    if (has_ended || !has_exit_key || checked_is_on())
        return enter_shared();

    struct heap *heap = adopt_or_create();
    if (!heap)
        return enter_shared();
    /* In this order: setting the value may allocate, and finds the heap then. */
    heaps_current = heap;
    (void)pthread_setspecific(exit_key, heap);
    return heap;
}

void heaps_leave(struct heap *heap)
{
    if (heap == &heap_shared)
        lock_drop(&shared_lock);
}

/* --- memory back to the system -------------------------------------------------------------- */

size_t heaps_trim(bool plain_too)
{
    /* What is free is out of bounds to memcheck, links included. */
    if (checked_is_on())
        return 0;
    if (plain_too)
        heap_flush(&heap_plain);
    if (heaps_current != &heap_none)
        heap_flush(heaps_current);
    /* Of a fork, too: what is on its way meanwhile would be lost to the child. */
    decay_change_lock(lock_take);
    depot_decay(true);
    slab_sets_decay(true);
    decay_change_lock(lock_drop);
    size_t trimmed = arena_trim();
    trimmed += zone_trim();
    waiting_cancel();
    return trimmed + large_decay(true);
}

/* --- statistics ----------------------------------------------------------------------------- */

static void add_heap(struct counters *total, const struct heap *heap)
{
    total->allocated_bytes += counter_get(&heap->counters.allocated_bytes);
    total->freed_bytes += counter_get(&heap->counters.freed_bytes);
    total->allocations += counter_get(&heap->counters.allocations);
    total->frees += counter_get(&heap->counters.frees);
    front_count(&heap->front, total);
}

void heaps_add_instance(struct heap *heap)
{
    lock_take(&registry_lock);
    heap->next = instances;
    heap->previous = NULL;
    if (instances)
        instances->previous = heap;
    instances = heap;
    lock_drop(&registry_lock);
}

void heaps_remove_instance(struct heap *heap)
{
    struct counters total = {0};

    lock_take(&registry_lock);
    if (heap->next)
        heap->next->previous = heap->previous;
    if (heap->previous)
        heap->previous->next = heap->next;
    else
        instances = heap->next;
    add_heap(&total, heap);
    destroyed.allocated_bytes += total.allocated_bytes;
    destroyed.freed_bytes += total.allocated_bytes;
    destroyed.allocations += total.allocations;
    destroyed.frees += total.allocations;
    lock_drop(&registry_lock);
}

/* Counters that change while they are read may seem to run back by a little. */
static size_t excess(size_t value, size_t subtracted)
{
    return value > subtracted ? value - subtracted : 0;
}

/* Needs registry_lock. */
static struct mem_stats absolute_stats(void)
{
    struct counters total = destroyed;

    add_heap(&total, &heap_plain);
    add_heap(&total, &heap_shared);
    for (const struct heap *heap = all_heaps; heap; heap = heap->next)
        add_heap(&total, heap);
    for (const struct heap *heap = instances; heap; heap = heap->next)
        add_heap(&total, heap);
    struct mem_stats stats = {
        .total_allocated = total.allocated_bytes,
        .total_freed = total.freed_bytes,
        .current_usage = excess(total.allocated_bytes, total.freed_bytes),
        .num_allocations = total.allocations,
        .num_frees = total.frees,
    };
    arena_count(&stats.num_splits, &stats.num_coalesces);
    return stats;
}

struct mem_stats heaps_stats(void)
{
    lock_take(&registry_lock);
    struct mem_stats stats = absolute_stats();
    stats.total_allocated = excess(stats.total_allocated, reset_point.total_allocated);
    stats.total_freed = excess(stats.total_freed, reset_point.total_freed);
    stats.num_allocations = excess(stats.num_allocations, reset_point.num_allocations);
    stats.num_frees = excess(stats.num_frees, reset_point.num_frees);
    stats.num_splits = excess(stats.num_splits, reset_point.num_splits);
    stats.num_coalesces = excess(stats.num_coalesces, reset_point.num_coalesces);
    lock_drop(&registry_lock);
    return stats;
}

void heaps_reset_stats(void)
{
    lock_take(&registry_lock);
    reset_point = absolute_stats();
    lock_drop(&registry_lock);
}

/* --- fork ----------------------------------------------------------------------------------- */

static void change_slab_and_block_locks(void (*change)(struct lock *))
{
    for (unsigned i = slab_sets_next(0); i < SLAB_SETS; i = slab_sets_next(i + 1))
        slab_lock_all(slab_set_at(i), change);
    for (struct heap *heap = instances; heap; heap = heap->next)
        slab_lock_all(heap->own_slabs, change);
    arena_lock_all(change);
    for (struct heap *heap = instances; heap; heap = heap->next)
        change(&heap->own_blocks->lock);
}

/* The child gets the memory as it is at the fork, with one thread: all locks are taken before, in
 * the order in which the layers take them, so that nothing is half done in it. */
static void before_fork(void)
{
    lock_take(&registry_lock);
    lock_take(&shared_lock);
    decay_change_lock(lock_take);
    waiting_change_lock(lock_take);
    places_change_lock(lock_take);
    change_slab_and_block_locks(lock_take);
    lock_take(&zone.growth_lock);
    lock_take(&zone.purge_lock);
    lock_take(&zone.lock);
    large_lock_all(lock_take);
    large_prepare_fork();
}

static void after_fork(void (*release)(struct lock *))
{
    large_lock_all(release);
    release(&zone.lock);
    release(&zone.purge_lock);
    release(&zone.growth_lock);
    change_slab_and_block_locks(release);
    places_change_lock(release);
    waiting_change_lock(release);
    decay_change_lock(release);
    release(&shared_lock);
    release(&registry_lock);
}

static void after_fork_in_parent(void)
{
    after_fork(lock_drop);
}

/* The other threads are gone, their heaps free for adoption.  One store completes a push or a pop;
 * what a front had on its way to or from the slabs or the block heap is lost, and the sum of what
 * is held is made anew. */
static void after_fork_in_child(void)
{
    after_fork(lock_reset);
    zone.growing_units = 0;
    for (struct heap *heap = all_heaps; heap; heap = heap->next)
        if (heap->is_owned && heap != heaps_current) {
            front_repair(&heap->front);
            block_front_recount(&heap->block_front);
            block_nursery_recount(&heap->nursery);
            heap->is_owned = false;
            heap->next_idle = idle_heaps;
            idle_heaps = heap;
        }
}

/* Before the constructors of others, who may register handlers of forks, too: what runs before a
 * fork runs in the reverse order, so that these may still allocate.  101 is the first priority
 * within a program; the preloaded library is initialised before all others (CMakeLists.txt). */
__attribute__((constructor(101))) static void prepare_for_threads(void)
{
    has_exit_key = pthread_key_create(&exit_key, give_up_heap) == 0;
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
