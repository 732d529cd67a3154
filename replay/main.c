/* Finds the subcommand and runs it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/child.h"
#include "replay/command.h"

/* To add a subcommand: write replay/cmd_NAME.c with `int cmd_NAME(int argc, char **argv)`, declare
 * it in command.h, add the file to CMakeLists.txt and a line here. Parse with argp, and exit with
 * enum command_status. */
static const struct command commands[] = {
    {"generate", "WORKLOAD[:KEY=VALUE,...] -o FILE", "write the events of a workload to a trace",
     cmd_generate},
    {"record", "[-o FILE] [--] COMMAND [ARGUMENT...]", "record the allocation calls of a program",
     cmd_record},
    {"list", "[allocators|traces|workloads]", "what can be measured, and on what", cmd_list},
    {"import", "[-f FORMAT] IN OUT", "make a trace of another tool's, or of a damaged one",
     cmd_import},
    {"export", "[-f text] IN OUT", "write a trace as text", cmd_export},
    {"info", "TRACE...", "what a trace holds, and whether it is sound", cmd_info},
    {"plot", "DIR", "draw the charts of a campaign", cmd_plot},
    {"ratios", "DIR", "a campaign's ratios of liballocator to each other allocator", cmd_ratios},
    {"bench", "[--quick|--full|--long] [-o FOLDER]",
     "the shipped traces and workloads on every allocator, with charts", cmd_bench},
    {"compare", "[-a NAME,...] [-r RUNS] -- COMMAND [ARGUMENT...]",
     "run a program for real under each allocator", cmd_compare},
    {"replay", "[-a NAME,...] [-m MODE] [-r RUNS] SOURCE...",
     "replay traces and workloads on allocators", cmd_replay},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_help(FILE *stream)
{
    fputs("Usage: heaplab COMMAND [ARGUMENT...]\n\n", stream);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-9s %-48s %s\n", commands[i].name, commands[i].arguments,
                commands[i].summary);
    fputs("\n'heaplab help COMMAND' tells more.\n", stream);
}

/* Whether all that was printed got out: a full disk shows only when the buffer is written. */
static int results_arrived(void)
{
    if (!fflush(stdout) && !ferror(stdout))
        return 1;
    message("standard output: %s; free some room", strerror(errno));
    return 0;
}

/* Runs a subcommand, of which argv[0] is the name. */
static int run(const struct command *command, int argc, char **argv)
{
    char *program;
    if (asprintf(&program, "heaplab %s", command->name) < 0)
        return COMMAND_ENVIRONMENT;
    argv[0] = program;
    /* A limit of file size is then an error like a full disk, which is told. Programs that are run
     * for their own sake keep the default. */
    if (command->run != cmd_record && command->run != cmd_compare)
        signal(SIGXFSZ, SIG_IGN);
    int status = command->run(argc, argv);
    free(program);
    return results_arrived() ? status : COMMAND_ENVIRONMENT;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(name, commands[i].name))
            return &commands[i];
    message("no command '%s'; 'heaplab help' lists them", name);
    return NULL;
}

static int help(const char *name)
{
    char option[] = "--help", *arguments[] = {NULL, option, NULL};
    if (!name) {
        print_help(stdout);
        return COMMAND_DONE;
    }
    const struct command *command = find(name);
    return command ? run(command, 2, arguments) : COMMAND_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return COMMAND_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return help(argv[2]);
    if (!strcmp(argv[1], "--version")) {
        puts("heaplab " HEAPLAB_VERSION);
        return COMMAND_DONE;
    }
    if (!strcmp(argv[1], CHILD_COMMAND))
        return child_main(argc - 1, argv + 1);
    const struct command *command = find(argv[1]);
    return command ? run(command, argc - 1, argv + 1) : COMMAND_USAGE;
}
