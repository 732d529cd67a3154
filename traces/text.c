#include "traces/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/error.h"
#include "traces/output_file.h"

#define BATCH_EVENTS 256
#define BUFFER_BYTES 65536
/* Seven numbers of at most 20 digits and the longest name of a call. */
#define LINE_BYTES_MAX 200

struct text_writer {
    struct output_file *file;
    size_t used;
    char buffer[BUFFER_BYTES];
};

static int flush(struct text_writer *writer, struct trace_error *error)
{
    size_t length = writer->used;
    writer->used = 0;
    return output_file_write(writer->file, writer->buffer, length, error);
}

static void add(struct text_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct text_writer *writer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(writer->buffer + writer->used, BUFFER_BYTES - writer->used, format, arguments);
    va_end(arguments);
    writer->used += (size_t)length;
}

/* Each line of the description becomes a comment. Written past the buffer, since it may be long. */
static int write_header(struct text_writer *writer, const struct trace_source *source,
                        struct trace_error *error)
{
    add(writer, "%s\n", TEXT_HEADER);
    const char *line = source->description;
    int status = 0;
    while (*line && !status) {
        size_t length = strcspn(line, "\n");
        add(writer, "# ");
        status = flush(writer, error);
        if (!status)
            status = output_file_write(writer->file, line, length, error);
        add(writer, "\n");
        line += length + (line[length] == '\n');
    }
    if (source->time_unit_ns)
        add(writer, "# time_unit_ns: %" PRIu64 "\n", source->time_unit_ns);
    if (source->summary && source->summary->dropped_count)
        add(writer, "# dropped: %" PRIu64 "\n", source->summary->dropped_count);
    return status;
}

static void add_event(struct text_writer *writer, const struct trace_event *event)
{
    bool is_null = event->flags & TRACE_NULL_ARGUMENT;
    add(writer, "%" PRIu64 " %" PRIu32 " %s", event->time_ns, event->thread,
        trace_kind_name(event->kind));
    if (event->kind == TRACE_FREE || trace_kind_resizes(event->kind)) {
        if (is_null)
            add(writer, " null");
        else
            add(writer, " %" PRIu32, event->object);
    }
    if (event->kind == TRACE_THREAD_START)
        add(writer, " %" PRIu32, event->object);
    if (trace_kind_has_alignment(event->kind))
        add(writer, " %" PRIu32, event->alignment);
    if (trace_kind_has_count(event->kind))
        add(writer, " %" PRIu64, event->count);
    if (trace_kind_has_size(event->kind)) {
        add(writer, " %" PRIu64, event->size);
        if (event->flags & TRACE_FAILED)
            add(writer, " = failed");
        else
            add(writer, " = %" PRIu32, event->object);
    }
    add(writer, "\n");
}

static int write_events(struct text_writer *writer, struct trace_source *source,
                        struct trace_error *error)
{
    struct trace_event events[BATCH_EVENTS];
    for (;;) {
        size_t count;
        int status = trace_source_read(source, events, BATCH_EVENTS, &count);
        if (status) {
            *error = source->error;
            return status;
        }
        if (count == 0)
            return 0;
        for (size_t i = 0; i < count; i++) {
            if (writer->used > BUFFER_BYTES - LINE_BYTES_MAX)
                status = flush(writer, error);
            if (status)
                return status;
            add_event(writer, &events[i]);
        }
    }
}

int trace_write_text(struct trace_source *source, const char *path, struct trace_error *error)
{
    struct text_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    int status = output_file_open(&writer->file, path, error);
    if (!status)
        status = trace_source_rewind(source);
    if (!status)
        status = write_header(writer, source, error);
    if (!status)
        status = write_events(writer, source, error);
    if (!status)
        status = flush(writer, error);
    if (status)
        output_file_abandon(writer->file);
    else
        status = output_file_commit(writer->file, error);
    free(writer);
    return status;
}
