#include "workloads/emit.h"

#include <errno.h>
#include <stdlib.h>

int live_set_add(struct live_set *set, struct live_object object)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 1024;
        struct live_object *grown = realloc(set->objects, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        set->objects = grown;
        set->capacity = capacity;
    }
    set->objects[set->count++] = object;
    return 0;
}

struct live_object live_set_take(struct live_set *set, size_t index)
{
    struct live_object taken = set->objects[index];
    set->objects[index] = set->objects[--set->count];
    return taken;
}

void live_set_clean_up(struct live_set *set)
{
    free(set->objects);
    *set = (struct live_set){0};
}

static int emit_new(struct object_ids *ids, struct trace_event *event, struct trace_event call)
{
    *event = call;
    event->object = object_ids_take(ids, call.thread);
    return event->object == TRACE_NO_OBJECT ? -ENOMEM : 1;
}

int emit_malloc(struct object_ids *ids, struct trace_event *event, uint32_t thread, uint64_t size)
{
    return emit_new(
        ids, event,
        (struct trace_event){.kind = TRACE_MALLOC, .thread = thread, .size = size, .count = 1});
}

int emit_calloc(struct object_ids *ids, struct trace_event *event, uint32_t thread, uint64_t count,
                uint64_t size)
{
    return emit_new(
        ids, event,
        (struct trace_event){.kind = TRACE_CALLOC, .thread = thread, .size = size, .count = count});
}

int emit_realloc(struct trace_event *event, uint32_t thread, uint32_t object, uint64_t size)
{
    *event = (struct trace_event){
        .kind = TRACE_REALLOC, .thread = thread, .size = size, .count = 1, .object = object};
    return 1;
}

int emit_free(struct object_ids *ids, struct trace_event *event, uint32_t thread, uint32_t object)
{
    *event =
        (struct trace_event){.kind = TRACE_FREE, .thread = thread, .count = 1, .object = object};
    int status = object_ids_give(ids, thread, object);
    return status < 0 ? status : 1;
}

int emit_thread_start(struct trace_event *event, uint32_t creator, uint32_t thread)
{
    *event = (struct trace_event){
        .kind = TRACE_THREAD_START, .thread = creator, .count = 1, .object = thread};
    return 1;
}

int emit_thread_end(struct object_ids *ids, struct trace_event *event, uint32_t thread)
{
    *event = (struct trace_event){
        .kind = TRACE_THREAD_END, .thread = thread, .count = 1, .object = TRACE_NO_OBJECT};
    int status = object_ids_end_thread(ids, thread);
    return status < 0 ? status : 1;
}

int emit_malloc_into(struct live_set *set, struct object_ids *ids, struct trace_event *event,
                     uint64_t size)
{
    int status = emit_malloc(ids, event, 0, size);
    if (status < 0)
        return status;
    status = live_set_add(set, (struct live_object){.size = size, .id = event->object});
    return status < 0 ? status : 1;
}

int emit_free_from(struct live_set *set, size_t index, struct object_ids *ids,
                   struct trace_event *event)
{
    return emit_free(ids, event, 0, live_set_take(set, index).id);
}
