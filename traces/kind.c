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
