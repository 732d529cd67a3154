#include "traces/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/error.h"
#include "traces/import/format.h"

/* To add a format: write traces/import/NAME.c with a struct import_format, declare it in format.h,
 * add the file to traces/CMakeLists.txt, a line here and a sample with what it must become to
 * traces/tests/import/. Formats that are told by their first bytes come first; after them, the one
 * whose line is the least likely to be any other's. */
static const struct import_format *const formats[] = {
    &import_heaplab, &import_text,     &import_glibc,    &import_malloclab, &import_android,
    &import_mtrace,  &import_valgrind, &import_jemalloc, &import_ltrace,
};
#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

/* Lines of logs that may come before the first that tells the format. */
#define LINES_LOOKED_AT 1000

const char *trace_import_format_name(unsigned index)
{
    return index < FORMAT_COUNT ? formats[index]->name : NULL;
}

const char *trace_import_format_summary(unsigned index)
{
    return index < FORMAT_COUNT ? formats[index]->summary : NULL;
}

static const struct import_format *format_of_line(const char *line)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (formats[i]->recognises_line && formats[i]->recognises_line(line))
            return formats[i];
    return NULL;
}

static const struct import_format *format_of_lines(const char *head, size_t length)
{
    char line[512];
    const char *end = head + length;
    for (unsigned i = 0; i < LINES_LOOKED_AT && head < end; i++) {
        const char *stop = memchr(head, '\n', (size_t)(end - head));
        if (!stop)
            stop = end;
        size_t taken = (size_t)(stop - head);
        if (taken >= sizeof line)
            taken = sizeof line - 1;
        memcpy(line, head, taken);
        line[taken] = '\0';
        if (taken && line[taken - 1] == '\r')
            line[taken - 1] = '\0';
        const struct import_format *format = format_of_line(line);
        if (format)
            return format;
        head = stop + 1;
    }
    return NULL;
}

static const struct import_format *recognise(const struct import_input *input)
{
    size_t length;
    const char *head = import_input_head(input, &length);
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (formats[i]->recognises_content && formats[i]->recognises_content(head, length))
            return formats[i];
    return format_of_lines(head, length);
}

/* Sets *format to the one named, or to that of the content. */
static int find_format(const struct import_format **format, struct importer *importer,
                       const char *name)
{
    *format = NULL;
    if (!name)
        *format = recognise(&importer->input);
    for (size_t i = 0; name && i < FORMAT_COUNT; i++)
        if (!strcmp(formats[i]->name, name))
            *format = formats[i];
    if (*format)
        return 0;
    if (name)
        return trace_fail(&importer->error, EINVAL, TRACE_NO_OFFSET,
                          "there is no format '%s' to import", name);
    return trace_fail(&importer->error, EPROTO, 0,
                      "not a trace of any known format; name one with -f if it is");
}

/* A trace without events would look like one of a program that did nothing. */
static int fail_empty(struct importer *importer)
{
    const struct trace_import_report *report = importer->report;
    if (*report->salvage_stop)
        return trace_fail(&importer->error, EPROTO, report->salvage_byte,
                          "%s, before the first event", report->salvage_stop);
    return trace_fail(&importer->error, ENODATA, TRACE_NO_OFFSET,
                      "no event in it could be kept; name its format with -f, or another file");
}

static int finish(struct importer *importer)
{
    int status = importer_begin(importer);
    if (status)
        return status;
    trace_writer_drop(importer->writer, importer->report->dropped);
    importer->report->event_count = trace_writer_summary(importer->writer)->event_count;
    if (importer->report->event_count == 0)
        return fail_empty(importer);
    status = trace_writer_commit(importer->writer, &importer->error);
    importer->writer = NULL;
    importer->report->output_failed = status != 0;
    return status;
}

int trace_import(const char *in_path, const char *out_path, const char *format,
                 const struct trace_writer_options *options, struct trace_import_report *report,
                 struct trace_error *error)
{
    *report = (struct trace_import_report){0};
    struct importer importer = {.in_path = in_path, .out_path = out_path, .report = report};
    if (options)
        importer.options = *options;
    int status = importer_init(&importer);
    const struct import_format *found;
    if (!status)
        status = find_format(&found, &importer, format);
    if (!status) {
        report->format = found->name;
        status = found->run(&importer);
    }
    if (!status)
        status = finish(&importer);
    if (status && error)
        *error = importer.error;
    importer_clean_up(&importer);
    return status;
}

int import_each_line(struct importer *importer,
                     int (*line)(struct importer *importer, const char *text))
{
    for (;;) {
        char *text;
        int status = import_input_line(&importer->input, &text, &importer->error);
        if (status || !text)
            return status;
        status = line(importer, text);
        if (status)
            return status;
    }
}
