/* heaplab plot: has the charts of a campaign drawn by plots/draw. */
#include <argp.h>
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/command.h"

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    const char **campaign = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*campaign)
            argp_error(state, "one folder at a time; '%s' is a second one", argument);
        *campaign = argument;
        return 0;
    case ARGP_KEY_END:
        if (!*campaign)
            argp_error(state, "no folder given; name the folder of a campaign");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .parser = parse_option,
    .args_doc = "DIR",
    .doc = "Draws the charts of the campaign in DIR, each as SVG and PNG, from its CSV files.",
};

/* The source tree first, so that a build beside it draws with the charts being worked on. */
static const char *find_driver(void)
{
    static const char *const drivers[] = {HEAPLAB_SOURCE_FOLDER "/plots/draw",
                                          HEAPLAB_PLOTS "/draw"};
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (access(drivers[i], X_OK) == 0)
            return drivers[i];
    return NULL;
}

int plot_campaign(const char *directory)
{
    const char *driver = find_driver();
    if (!driver) {
        message("%s: the scripts that draw charts are missing; install heaplab, or keep its source",
                HEAPLAB_PLOTS);
        return COMMAND_ENVIRONMENT;
    }
    pid_t child;
    char *arguments[] = {(char *)driver, (char *)directory, NULL};
    int error = posix_spawn(&child, driver, NULL, NULL, arguments, environ);
    if (error) {
        message("%s: %s", driver, strerror(error));
        return COMMAND_ENVIRONMENT;
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return COMMAND_ENVIRONMENT;
    return WIFEXITED(status) ? WEXITSTATUS(status) : COMMAND_FAILED;
}

int cmd_plot(int argc, char **argv)
{
    const char *campaign = NULL;
    argp_err_exit_status = COMMAND_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &campaign);
    return plot_campaign(campaign);
}
