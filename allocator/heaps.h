/* All heaps of the process: one for mem_*, one for each thread that uses mem_*_ts, a shared one
 * for threads that have none, and the instances.
 *
 * Invariants: a thread heap is in the list of all heaps for ever, and is either owned by one thread
 * or idle; the heap of a thread that ended becomes idle with empty fronts and goes to the next
 * thread that needs one, which takes its slabs from the node that it runs on.  So there are as many
 * heaps as there were threads at one time. */
#ifndef ALLOCATOR_HEAPS_H
#define ALLOCATOR_HEAPS_H

#include "allocator/heap.h"
#include "allocator/include/allocator.h"

extern struct heap heap_plain HIDDEN;

/* The calling thread's heap; heap_none before its first slow call and after its end.  heap_none's
 * bins are empty and full at once (top 0, limit 0), so every fast path leaves it for the slow
 * one and nobody writes to it. */
extern struct heap heap_none HIDDEN;
extern __thread struct heap *heaps_current HIDDEN __attribute__((tls_model("initial-exec")));

/* For a thread whose heaps_current is heap_none, and any other: returns the heap that it may use
 * until heaps_leave; never heap_none. */
struct heap *heaps_enter(void);
void heaps_leave(struct heap *heap);

/* Gives free memory back to the system; returns how many bytes.  Empties the calling thread's front
 * and, with `plain_too`, that of mem_*. */
size_t heaps_trim(bool plain_too);

/* Makes a heap one of those that heaps_stats and a fork know; ends that, counting all that the heap
 * allocated as freed. */
void heaps_add_instance(struct heap *heap);
void heaps_remove_instance(struct heap *heap);

struct mem_stats heaps_stats(void);
void heaps_reset_stats(void);

#endif
