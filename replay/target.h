/* Targets: the allocators that are measured, behind one vtable.
 *
 * A target is loaded in the run's own process, so an allocator never meets the leftovers of
 * another. Everyone is called the same way, through the pointers of struct target.
 */
#ifndef REPLAY_TARGET_H
#define REPLAY_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define TARGET_TEXT_BYTES 256

struct target {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *pointer, size_t size);
    void (*free)(void *pointer);
    void *(*memalign)(size_t alignment, size_t size); /* NULL: not supported */
    size_t (*usable_size)(void *pointer);             /* NULL: not known */
    char version[TARGET_TEXT_BYTES];                  /* "" where the library does not say */
};

enum target_load {
    TARGET_LOADED = 0,
    TARGET_MISSING = 1, /* not on this machine; error says what to install */
    TARGET_NEEDS_PRELOAD =
        2, /* can't be loaded late: start the process again with it in LD_PRELOAD */
};

struct target_request {
    const char *library; /* of the adapter, or as the user named it; NULL where nothing is loaded */
    size_t largest_bytes; /* the largest object that will be asked for */
};

/* One kind of target; adapters/ holds one file for each. */
struct target_adapter {
    const char *name;
    const char *summary;
    const char *library; /* what dlopen(3) is given, NULL where nothing is loaded */
    bool single_threaded;
    bool is_control; /* measures the harness; left out where all allocators are meant */
    enum target_load (*load)(struct target *target, const struct target_request *request,
                             char error[TARGET_TEXT_BYTES]);
};

/* In the order they are listed and charted; ends with NULL. */
extern const struct target_adapter *const target_registry[];

extern const struct target_adapter target_null, target_system, target_jemalloc, target_mimalloc,
    target_tcmalloc, target_mem, target_mem_ts, target_slow, target_fat, target_leaky,
    target_shared_library;

/* The adapter for a name of the registry, or target_shared_library for anything with a '/' or
 * ending in ".so" or
 * ".so.N"; NULL for an unknown name. "NAME#2" is NAME once more, under a second name. */
const struct target_adapter *target_find(const char *name);

/* Whether the name is that of the target that measures the harness. */
bool target_is_null(const char *name);

/* The library that a target named `name` loads, NULL where none. */
const char *target_library(const struct target_adapter *adapter, const char *name);

/* Fills `target` from the allocation functions that the library exports. */
enum target_load target_load_library(struct target *target, const struct target_request *request,
                                     char error[TARGET_TEXT_BYTES]);

#endif
