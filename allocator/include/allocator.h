/* liballocator: a general-purpose heap allocator.
 *
 * Two families of the same calls.  mem_* is the faster one and keeps no order between threads: at
 * most one thread at a time may be inside a mem_* call.  mem_*_ts may be called by any number of
 * threads at once.  A pointer obtained from one family may be given to the other; what the caller
 * has to see to is only that mem_* calls do not overlap each other.
 *
 * Common to every call that returns memory:
 *   - the address is a multiple of ALIGNMENT, or of the alignment asked for;
 *   - a size of 0 gives a unique address that must be freed;
 *   - failure gives NULL with errno ENOMEM, also for any size above PTRDIFF_MAX;
 *   - the memory belongs to the caller until it is passed to mem_free or mem_realloc of any family.
 * Passing an address that was not obtained here, or one already freed, is an error of the caller;
 * where it is noticed, one line goes to standard error and the process aborts. */
#ifndef HEAPLAB_ALLOCATOR_H
#define HEAPLAB_ALLOCATOR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ALLOCATOR_VERSION "0.1.0"

/* Requests of at least this many bytes are mapped, most of them on their own; some mappings are
 * kept when they are freed. */
#define MEM_MMAP_THRESHOLD ((size_t)128 * 1024)
/* The heap below that threshold grows in multiples of this many bytes. */
#define MEM_BRK_INCREMENT ((size_t)64 * 1024)
/* Segregated lists of free blocks: up to 32, 64, 128, ... 8192 bytes, and above. */
#define MEM_NUM_SIZE_CLASSES 10
/* A block is split when at least this many bytes are left over. */
#define MEM_MIN_BLOCK_SIZE ((size_t)32)
/* Every address handed out is a multiple of this. */
#define MEM_ALIGNMENT ((size_t)16)

/* The same constants under the short names of the library's description.  They are words that a
 * program may want for itself: define MEM_NO_SHORT_NAMES before including this header to do
 * without them. */
#ifndef MEM_NO_SHORT_NAMES
#define MMAP_THRESHOLD   MEM_MMAP_THRESHOLD
#define BRK_INCREMENT    MEM_BRK_INCREMENT
#define NUM_SIZE_CLASSES MEM_NUM_SIZE_CLASSES
#define MIN_BLOCK_SIZE   MEM_MIN_BLOCK_SIZE
#define ALIGNMENT        MEM_ALIGNMENT
#endif

#if defined(__GNUC__)
#define MEM_API __attribute__((visibility("default")))
#define MEM_ALLOCATES(...) \
    __attribute__((malloc, warn_unused_result, alloc_size(__VA_ARGS__), visibility("default")))
#define MEM_RESIZES(size) \
    __attribute__((warn_unused_result, alloc_size(size), visibility("default")))
#else
#define MEM_API
#define MEM_ALLOCATES(...)
#define MEM_RESIZES(size)
#endif

/* Returns `size` bytes with undefined contents. */
void *mem_malloc(size_t size) MEM_ALLOCATES(1);
/* Gives `ptr` back; NULL is allowed and does nothing.  errno is left as it was. */
MEM_API void mem_free(void *ptr);
/* Returns nmemb * size bytes, all zero; ENOMEM where the product overflows. */
void *mem_calloc(size_t nmemb, size_t size) MEM_ALLOCATES(1, 2);
/* Resizes `ptr` and returns its new address; the contents stay up to the smaller of both sizes.
 * NULL for `ptr` allocates; a size of 0 frees `ptr` and returns NULL.  On failure `ptr` is
 * untouched and still the caller's. */
void *mem_realloc(void *ptr, size_t size) MEM_RESIZES(2);
/* Returns `size` bytes at a multiple of `alignment`, a power of two of any magnitude; EINVAL
 * where it is not a power of two.  `size` need not be a multiple of it. */
void *mem_aligned_alloc(size_t alignment, size_t size) MEM_ALLOCATES(2);

/* The same for any number of threads at once. */
void *mem_malloc_ts(size_t size) MEM_ALLOCATES(1);
MEM_API void mem_free_ts(void *ptr);
void *mem_calloc_ts(size_t nmemb, size_t size) MEM_ALLOCATES(1, 2);
void *mem_realloc_ts(void *ptr, size_t size) MEM_RESIZES(2);
void *mem_aligned_alloc_ts(size_t alignment, size_t size) MEM_ALLOCATES(2);

/* A heap instance: its objects can be freed one by one, and what is left of them all at once.
 * At most one thread at a time may be inside a call with the same instance; calls with different
 * ones, and of the families above, may overlap.  An object of an instance is freed and resized with
 * that instance only, and of no other family. */
typedef struct mem_heap mem_heap_t;

/* Returns an empty heap, the caller's until mem_heap_destroy; NULL with ENOMEM. */
MEM_API mem_heap_t *mem_heap_new(void);
/* Frees all objects of the heap and the heap itself; NULL is allowed and does nothing. */
MEM_API void mem_heap_destroy(mem_heap_t *heap);
/* As the calls above without the heap. */
void *mem_heap_malloc(mem_heap_t *heap, size_t size) MEM_ALLOCATES(2);
MEM_API void mem_heap_free(mem_heap_t *heap, void *ptr);
void *mem_heap_calloc(mem_heap_t *heap, size_t nmemb, size_t size) MEM_ALLOCATES(2, 3);
void *mem_heap_realloc(mem_heap_t *heap, void *ptr, size_t size) MEM_RESIZES(3);
void *mem_heap_aligned_alloc(mem_heap_t *heap, size_t alignment, size_t size) MEM_ALLOCATES(3);

/* Returns how many bytes of `ptr` may be used: at least the size asked for, all of them the
 * caller's to write.  0 for NULL.  `ptr` may come from any family or heap, and any thread may ask
 * about a pointer that no other thread frees meanwhile. */
MEM_API size_t mem_usable_size(const void *ptr);

/* Gives free memory back to the operating system and returns how many bytes of address range it
 * gave; 0 when nothing was left to give.  Thread-safe. */
MEM_API size_t mem_trim(void);
/* For a program that has nothing to do: as mem_trim, and what is kept ready for the next mem_*
 * calls goes too.  Counts as a mem_* call. */
MEM_API size_t mem_idle(void);

/* Counters over both families, all threads, since the start or the last mem_reset.
 * Bytes are usable bytes: what mem_usable_size says of each object, not what was asked for.
 * A resize in place adds the difference to total_allocated or to total_freed and leaves the
 * counts alone; a resize that moves counts as one allocation and one free. */
typedef struct mem_stats {
    size_t total_allocated; /* bytes */
    size_t total_freed;     /* bytes */
    size_t current_usage;   /* bytes live now; mem_reset does not change it */
    size_t num_allocations;
    size_t num_frees;
    size_t num_splits;    /* blocks cut in two */
    size_t num_coalesces; /* blocks merged with a free neighbour */
} mem_stats_t;

/* Returns the counters.  Thread-safe; while other threads allocate, what they have under way is
 * counted or not: of each thread and size up to 256 objects, or 64 KiB, may be missing from a
 * counter or be too many. Exact once they have stopped. */
MEM_API mem_stats_t mem_get_stats(void);
/* Prints the counters to standard output, one per line. */
MEM_API void mem_print_stats(void);
/* Sets all counters but current_usage to zero.  Live objects are not touched. */
MEM_API void mem_reset(void);

#ifdef __cplusplus
}
#endif

#endif
