/* What one event means, apart from any stream it stands in. */
#include "traces/trace.h"

static const char *const kind_names[TRACE_KIND_COUNT] = {
    [TRACE_MALLOC] = "malloc",
    [TRACE_CALLOC] = "calloc",
    [TRACE_REALLOC] = "realloc",
    [TRACE_REALLOCARRAY] = "reallocarray",
    [TRACE_FREE] = "free",
    [TRACE_POSIX_MEMALIGN] = "posix_memalign",
    [TRACE_ALIGNED_ALLOC] = "aligned_alloc",
    [TRACE_MEMALIGN] = "memalign",
    [TRACE_VALLOC] = "valloc",
    [TRACE_PVALLOC] = "pvalloc",
    [TRACE_THREAD_START] = "thread_start",
    [TRACE_THREAD_END] = "thread_end",
};

const char *trace_kind_name(unsigned kind)
{
    return kind < TRACE_KIND_COUNT ? kind_names[kind] : NULL;
}

uint64_t trace_event_bytes(const struct trace_event *event)
{
    if (!trace_kind_has_size(event->kind))
        return 0;
    if (!trace_kind_has_count(event->kind))
        return event->size;
    uint64_t bytes;
    return __builtin_mul_overflow(event->size, event->count, &bytes) ? UINT64_MAX : bytes;
}

int trace_event_allocates(const struct trace_event *event)
{
    if (!trace_kind_has_size(event->kind) || event->flags & TRACE_FAILED)
        return 0;
    return !trace_kind_resizes(event->kind) || event->flags & TRACE_NULL_ARGUMENT;
}

int trace_event_releases(const struct trace_event *event)
{
    if (event->flags & TRACE_NULL_ARGUMENT)
        return 0;
    if (event->kind == TRACE_FREE)
        return 1;
    return trace_kind_resizes(event->kind) && event->flags & TRACE_FAILED &&
           trace_event_bytes(event) == 0;
}

int trace_event_resizes(const struct trace_event *event)
{
    return trace_kind_resizes(event->kind) &&
           !(event->flags & (TRACE_FAILED | TRACE_NULL_ARGUMENT));
}

int trace_event_names_object(const struct trace_event *event)
{
    return (event->kind == TRACE_FREE || trace_kind_resizes(event->kind)) &&
           !(event->flags & TRACE_NULL_ARGUMENT);
}
