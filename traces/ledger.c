#include "traces/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "traces/error.h"

int trace_ledger_init(struct trace_ledger *ledger)
{
    *ledger = (struct trace_ledger){.ids = object_ids_new(), .thread_capacity = 16};
    ledger->ended = calloc(ledger->thread_capacity, sizeof *ledger->ended);
    ledger->summary.thread_count = 1;
    return ledger->ids && ledger->ended ? 0 : -ENOMEM;
}

void trace_ledger_clean_up(struct trace_ledger *ledger)
{
    object_ids_destroy(ledger->ids);
    free(ledger->objects);
    free(ledger->ended);
    *ledger = (struct trace_ledger){0};
}

void trace_ledger_reset(struct trace_ledger *ledger)
{
    object_ids_reset(ledger->ids);
    for (uint32_t i = 0; i < ledger->object_capacity; i++)
        ledger->objects[i].thread = TRACE_NO_OBJECT;
    memset(ledger->ended, 0, ledger->thread_capacity);
    ledger->birth_count = 0;
    ledger->summary = (struct trace_summary){.thread_count = 1};
}

/* Fails with the event's index and call before the reason. */
#define ILLEGAL(format, ...)                                                      \
    trace_fail(error, EPROTO, TRACE_NO_OFFSET, "event %" PRIu64 " (%s): " format, \
               ledger->summary.event_count, trace_kind_name(event->kind), ##__VA_ARGS__)
#define OUT_OF_MEMORY()                                                        \
    trace_fail(error, ENOMEM, TRACE_NO_OFFSET,                                 \
               "out of memory at %" PRIu32 " objects and %" PRIu32 " threads", \
               ledger->summary.object_count, ledger->summary.thread_count)

static bool is_live(const struct trace_ledger *ledger, uint32_t object)
{
    return object < ledger->summary.object_count &&
           ledger->objects[object].thread != TRACE_NO_OBJECT;
}

static int check_form(const struct trace_ledger *ledger, const struct trace_event *event,
                      struct trace_error *error)
{
    const struct trace_summary *summary = &ledger->summary;
    if (!trace_kind_name(event->kind))
        return trace_fail(error, EPROTO, TRACE_NO_OFFSET,
                          "event %" PRIu64 ": there is no kind of event numbered %u",
                          summary->event_count, event->kind);
    if (event->thread >= summary->thread_count)
        return ILLEGAL("thread %" PRIu32 " has not started", event->thread);
    if (ledger->ended[event->thread])
        return ILLEGAL("thread %" PRIu32 " has already ended", event->thread);
    if (event->time_ns < summary->duration_ns)
        return ILLEGAL("its time, %" PRIu64 " ns, is before that of the event before, %" PRIu64
                       " ns",
                       event->time_ns, summary->duration_ns);
    unsigned allowed = 0;
    if (trace_kind_has_size(event->kind))
        allowed |= TRACE_FAILED;
    if (event->kind == TRACE_FREE || trace_kind_resizes(event->kind))
        allowed |= TRACE_NULL_ARGUMENT;
    if (event->flags & ~allowed)
        return ILLEGAL("it cannot have the flags %#x", event->flags);
    return 0;
}

static int check_request(const struct trace_ledger *ledger, const struct trace_event *event,
                         uint64_t live_bytes_before, struct trace_error *error)
{
    uint64_t bytes = trace_event_bytes(event);
    if (bytes > TRACE_BYTES_MAX)
        return ILLEGAL("no allocation of %" PRIu64 " bytes times %" PRIu64 " can succeed",
                       event->size, event->count);
    if (bytes > TRACE_SIZE_MAX - live_bytes_before)
        return ILLEGAL("more bytes would be live than an address space holds");
    if (trace_kind_has_alignment(event->kind) &&
        (event->alignment & (event->alignment - 1) || event->alignment == 0 ||
         event->alignment > TRACE_ALIGNMENT_MAX))
        return ILLEGAL("an alignment of %" PRIu32 " is not a power of two up to %" PRIu32,
                       event->alignment, TRACE_ALIGNMENT_MAX);
    return 0;
}

/* The peaks are taken after an object was added or resized; a release cannot make one. */
static void note_peaks(struct trace_summary *summary)
{
    if (summary->final_live_bytes > summary->peak_live_bytes) {
        summary->peak_live_bytes = summary->final_live_bytes;
        summary->peak_live_event = summary->event_count;
    }
    if (summary->final_live_objects > summary->peak_live_objects)
        summary->peak_live_objects = summary->final_live_objects;
}

static void add_allocated_bytes(struct trace_summary *summary, uint64_t bytes)
{
    if (__builtin_add_overflow(summary->allocated_bytes, bytes, &summary->allocated_bytes))
        summary->allocated_bytes = UINT64_MAX;
}

static int reserve_object(struct trace_ledger *ledger, uint32_t id)
{
    if (id < ledger->object_capacity)
        return 0;
    uint64_t capacity = ledger->object_capacity ? 2 * (uint64_t)ledger->object_capacity : 1024;
    if (capacity > TRACE_NO_OBJECT)
        capacity = TRACE_NO_OBJECT;
    struct ledger_object *objects = reallocarray(ledger->objects, capacity, sizeof *objects);
    if (!objects)
        return -ENOMEM;
    for (uint64_t i = ledger->object_capacity; i < capacity; i++)
        objects[i].thread = TRACE_NO_OBJECT;
    ledger->objects = objects;
    ledger->object_capacity = (uint32_t)capacity;
    return 0;
}

static int apply_allocation(struct trace_ledger *ledger, struct trace_event *event,
                            enum ledger_ids mode, struct trace_error *error)
{
    struct trace_summary *summary = &ledger->summary;
    int status = check_request(ledger, event, summary->final_live_bytes, error);
    if (status)
        return status;
    uint32_t id = object_ids_take(ledger->ids, event->thread);
    if (id == TRACE_NO_OBJECT || reserve_object(ledger, id))
        return OUT_OF_MEMORY();
    if (mode == LEDGER_CHECK_IDS && event->object != id)
        return ILLEGAL("object %" PRIu32 " is new, but the next id is %" PRIu32, event->object, id);
    event->object = id;
    uint64_t bytes = trace_event_bytes(event);
    ledger->objects[id] = (struct ledger_object){
        .bytes = bytes, .thread = event->thread, .birth = ledger->birth_count++};
    summary->object_count = object_ids_count(ledger->ids);
    summary->final_live_bytes += bytes;
    summary->final_live_objects++;
    add_allocated_bytes(summary, bytes);
    note_peaks(summary);
    return 0;
}

/* free, realloc and reallocarray with an object, whether or not they change it. */
static int apply_to_object(struct trace_ledger *ledger, const struct trace_event *event,
                           struct trace_error *error)
{
    struct trace_summary *summary = &ledger->summary;
    if (!is_live(ledger, event->object))
        return ILLEGAL("object %" PRIu32 " is not live", event->object);
    struct ledger_object *object = &ledger->objects[event->object];
    if (trace_event_releases(event)) {
        if (object_ids_give(ledger->ids, event->thread, event->object))
            return OUT_OF_MEMORY();
        summary->foreign_release_count += object->thread != event->thread;
        summary->final_live_bytes -= object->bytes;
        summary->final_live_objects--;
        object->thread = TRACE_NO_OBJECT;
    } else if (trace_event_resizes(event)) {
        uint64_t others = summary->final_live_bytes - object->bytes;
        int status = check_request(ledger, event, others, error);
        if (status)
            return status;
        summary->foreign_release_count += object->thread != event->thread;
        object->bytes = trace_event_bytes(event);
        object->thread = event->thread;
        summary->final_live_bytes = others + object->bytes;
        add_allocated_bytes(summary, object->bytes);
        note_peaks(summary);
    }
    return 0;
}

static int apply_thread_start(struct trace_ledger *ledger, struct trace_event *event,
                              enum ledger_ids mode, struct trace_error *error)
{
    uint32_t thread = ledger->summary.thread_count;
    if (mode == LEDGER_CHECK_IDS && event->object != thread)
        return ILLEGAL("thread %" PRIu32 " starts, but the next thread is %" PRIu32, event->object,
                       thread);
    if (thread == TRACE_NO_OBJECT)
        return OUT_OF_MEMORY();
    if (thread == ledger->thread_capacity) {
        uint32_t capacity =
            ledger->thread_capacity <= UINT32_MAX / 2 ? 2 * ledger->thread_capacity : UINT32_MAX;
        uint8_t *ended = realloc(ledger->ended, capacity);
        if (!ended)
            return OUT_OF_MEMORY();
        memset(ended + thread, 0, capacity - thread);
        ledger->ended = ended;
        ledger->thread_capacity = capacity;
    }
    event->object = thread;
    ledger->summary.thread_count++;
    return 0;
}

static int apply_thread_end(struct trace_ledger *ledger, struct trace_event *event,
                            struct trace_error *error)
{
    ledger->ended[event->thread] = 1;
    return object_ids_end_thread(ledger->ids, event->thread) ? OUT_OF_MEMORY() : 0;
}

int trace_ledger_apply(struct trace_ledger *ledger, struct trace_event *event, enum ledger_ids mode,
                       struct trace_error *error)
{
    int status = check_form(ledger, event, error);
    if (status)
        return status;
    if (event->kind == TRACE_THREAD_START)
        status = apply_thread_start(ledger, event, mode, error);
    else if (event->kind == TRACE_THREAD_END)
        status = apply_thread_end(ledger, event, error);
    else if (trace_event_names_object(event))
        status = apply_to_object(ledger, event, error);
    else if (trace_event_allocates(event))
        status = apply_allocation(ledger, event, mode, error);
    if (status)
        return status;

    struct trace_summary *summary = &ledger->summary;
    summary->event_count++;
    summary->call_count[event->kind]++;
    summary->failed_count += (event->flags & TRACE_FAILED) != 0;
    summary->null_argument_count += (event->flags & TRACE_NULL_ARGUMENT) != 0;
    summary->duration_ns = event->time_ns;
    return 0;
}
