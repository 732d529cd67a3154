/* heaplab export: writes a trace as text. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "replay/command.h"
#include "replay/file_pair.h"
#include "replay/sources.h"
#include "traces/text.h"

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct file_pair *files = state->input;
    switch (key) {
    case 'f':
        if (strcmp(argument, "text"))
            argp_error(state, "there is no format '%s'; 'text' is the only one", argument);
        return 0;
    default:
        return file_pair_parse(files, "the trace to read and the file to write", key, argument,
                               state);
    }
}

static int export_text(const char *in_path, const char *out_path)
{
    struct trace_source *source;
    struct trace_error error;
    if (trace_open(&source, in_path, &error)) {
        message_trace_error(in_path, &error);
        return COMMAND_ENVIRONMENT;
    }
    int status = trace_write_text(source, out_path, &error);
    if (status) {
        int is_input = *source->error.message != '\0';
        message_trace_error(is_input ? in_path : out_path, &error);
    }
    trace_source_close(source);
    return status ? COMMAND_ENVIRONMENT : COMMAND_DONE;
}

int cmd_export(int argc, char **argv)
{
    static const struct argp_option option_list[] = {
        {"format", 'f', "FORMAT", 0, "text, the only one", 0},
        {0},
    };
    static const struct argp argp = {
        .options = option_list,
        .parser = parse_option,
        .args_doc = "IN OUT",
        .doc = "Writes the trace IN, a file or a shipped trace's name, as text, one event a line; "
               "'-' is standard output. "
               "'heaplab import' reads it back.",
    };
    struct file_pair files = {0};
    argp_err_exit_status = COMMAND_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &files))
        return COMMAND_USAGE;
    char *path = source_trace_path(files.in);
    int status = path ? export_text(path, files.out) : COMMAND_ENVIRONMENT;
    free(path);
    return status;
}
