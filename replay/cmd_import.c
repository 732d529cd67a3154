/* heaplab import: makes a trace of another tool's trace, or of what is sound in a damaged one of
 * heaplab. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/command.h"
#include "replay/file_pair.h"
#include "traces/import.h"

struct import_options {
    const char *format;
    struct file_pair files;
    int level;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct import_options *options = state->input;
    char *end;
    switch (key) {
    case 'f':
        options->format = argument;
        for (unsigned i = 0; trace_import_format_name(i); i++)
            if (!strcmp(trace_import_format_name(i), argument))
                return 0;
        argp_error(state, "there is no format '%s'; --help names the formats", argument);
        return 0;
    case 'l':
        options->level = (int)strtol(argument, &end, 10);
        if (*end || end == argument || options->level < 1 || options->level > 19)
            argp_error(state, "'%s' is no compression level; choose 1 to 19", argument);
        return 0;
    default:
        return file_pair_parse(&options->files, "the file to read and the trace to write", key,
                               argument, state);
    }
}

/* Puts the formats, which the library names, at the end of the help. */
static char *add_formats(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    char *help = NULL;
    size_t length;
    FILE *stream = open_memstream(&help, &length);
    if (!stream)
        return (char *)text;
    fputs("Formats, told by their content unless -f names one:\n", stream);
    for (unsigned i = 0; trace_import_format_name(i); i++)
        fprintf(stream, "  %-10s %s\n", trace_import_format_name(i),
                trace_import_format_summary(i));
    fclose(stream);
    return help;
}

static void report_count(const char *path, uint64_t count, const char *one, const char *more)
{
    if (count)
        message("%s: %" PRIu64 " %s", path, count, count == 1 ? one : more);
}

static void report(const char *in, const struct trace_import_report *report)
{
    if (*report->salvage_stop)
        message("%s: byte %" PRIu64 ": %s; the %" PRIu64
                " event%s before were kept, the rest is lost",
                in, report->salvage_byte, report->salvage_stop, report->event_count,
                report->event_count == 1 ? "" : "s");
    report_count(in, report->dropped,
                 "call left out: its object was not seen allocated, or is impossibly large",
                 "calls left out: their objects were not seen allocated, or are impossibly large");
    report_count(in, report->mended, "missing free added: its address was allocated again",
                 "missing frees added: their addresses were allocated again");
    report_count(in, report->realigned, "alignment rounded: not a power of two up to 2^30",
                 "alignments rounded: not a power of two up to 2^30");
    report_count(in, report->ignored, "line or record passed over: not of the format",
                 "lines or records passed over: not of the format");
}

static int import(const struct import_options *options)
{
    struct trace_import_report result;
    struct trace_error error;
    struct trace_writer_options writer = {.compression_level = options->level};
    if (trace_import(options->files.in, options->files.out, options->format, &writer, &result,
                     &error)) {
        message_trace_error(result.output_failed ? options->files.out : options->files.in, &error);
        return COMMAND_ENVIRONMENT;
    }
    report(options->files.in, &result);
    message("%s: %" PRIu64 " event%s imported from the format '%s'", options->files.out,
            result.event_count, result.event_count == 1 ? "" : "s", result.format);
    return COMMAND_DONE;
}

int cmd_import(int argc, char **argv)
{
    static const struct argp_option option_list[] = {
        {"format", 'f', "FORMAT", 0, "what IN is (told by its content)", 0},
        {"level", 'l', "LEVEL", 0, "zstd's compression level, 1 to 19 (3)", 0},
        {0},
    };
    static const struct argp argp = {
        .options = option_list,
        .parser = parse_option,
        .args_doc = "IN OUT",
        .doc = "Makes the trace OUT of IN, a trace of another tool, a text of 'heaplab export', or "
               "a damaged trace of heaplab, which is kept as far as it is sound. IN may be "
               "compressed or zipped; '-' is standard input.\v",
        .help_filter = add_formats,
    };
    struct import_options options = {0};
    argp_err_exit_status = COMMAND_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &options))
        return COMMAND_USAGE;
    return import(&options);
}
