/* heaplab generate: writes the events of a workload to a trace file. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>

#include "replay/command.h"
#include "replay/sources.h"
#include "traces/trace.h"
#include "workloads/workload.h"

#define BATCH_EVENTS 1024

struct generate_options {
    const char *workload;
    const char *output;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct generate_options *options = state->input;
    switch (key) {
    case 'o':
        if (!*argument)
            argp_error(state, "the name after -o is empty; name the trace to write");
        options->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->workload)
            argp_error(state, "one workload at a time; '%s' is a second one", argument);
        options->workload = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->workload)
            argp_error(state, "no workload given; 'heaplab list workloads' names them");
        if (!options->output)
            argp_error(state, "no output given; add -o FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_list[] = {
    {"output", 'o', "FILE", 0, "the trace to write", 0},
    {0},
};

static const struct argp parser = {
    .options = option_list,
    .parser = parse_option,
    .args_doc = "WORKLOAD[:KEY=VALUE,...]|model:TRACE[,KEY=VALUE,...]",
    .doc =
        "Writes the events of a synthetic workload, or of a model fitted to a trace, to a trace "
        "file.\v"
        "'heaplab list workloads' names the workloads and their parameters. Numbers take k, M or "
        "G, powers of 1024.",
};

static int write_events(struct trace_source *source, struct trace_writer *writer,
                        const struct generate_options *options)
{
    struct trace_event events[BATCH_EVENTS];
    for (;;) {
        size_t count;
        if (trace_source_read(source, events, BATCH_EVENTS, &count)) {
            message_trace_error(options->workload, &source->error);
            return COMMAND_ENVIRONMENT;
        }
        if (count == 0)
            return COMMAND_DONE;
        for (size_t i = 0; i < count; i++) {
            if (trace_writer_append(writer, &events[i])) {
                message_trace_error(options->output, trace_writer_error(writer));
                return COMMAND_ENVIRONMENT;
            }
        }
    }
}

static int generate(struct trace_source *source, const struct generate_options *options)
{
    struct trace_writer *writer;
    struct trace_writer_options writer_options = {.description = source->description};
    struct trace_error error;
    if (trace_writer_open(&writer, options->output, &writer_options, &error)) {
        message_trace_error(options->output, &error);
        return COMMAND_ENVIRONMENT;
    }
    int status = write_events(source, writer, options);
    if (status) {
        trace_writer_abandon(writer);
        return status;
    }
    struct trace_summary summary = *trace_writer_summary(writer);
    if (trace_writer_commit(writer, &error)) {
        message_trace_error(options->output, &error);
        return COMMAND_ENVIRONMENT;
    }
    printf("%s: %" PRIu64 " event%s, %" PRIu64 " object%s and %.2f MiB live at the peak\n",
           options->output, summary.event_count, summary.event_count == 1 ? "" : "s",
           summary.peak_live_objects, summary.peak_live_objects == 1 ? "" : "s",
           (double)summary.peak_live_bytes / (1 << 20));
    return COMMAND_DONE;
}

int cmd_generate(int argc, char **argv)
{
    struct generate_options options = {0};
    argp_err_exit_status = COMMAND_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    struct trace_source *source;
    struct trace_error error;
    int failure = (source_is_model(options.workload) ? source_open_model : workload_open)(
        &source, options.workload, &error);
    if (failure) {
        message_trace_error(options.workload, &error);
        /* As in replay: what is spelt wrong, or a trace that is. */
        bool is_spelling = failure == -EINVAL || !source_is_model(options.workload);
        return is_spelling ? COMMAND_USAGE : COMMAND_ENVIRONMENT;
    }
    int status = generate(source, &options);
    trace_source_close(source);
    return status;
}
