/* What every generator does: fill in an event, give its object the id of the rule, and remember
 * what is live. */
#ifndef WORKLOADS_EMIT_H
#define WORKLOADS_EMIT_H

#include <stddef.h>
#include <stdint.h>

#include "traces/object_ids.h"
#include "traces/trace.h"

struct live_object {
    uint64_t size; /* requested bytes */
    uint32_t id;
};

/* Objects that a generator will free one day. Their order is the generator's own affair. */
struct live_set {
    struct live_object *objects;
    size_t count, capacity;
};

/* Return 0 or -ENOMEM. */
int live_set_add(struct live_set *set, struct live_object object);
/* Removes and returns objects[index]; the last object moves there. */
struct live_object live_set_take(struct live_set *set, size_t index);
void live_set_clean_up(struct live_set *set);

/* Each writes *event. Return 1 or -ENOMEM, as struct workload's `next` does. */
int emit_malloc(struct object_ids *ids, struct trace_event *event, uint32_t thread, uint64_t size);
int emit_calloc(struct object_ids *ids, struct trace_event *event, uint32_t thread, uint64_t count,
                uint64_t size);
int emit_realloc(struct trace_event *event, uint32_t thread, uint32_t object, uint64_t size);
int emit_free(struct object_ids *ids, struct trace_event *event, uint32_t thread, uint32_t object);
int emit_thread_start(struct trace_event *event, uint32_t creator, uint32_t thread);
int emit_thread_end(struct object_ids *ids, struct trace_event *event, uint32_t thread);

/* As above, by thread 0, with the object added to or taken from `set`. */
int emit_malloc_into(struct live_set *set, struct object_ids *ids, struct trace_event *event,
                     uint64_t size);
int emit_free_from(struct live_set *set, size_t index, struct object_ids *ids,
                   struct trace_event *event);

#endif
