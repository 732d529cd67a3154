/* heaplab plot: has the charts of a campaign drawn by plots/draw. */
#include <argp.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/command.h"
#include "replay/sources.h"

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

/* plots/draw, in the source tree or installed; the caller's to free, or NULL. */
static char *find_driver(void)
{
    char *folder = source_data_folder("plots"), *driver = NULL;
    if (folder && asprintf(&driver, "%s/draw", folder) < 0)
        driver = NULL;
    free(folder);
    return driver;
}

static int run_and_wait(char *driver, char *directory)
{
    pid_t child;
    char *arguments[] = {driver, directory, NULL};
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

int plot_campaign(const char *directory)
{
    char *driver = find_driver();
    if (!driver) {
        message("the scripts that draw charts are missing; run heaplab from its build or install "
                "folder");
        return COMMAND_ENVIRONMENT;
    }
    int status = run_and_wait(driver, (char *)directory);
    free(driver);
    return status;
}

int cmd_plot(int argc, char **argv)
{
    const char *campaign = NULL;
    argp_err_exit_status = COMMAND_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &campaign);
    return plot_campaign(campaign);
}
