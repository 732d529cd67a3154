/* The trace: one program's allocation calls in one legal order, as a stream of events.
 *
 * Everything that is replayed, drawn or converted passes through `struct trace_event`: a trace
 * file, an import and a synthetic workload are all a `struct trace_source`. The byte layout of
 * files is described in traces/README.md.
 *
 * Objects carry dense ids that are recycled, so a table indexed by id is about as large as the peak
 * number of live objects. Which id an allocating event gets is not a free choice: it follows the
 * rule of traces/object_ids.h, which writer and reader both apply, so files do not store those ids.
 *
 * Thread safety: a handle belongs to one thread at a time; different handles are independent.
 */
#ifndef TRACES_TRACE_H
#define TRACES_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum trace_kind {
    TRACE_MALLOC = 1,
    TRACE_CALLOC,
    TRACE_REALLOC,
    TRACE_REALLOCARRAY,
    TRACE_FREE,
    TRACE_POSIX_MEMALIGN,
    TRACE_ALIGNED_ALLOC,
    TRACE_MEMALIGN,
    TRACE_VALLOC,
    TRACE_PVALLOC,
    TRACE_THREAD_START, /* `thread` creates the thread whose index is in `object` */
    TRACE_THREAD_END,   /* the last event of `thread` */
    TRACE_KIND_COUNT
};

enum trace_flag {
    /* The call returned NULL: no object came to be. A failed realloc leaves its object as it was,
     * except that a total size of 0 means the call released it (glibc's realloc(p, 0)). */
    TRACE_FAILED = 1,
    /* The pointer argument was NULL: free(NULL), realloc(NULL, n). */
    TRACE_NULL_ARGUMENT = 2,
};

#define TRACE_NO_OBJECT UINT32_MAX

/* The most bytes that may be live at once: PTRDIFF_MAX of the 64-bit platforms. */
#define TRACE_SIZE_MAX ((uint64_t)INT64_MAX)
/* The most bytes that one call can get: a process's part of a 64-bit address space (x86-64 and
 * AArch64 with four levels of page tables). Calls that failed may have asked for more. */
#define TRACE_BYTES_MAX     (UINT64_C(1) << 47)
#define TRACE_ALIGNMENT_MAX (UINT32_C(1) << 30)

struct trace_event {
    uint64_t time_ns; /* since the start of the recording; never decreases along the stream */
    uint64_t size;    /* requested bytes; bytes per element for calloc and reallocarray */
    uint64_t count;   /* elements for calloc and reallocarray; ignored, and read as 1, elsewhere */
    uint32_t object;  /* the object allocated, resized or freed, else read as TRACE_NO_OBJECT */
    uint32_t thread;  /* 0 to thread_count - 1; 0 is the initial thread */
    uint32_t alignment; /* bytes, a power of two unless the call failed, for posix_memalign,
                           aligned_alloc and memalign; ignored, and read as 0, elsewhere */
    uint8_t kind;       /* enum trace_kind */
    uint8_t flags;      /* enum trace_flag */
};

/* What the last block of a complete trace states, so that tables can be sized before the first
 * event. */
struct trace_summary {
    uint64_t event_count;                  /* all events, thread starts and ends included */
    uint64_t call_count[TRACE_KIND_COUNT]; /* by kind; failed calls included */
    uint64_t failed_count;
    uint64_t null_argument_count;
    uint64_t duration_ns;     /* time of the last event */
    uint64_t allocated_bytes; /* sum of all requests that succeeded */
    uint64_t peak_live_bytes; /* requested bytes */
    uint64_t peak_live_event; /* index of the event after which the peak is first reached */
    uint64_t peak_live_objects;
    uint64_t final_live_bytes;
    uint64_t final_live_objects;
    uint64_t foreign_release_count; /* frees and reallocs by another thread than the one that
                                       allocated the object or, later, resized it */
    uint64_t dropped_count; /* recorded calls left out: their object was not seen allocated */
    uint32_t object_count;  /* ids in use are 0 to object_count - 1 */
    uint32_t thread_count;
};

#define TRACE_MESSAGE_BYTES 240

/* Filled where a call fails: one sentence, without the file's name. */
struct trace_error {
    uint64_t byte_offset; /* where in the file, UINT64_MAX where that says nothing */
    char message[TRACE_MESSAGE_BYTES];
};

/* The C name of the call ("posix_memalign"), or NULL for a kind out of range. */
const char *trace_kind_name(unsigned kind);

/* Which fields and forms a kind of call has. These and the next are inline because the reader asks
 * them of every event. */
static inline int trace_kind_has_size(unsigned kind)
{
    return kind >= TRACE_MALLOC && kind <= TRACE_PVALLOC && kind != TRACE_FREE;
}

static inline int trace_kind_has_count(unsigned kind)
{
    return kind == TRACE_CALLOC || kind == TRACE_REALLOCARRAY;
}

static inline int trace_kind_has_alignment(unsigned kind)
{
    return kind >= TRACE_POSIX_MEMALIGN && kind <= TRACE_MEMALIGN;
}

static inline int trace_kind_resizes(unsigned kind)
{
    return kind == TRACE_REALLOC || kind == TRACE_REALLOCARRAY;
}

/* Total bytes that the call asks for: size * count, or UINT64_MAX where that overflows. */
static inline uint64_t trace_event_bytes(const struct trace_event *event)
{
    if (!trace_kind_has_size(event->kind))
        return 0;
    if (!trace_kind_has_count(event->kind))
        return event->size;
    uint64_t bytes;
    return __builtin_mul_overflow(event->size, event->count, &bytes) ? UINT64_MAX : bytes;
}

/* Whether the event makes a new object, whose id is then in `object`. */
static inline int trace_event_allocates(const struct trace_event *event)
{
    if (!trace_kind_has_size(event->kind) || event->flags & TRACE_FAILED)
        return 0;
    return !trace_kind_resizes(event->kind) || event->flags & TRACE_NULL_ARGUMENT;
}

/* Whether it mentions a live object; a realloc that failed does, though it changes nothing. */
static inline int trace_event_names_object(const struct trace_event *event)
{
    return (event->kind == TRACE_FREE || trace_kind_resizes(event->kind)) &&
           !(event->flags & TRACE_NULL_ARGUMENT);
}

/* Whether it ends the life of `object`: a free, or glibc's realloc(p, 0). */
static inline int trace_event_releases(const struct trace_event *event)
{
    if (!trace_event_names_object(event))
        return 0;
    return event->kind == TRACE_FREE ||
           (event->flags & TRACE_FAILED && trace_event_bytes(event) == 0);
}

/* Whether it gives `object` another size; the id stays. */
static inline int trace_event_resizes(const struct trace_event *event)
{
    return trace_event_names_object(event) && event->kind != TRACE_FREE &&
           !(event->flags & TRACE_FAILED);
}

/* ---- sources: anything that yields events ---- */

struct trace_source;

struct trace_source_ops {
    /* Reads up to `capacity` events. *count is 0 only at the end. Returns 0 or -errno with
     * source->error set. */
    int (*read)(struct trace_source *source, struct trace_event *events, size_t capacity,
                size_t *count);
    /* Starts again at the first event. Returns 0 or -errno with source->error set. */
    int (*rewind)(struct trace_source *source);
    /* Releases everything, the source itself included. */
    void (*close)(struct trace_source *source);
};

/* The common head of every source; implementations embed it as their first member. */
struct trace_source {
    const struct trace_source_ops *ops;
    const char *name;        /* "redis", "checkerboard:objects=1000"; owned by the source */
    const char *description; /* "key: value" lines such as the recorded command; may be empty */
    uint64_t time_unit_ns;   /* every time is a multiple of this; 0: not known */
    const struct trace_summary *summary; /* NULL until known: see trace_source_summarise */
    struct trace_error error;            /* of the last call that failed */
    struct trace_summary computed;       /* where trace_source_summarise keeps what it finds */
};

/* Makes source->summary known, by a pass over all events where it is not yet, checking on the way
 * that the stream is legal: dense ids by the rule, no release of an object that is not live, no
 * time that runs backwards. Leaves the source rewound. Returns 0 or -errno with source->error set
 * (EPROTO for an illegal event). */
int trace_source_summarise(struct trace_source *source);

/* Opens a trace file as a source. On success *source is the caller's to close with
 * trace_source_close; its summary is known. Reading then checks everything: checksums, that the
 * stream is legal and that the summary is true. Returns 0 or -errno: the one of open(2), ENODATA
 * (empty), EPROTO (not a trace, damaged, truncated), ENOTSUP (another format version), EINVAL (not
 * a regular file); *error says what and where. */
int trace_open(struct trace_source **source, const char *path, struct trace_error *error);

/* The same for a file that was cut off or damaged: the source ends, without an error, before the
 * first block that is not sound, and its `error` then says where and why (an empty message: at the
 * regular end). The summary is not known. What comes after a damaged block is lost, because object
 * ids depend on everything before. */
int trace_open_salvage(struct trace_source **source, const char *path, struct trace_error *error);

static inline int trace_source_read(struct trace_source *source, struct trace_event *events,
                                    size_t capacity, size_t *count)
{
    return source->ops->read(source, events, capacity, count);
}

static inline int trace_source_rewind(struct trace_source *source)
{
    return source->ops->rewind(source);
}

/* NULL is allowed. */
static inline void trace_source_close(struct trace_source *source)
{
    if (source)
        source->ops->close(source);
}

/* ---- writing ---- */

struct trace_writer;

struct trace_writer_options {
    const char *description; /* "key: value" lines, copied, at most 1 MiB of it; NULL for none */
    int compression_level;   /* zstd's 1 to 19; 0 for the default */
    uint64_t time_unit_ns;   /* times are stored in multiples of this; 0 for the default */
};

/* Starts `path` beside its final name; trace_writer_commit renames it. NULL options are the
 * defaults. Returns 0 or -errno with *error set. */
int trace_writer_open(struct trace_writer **writer, const char *path,
                      const struct trace_writer_options *options, struct trace_error *error);

/* Appends one event. For an allocating event `event->object` is set to the id the object gets;
 * every other event names a live object. Returns 0, -EPROTO for an illegal event, or -errno of the
 * failed write; trace_writer_error says more. A writer that failed accepts nothing further. */
int trace_writer_append(struct trace_writer *writer, struct trace_event *event);

/* Adds to the summary's dropped_count. */
void trace_writer_drop(struct trace_writer *writer, uint64_t count);

const struct trace_error *trace_writer_error(const struct trace_writer *writer);
const struct trace_summary *trace_writer_summary(const struct trace_writer *writer);

/* Writes the rest and the summary, renames the file to its final name and frees the writer. Returns
 * 0 or -errno with *error set; on failure nothing is left behind. */
int trace_writer_commit(struct trace_writer *writer, struct trace_error *error);

/* Removes what was written and frees the writer. NULL is allowed. */
void trace_writer_abandon(struct trace_writer *writer);

#endif
