/* The two files of a command that makes one of the other: IN OUT. */
#ifndef REPLAY_FILE_PAIR_H
#define REPLAY_FILE_PAIR_H

#include <argp.h>

struct file_pair {
    const char *in, *out;
};

/* For the parser of a command: takes the arguments and the end of the command line, and exits with
 * the usage where there are not two. `wanted` is "the trace to read and the file to write". */
static inline error_t file_pair_parse(struct file_pair *pair, const char *wanted, int key,
                                      char *argument, const struct argp_state *state)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (!*argument)
            argp_error(state, "a file name is empty; name %s", wanted);
        if (pair->out)
            argp_error(state, "'%s' is one file too many", argument);
        *(pair->in ? &pair->out : &pair->in) = argument;
        return 0;
    case ARGP_KEY_END:
        if (!pair->out)
            argp_error(state, "name %s", wanted);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#endif
