/* Traces of heaplab itself, for those that were cut off or damaged: keeps everything before the
 * damage. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/error.h"
#include "traces/format.h"
#include "traces/import/format.h"

#define BATCH_EVENTS 256

static int copy_events(struct importer *importer, struct trace_source *source)
{
    struct trace_event events[BATCH_EVENTS];
    for (;;) {
        size_t count;
        int status = trace_source_read(source, events, BATCH_EVENTS, &count);
        if (status) {
            importer->error = source->error;
            return status;
        }
        if (count == 0)
            return 0;
        for (size_t i = 0; i < count && !status; i++)
            status = importer_append(importer, &events[i]);
        if (status)
            return status;
    }
}

/* What a complete trace says of its recording; a damaged one says nothing of it. */
static uint64_t dropped_before(const char *path)
{
    struct trace_source *source;
    struct trace_error error;
    if (trace_open(&source, path, &error))
        return 0;
    uint64_t dropped = source->summary->dropped_count;
    trace_source_close(source);
    return dropped;
}

/* Reads the file by its path: what the input unpacked is only the packed form of a trace. */
static int run(struct importer *importer)
{
    struct trace_source *source;
    int status = trace_open_salvage(&source, importer->in_path, &importer->error);
    if (status)
        return status;
    if (!importer->options.description)
        importer->description = strdup(source->description);
    if (!importer->options.time_unit_ns)
        importer->options.time_unit_ns = source->time_unit_ns;
    status = copy_events(importer, source);
    if (!status) {
        struct trace_import_report *report = importer->report;
        memcpy(report->salvage_stop, source->error.message, sizeof report->salvage_stop);
        report->salvage_byte = source->error.byte_offset;
        report->dropped = dropped_before(importer->in_path);
    }
    trace_source_close(source);
    return status;
}

static bool recognises_content(const char *head, size_t length)
{
    return length >= FORMAT_MAGIC_BYTES && !memcmp(head, FORMAT_MAGIC, FORMAT_MAGIC_BYTES);
}

const struct import_format import_heaplab = {
    .name = "heaplab",
    .summary = "a trace of heaplab, kept as far as it is sound",
    .recognises_content = recognises_content,
    .run = run,
};
