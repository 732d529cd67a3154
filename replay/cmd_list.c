/* heaplab list: what can be measured, and on what. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "replay/command.h"
#include "replay/sources.h"
#include "replay/target.h"
#include "workloads/model.h"
#include "workloads/workload.h"

static void list_allocators(void)
{
    puts("allocators");
    for (size_t i = 0; target_registry[i]; i++)
        printf("  %-12s %s\n", target_registry[i]->name, target_registry[i]->summary);
    printf("  %-12s %s\n", target_shared_library.name, target_shared_library.summary);
}

static int list_traces(void)
{
    char **names = source_shipped_names();
    puts("traces");
    if (!names) {
        message("the folder of the shipped traces can't be read: %s; run heaplab from its build or "
                "install folder",
                strerror(errno));
        return COMMAND_ENVIRONMENT;
    }
    for (size_t i = 0; names[i]; i++)
        printf("  %s\n", names[i]);
    source_free_names(names);
    return COMMAND_DONE;
}

static void list_parameter(const struct workload_parameter *parameter)
{
    if (!parameter->choices) {
        printf("      %s=%llu  %s (%llu to %llu)\n", parameter->name,
               (unsigned long long)parameter->default_value, parameter->summary,
               (unsigned long long)parameter->minimum, (unsigned long long)parameter->maximum);
        return;
    }
    printf("      %s=%s  %s (", parameter->name, parameter->choices[parameter->default_value],
           parameter->summary);
    for (size_t i = 0; parameter->choices[i]; i++)
        printf("%s%s", i ? ", " : "", parameter->choices[i]);
    puts(")");
}

static void list_workload(const struct workload *workload)
{
    printf("  %-21s %s\n", workload->name, workload->summary);
    for (const struct workload_parameter *parameter = workload->parameters; parameter->name;
         parameter++)
        list_parameter(parameter);
}

static void list_workloads(void)
{
    puts("workloads");
    for (size_t i = 0; workload_registry[i]; i++)
        list_workload(workload_registry[i]);
    list_workload(&model_form);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    const char **wanted = state->input;
    if (key == ARGP_KEY_ARG && !*wanted &&
        (!strcmp(argument, "allocators") || !strcmp(argument, "traces") ||
         !strcmp(argument, "workloads")))
        *wanted = argument;
    else if (key == ARGP_KEY_ARG)
        argp_error(state,
                   *wanted ? "'%s' is one too many; name one of allocators, traces and workloads, "
                             "or none for all"
                           : "'%s' can't be listed; allocators, traces and workloads can",
                   argument);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

int cmd_list(int argc, char **argv)
{
    const struct argp parser = {
        .parser = parse,
        .args_doc = "[allocators|traces|workloads]",
        .doc = "Lists what can be measured, and on what; everything where nothing is named.",
    };
    const char *wanted = NULL;
    int status = COMMAND_DONE;
    argp_err_exit_status = COMMAND_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &wanted))
        return COMMAND_USAGE;
    if (!wanted || !strcmp(wanted, "allocators"))
        list_allocators();
    if (!wanted || !strcmp(wanted, "traces"))
        status = list_traces();
    if (!wanted || !strcmp(wanted, "workloads"))
        list_workloads();
    return status;
}
