#include "workloads/registry.h"

#include <string.h>

/* To add a workload: write workloads/NAME.c with a `struct workload` whose `next` yields one event
 * (emit.h fills it in), declare it in registry.h, add the file to CMakeLists.txt, a line here and
 * its paragraph to README.md. The tests take it from this table. Draw from a parameter `seed` where
 * anything is random, and choose defaults of 300,000 to a million events. */
/* clang-format off */
const struct workload *const workload_registry[] = {
    &workload_checkerboard,
    &workload_sawtooth,
    &workload_size_shift,
    &workload_random,
    &workload_robson,
    &workload_aged,
    &workload_server,
    &workload_fixed,
    &workload_calloc,
    &workload_realloc_grow,
    &workload_realloc_append,
    &workload_large_churn,
    &workload_larson,
    &workload_producer_consumer,
    &workload_churn,
    &workload_false_sharing_active,
    &workload_false_sharing_passive,
    NULL,
};
/* clang-format on */

/* Fragmentation first. The fixed sizes hold at most 16 MiB, and rounds fall with the size such that
 * no entry takes more than about 0.2 s, most of which is page faults at the large end. */
const char *const workload_bench_set[] = {
    "checkerboard",
    "sawtooth",
    "size-shift",
    "random",
    "fixed:size=16",
    "fixed:size=64",
    "fixed:size=256",
    "fixed:size=1k",
    "fixed:size=4k,rounds=8",
    "fixed:size=16k,objects=1k,rounds=8",
    "fixed:size=64k,objects=256,rounds=16",
    "fixed:size=256k,objects=64,rounds=16",
    "fixed:size=1M,objects=16,rounds=16",
    "fixed:size=64,order=fifo",
    "fixed:size=64,order=random",
    "calloc",
    "realloc-grow",
    "realloc-append",
    NULL,
};

/* Heap breakers and threads, which take too long for every `make bench`. The second robson is
 * fitted to an allocator with headers, the second aged is the fresh heap to compare the first with.
 */
const char *const workload_full_set[] = {
    "robson", "robson:unit=32,header=8", "aged",  "aged:litter=0",        "large-churn",
    "larson", "producer-consumer",       "churn", "false-sharing-active", "false-sharing-passive",
    NULL,
};

const struct workload *workload_find(const char *specification)
{
    size_t length = strcspn(specification, ":");
    for (const struct workload *const *entry = workload_registry; *entry; entry++)
        if (strlen((*entry)->name) == length && !memcmp((*entry)->name, specification, length))
            return *entry;
    return NULL;
}
