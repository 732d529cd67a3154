/* The subcommands of `heaplab`: one cmd_*.c each, listed once in main.c. */
#ifndef REPLAY_COMMAND_H
#define REPLAY_COMMAND_H

#include "traces/trace.h"

/* Exit statuses of every subcommand, except that `record` passes on the recorded program's own. */
enum command_status {
    COMMAND_DONE = 0,
    COMMAND_FAILED = 1,      /* a run failed, or a check found a defect */
    COMMAND_USAGE = 2,       /* the command line is wrong */
    COMMAND_ENVIRONMENT = 3, /* input, output or the machine is in the way */
};

struct command {
    const char *name;
    const char *arguments; /* as in the usage line */
    const char *summary;
    /* argv[0] is "heaplab NAME", for messages of argp. Returns the exit status. */
    int (*run)(int argc, char **argv);
};

int cmd_bench(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_ratios(int argc, char **argv);
int cmd_replay(int argc, char **argv);

/* Draws the charts of the campaign in `directory` with plots/draw, which says on standard error
 * what is wrong and on standard output what it drew. Returns an exit status. */
int plot_campaign(const char *directory);

/* Print "heaplab: ..." and a line break to standard error. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints "heaplab: FILE: byte N: what is wrong; what to try". */
void message_trace_error(const char *path, const struct trace_error *error);

#endif
