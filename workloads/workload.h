/* Synthetic workloads: each generates a legal stream of trace events, deterministic by its
 * parameters and seed.
 *
 * A workload is opened by "NAME" or "NAME:key=value,key=value" and is then a trace_source like any
 * other: replayed, written to a file or looked at. Memory stays bounded by the live objects,
 * however many events are generated. A workload may end with objects still live: the replay frees
 * them itself, after the timed part, to see what goes back to the system. Events carry time 0,
 * since nothing was recorded.
 */
#ifndef WORKLOADS_WORKLOAD_H
#define WORKLOADS_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "traces/trace.h"

struct workload_parameter {
    const char *name; /* NULL ends the list */
    uint64_t default_value, minimum, maximum;
    const char *summary; /* with its unit */
    /* Words instead of numbers, ending with NULL; the value is the word's index. NULL for numbers.
     */
    const char *const *choices;
};

struct workload {
    const char *name;
    const char *summary; /* one line: what it does */
    const char *shows;   /* one line: what a poor result reveals */
    const char *origin;  /* paper, program or manual page it comes from */
    const struct workload_parameter *parameters;
    size_t state_bytes;
    /* `values` stand in the order of `parameters`. `state` is zeroed. Returns 0 or -errno with
     * *error set; `stop` is called in either case. */
    int (*start)(void *state, const uint64_t *values, struct trace_error *error);
    /* Writes the next event, `object` included. Returns 1, 0 at the end, or -errno. */
    int (*next)(void *state, struct trace_event *event);
    void (*stop)(void *state);
};

/* All workloads, in the order they are listed; ends with NULL. */
extern const struct workload *const workload_registry[];

/* The specifications that a standard campaign runs, in the order of its tables; ends with NULL. */
extern const char *const workload_bench_set[];

/* Those that a full campaign runs after them; ends with NULL. */
extern const char *const workload_full_set[];

/* Returns the workload that `specification` ("NAME" or "NAME:...") names, or NULL. */
const struct workload *workload_find(const char *specification);

/* Sizes are written as numbers, with k, M or G (powers of 1024) where that is shorter. On success
 * *source is the caller's to close with trace_source_close. Returns 0, -ENOENT (no workload of that
 * name), -EINVAL (unknown key, malformed or impossible value) or -ENOMEM, with *error saying what
 * would be right. */
int workload_open(struct trace_source **source, const char *specification,
                  struct trace_error *error);

#endif
