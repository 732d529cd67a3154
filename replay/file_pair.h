/* The two files of a command that makes one of the other: IN OUT. */
#ifndef REPLAY_FILE_PAIR_H
#define REPLAY_FILE_PAIR_H

#include <argp.h>
#include <stdbool.h>
#include <sys/stat.h>

struct file_pair {
    const char *in, *out;
};

/* Whether both names are of one file: what is read would be written over. */
static inline bool file_pair_is_one(const struct file_pair *pair)
{
    struct stat in, out;
    return stat(pair->in, &in) == 0 && stat(pair->out, &out) == 0 && S_ISREG(in.st_mode) &&
           in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

/* For the parser of a command: takes the arguments and the end of the command line, and exits with
 * the usage where there are not two, or where both are the same. `wanted` is "the trace to read and
 * the file to write". */
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
        if (file_pair_is_one(pair))
            argp_error(state, "'%s' is both %s; write another file", pair->out, wanted);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

#endif
