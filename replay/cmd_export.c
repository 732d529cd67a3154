/* heaplab export: writes a trace as text. */
#include <argp.h>
#include <string.h>

#include "replay/command.h"
#include "traces/text.h"

struct export_options {
    const char *paths[2]; /* in, out */
    unsigned path_count;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct export_options *options = state->input;
    switch (key) {
    case 'f':
        if (strcmp(argument, "text"))
            argp_error(state, "there is no format '%s'; 'text' is the only one", argument);
        return 0;
    case ARGP_KEY_ARG:
        if (!*argument)
            argp_error(state, "a file name is empty; name the trace to read and the file to write");
        if (options->path_count == 2)
            argp_error(state, "'%s' is one file too many", argument);
        options->paths[options->path_count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (options->path_count < 2)
            argp_error(state, "name the trace to read and the file to write");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
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
        .doc = "Writes the trace IN as text, one event a line; '-' is standard output. "
               "'heaplab import' reads it back.",
    };
    struct export_options options = {0};
    argp_err_exit_status = COMMAND_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &options))
        return COMMAND_USAGE;
    return export_text(options.paths[0], options.paths[1]);
}
