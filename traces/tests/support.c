#include "traces/tests/support.h"

#include <dirent.h>
#include <unistd.h>

#include "traces/ledger.h"
#include "traces/tests/random_stream.h"

static char folder[64];

void folder_make(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/heaplab-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        fail_msg("cannot make %s", folder);
}

/* Calls visit for each file's path; returns how many there are. */
static unsigned each_file(int (*visit)(const char *path))
{
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        count++;
        if (visit)
            visit(folder_path(entry->d_name));
    }
    closedir(stream);
    return count;
}

void folder_remove(void)
{
    each_file(unlink);
    assert_int_equal(rmdir(folder), 0);
}

int folder_set_up(void **state)
{
    (void)state;
    folder_make();
    return 0;
}

int folder_tear_down(void **state)
{
    (void)state;
    folder_remove();
    return 0;
}

unsigned folder_file_count(void)
{
    return each_file(NULL);
}

const char *folder_path(const char *name)
{
    static char buffers[4][384];
    static unsigned next;
    char *path = buffers[next++ % 4];
    snprintf(path, sizeof buffers[0], "%s/%s", folder, name);
    return path;
}

struct trace_event event_sized(enum trace_kind kind, uint64_t size)
{
    return (struct trace_event){
        .size = size, .count = 1, .object = TRACE_NO_OBJECT, .kind = (uint8_t)kind};
}

struct trace_event event_on(enum trace_kind kind, uint32_t object, uint64_t size)
{
    struct trace_event event = event_sized(kind, size);
    event.object = object;
    return event;
}

void event_list_add(struct event_list *list, const struct trace_event *event)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->events = reallocarray(list->events, list->capacity, sizeof *list->events);
        assert_non_null(list->events);
    }
    list->events[list->count++] = *event;
}

void event_list_clean_up(struct event_list *list)
{
    free(list->events);
    *list = (struct event_list){0};
}

void event_list_add_random(struct event_list *list, uint64_t seed, size_t count,
                           uint64_t time_unit_ns)
{
    struct random_stream stream;
    random_stream_init(&stream, seed);
    struct trace_ledger ledger;
    assert_int_equal(trace_ledger_init(&ledger), 0);
    for (size_t i = 0; i < count; i++) {
        struct trace_event event;
        random_stream_next(&stream, &event);
        event.time_ns -= event.time_ns % time_unit_ns;
        struct trace_error error;
        if (trace_ledger_apply(&ledger, &event, LEDGER_ASSIGN_IDS, &error))
            fail_msg("the random stream is not legal: %s", error.message);
        random_stream_accept(&stream, &event);
        event_list_add(list, &event);
    }
    trace_ledger_clean_up(&ledger);
}

int write_trace(const char *path, struct event_list *list,
                const struct trace_writer_options *options, struct trace_error *error)
{
    struct trace_writer *writer;
    int status = trace_writer_open(&writer, path, options, error);
    if (status)
        return status;
    for (size_t i = 0; i < list->count; i++)
        if (trace_writer_append(writer, &list->events[i]))
            break;
    return trace_writer_commit(writer, error);
}

int read_events(struct trace_source *source, struct event_list *list, size_t batch)
{
    struct trace_event *events = calloc(batch, sizeof *events);
    assert_non_null(events);
    int status;
    size_t count;
    do {
        status = trace_source_read(source, events, batch, &count);
        assert_true(count <= batch);
        for (size_t i = 0; i < count; i++)
            event_list_add(list, &events[i]);
    } while (!status && count);
    free(events);
    return status;
}

static void assert_event_equal(const struct trace_event *got, const struct trace_event *wanted,
                               size_t index)
{
    if (got->time_ns == wanted->time_ns && got->size == wanted->size &&
        got->count == wanted->count && got->object == wanted->object &&
        got->thread == wanted->thread && got->alignment == wanted->alignment &&
        got->kind == wanted->kind && got->flags == wanted->flags)
        return;
    fail_msg("event %zu is %s (flags %u) of object %u, %zu bytes times %zu, aligned to %u, by "
             "thread %u at %zu; wanted %s (flags %u) of object %u, %zu bytes times %zu, aligned to "
             "%u, by thread %u at %zu",
             index, trace_kind_name(got->kind), got->flags, got->object, got->size, got->count,
             got->alignment, got->thread, got->time_ns, trace_kind_name(wanted->kind),
             wanted->flags, wanted->object, wanted->size, wanted->count, wanted->alignment,
             wanted->thread, wanted->time_ns);
}

void assert_events_equal(const struct event_list *got, const struct event_list *wanted)
{
    assert_int_equal(got->count, wanted->count);
    for (size_t i = 0; i < got->count; i++)
        assert_event_equal(&got->events[i], &wanted->events[i], i);
}

struct list_source {
    struct trace_source source;
    const struct event_list *list;
    size_t next;
};

static int list_read(struct trace_source *source, struct trace_event *events, size_t capacity,
                     size_t *count)
{
    struct list_source *self = (struct list_source *)source;
    for (*count = 0; *count < capacity && self->next < self->list->count; ++*count)
        events[*count] = self->list->events[self->next++];
    return 0;
}

static int list_rewind(struct trace_source *source)
{
    ((struct list_source *)source)->next = 0;
    return 0;
}

static void list_close(struct trace_source *source)
{
    free(source);
}

struct trace_source *list_source(const struct event_list *list)
{
    static const struct trace_source_ops ops = {
        .read = list_read, .rewind = list_rewind, .close = list_close};
    struct list_source *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->source.ops = &ops;
    made->source.name = "list";
    made->source.description = "";
    made->list = list;
    return &made->source;
}
