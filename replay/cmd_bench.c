/* heaplab bench: the shipped traces and the bench workloads on every allocator, with charts. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "replay/campaign.h"
#include "replay/command.h"
#include "replay/command_text.h"
#include "replay/instrument.h"
#include "replay/options.h"
#include "replay/report.h"
#include "replay/result_folder.h"
#include "replay/sources.h"
#include "replay/target.h"
#include "replay/verdicts.h"
#include "workloads/workload.h"

/* How thorough a campaign is. The default leaves room for the build and the charts within five
 * minutes on two processors. */
struct effort {
    unsigned repetitions, memory_repetitions, latency_repetitions;
    double budget_s; /* for the repetitions of throughput beyond the least */
    /* All workloads, latency, an allocator under two names, the planted effects, and further blocks
     * until the control is narrow. */
    bool is_full;
    /* Hours of a server's life in memory mode alone, instead of the other sources. */
    bool is_long;
};

/* A control narrower than this lets a campaign tell differences of 2 %, and slow's and fat's with
 * room to spare. The noisiest shipped trace needs about 140 blocks for it (see precision.h), all
 * of them together 650 beyond the planned ones, of about 0.6 s each on two processors. */
#define CONTROL_WIDTH       0.02
#define CONTROL_BLOCK_LIMIT 200
#define CONTROL_LIMIT_S     900

static const struct effort quick_effort = {3, 1, 0, 1, false, false},
                           default_effort = {10, 1, 0, 200, false, false},
                           full_effort = {15, 5, 1, 600, true, false},
                           long_effort = {0, 1, 0, 0, false, true};

/* More than 10^9 events in all, made while they are played: 10^5 a second, which is much for one
 * server, for three hours. */
static const char *const long_set[] = {
    "server:allocations=128M,live=32M,period=8M",
    "aged:litter=2M,objects=200k,allocations=128M",
    "model:redis,scale=4,length=256M",
    "model:python,scale=4,length=256M",
    NULL,
};

struct bench_options {
    struct campaign_plan plan;
    const struct effort *effort; /* NULL until one is chosen */
    const char *folder;
};

static const struct argp_option options[] = {
    {"quick", 'q', NULL, 0, "the fewest repetitions", 0},
    {"full", 'F', NULL, 0,
     "all workloads, latency, many repetitions and controls, for results to be published", 0},
    {"long", 'L', NULL, 0,
     "instead a billion events as of long-running servers, in memory mode: does memory grow?", 0},
    {"output", 'o', "FOLDER", 0, "of the results (results/latest)", 0},
    {"allocator", 'a', "NAME[,NAME...]", 0, "allocators to measure; may be repeated (all)", 0},
    {"resume", 'c', NULL, 0, "take up the campaign that was cut off in the same folder", 0},
    {"seed", 's', "NUMBER", 0, "of the order of runs (the time)", 0},
    {0},
};

static void choose_effort(struct bench_options *into, const struct effort *effort,
                          struct argp_state *state)
{
    if (into->effort && into->effort != effort)
        argp_error(state, "--quick, --full and --long are different campaigns; choose one");
    into->effort = effort;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bench_options *into = state->input;
    switch (key) {
    case 'q':
        choose_effort(into, &quick_effort, state);
        return 0;
    case 'F':
        choose_effort(into, &full_effort, state);
        return 0;
    case 'L':
        choose_effort(into, &long_effort, state);
        return 0;
    case 'c':
        into->plan.resumes = true;
        return 0;
    case 'o':
        into->folder = argument;
        return 0;
    case 'a':
        if (!options_add_allocators(&into->plan, argument))
            exit(COMMAND_USAGE);
        return 0;
    case 's':
        if (!options_set_seed(&into->plan, argument))
            exit(COMMAND_USAGE);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "bench chooses the sources; 'heaplab replay' takes '%s'", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Replays the shipped traces and the bench workloads on every allocator, in throughput and "
        "memory mode (a full campaign in latency mode too), and writes tables, CSV and charts.",
};

static void add_names(struct campaign_plan *plan, const char *const *names)
{
    for (size_t i = 0; names[i] && plan->source_count < CAMPAIGN_SOURCE_LIMIT; i++)
        plan->sources[plan->source_count++] = names[i];
}

/* Traces first, then workloads. `traces` are the shipped ones and outlive the plan. */
static void add_sources(struct campaign_plan *plan, char **traces, const struct effort *effort)
{
    if (effort->is_long) {
        add_names(plan, long_set);
        return;
    }
    add_names(plan, (const char *const *)traces);
    add_names(plan, workload_bench_set);
    if (effort->is_full)
        add_names(plan, workload_full_set);
}

static void apply_effort(struct campaign_plan *plan, const struct effort *effort)
{
    plan->measures_throughput = !effort->is_long;
    plan->repetitions = effort->repetitions;
    plan->memory_repetitions = effort->memory_repetitions;
    plan->latency_repetitions = effort->latency_repetitions;
    plan->measures_latency = effort->latency_repetitions > 0;
    plan->budget_s = effort->budget_s;
    if (effort->is_full) {
        plan->control_width = CONTROL_WIDTH;
        plan->block_limit = CONTROL_BLOCK_LIMIT;
        plan->further_s = CONTROL_LIMIT_S;
    }
}

static int run(struct bench_options *chosen, struct result_folder *folder, const char *command)
{
    struct campaign_plan *plan = &chosen->plan;
    struct campaign_results results;
    int error = campaign_run(plan, &results), status = COMMAND_DONE;
    if (!error && campaign_is_empty(&results)) {
        result_folder_discard(folder);
        campaign_results_clear(&results);
        return COMMAND_ENVIRONMENT;
    }
    if (!error)
        error = result_folder_describe(folder, plan, &results, command);
    if (!error) {
        report_overview(stdout, plan, &results);
        if (chosen->effort->is_full)
            verdicts_say(stdout, plan, &results, target_system.name);
        fflush(stdout); /* before the charts' own messages */
        status = plot_campaign(folder->working_path);
        error = result_folder_commit(folder);
    }
    bool is_unsound = !error && chosen->effort->is_full &&
                      instrument_judge(NULL, plan, &results) != INSTRUMENT_SOUND;
    if (is_unsound)
        message("%s: the campaign did not see what was planted in it, or saw what was not; its "
                "verdicts are not to be trusted: see 'instrument:' in overview.txt, and measure "
                "again on a quiet machine",
                folder->final_path);
    if (!error && results.unreadable_count)
        status = COMMAND_ENVIRONMENT;
    else if (!error && (results.failed_count || is_unsound))
        status = COMMAND_FAILED;
    campaign_results_clear(&results);
    if (!error)
        printf("\nResults%s: %s\n",
               status == COMMAND_ENVIRONMENT ? ", without all charts" : " and charts",
               folder->final_path);
    return error ? COMMAND_ENVIRONMENT : status;
}

int cmd_bench(int argc, char **argv)
{
    struct bench_options chosen = {
        .plan = {.measures_memory = true,
                 .touch = TOUCH_PAGE,
                 .limit_s = 300,
                 .seed = (uint64_t)time(NULL),
                 .shows_progress = true},
        .folder = "results/latest",
    };
    char controls[] = "system,system#2,slow,fat";
    struct result_folder folder = {0};
    char *command = command_text(argc, argv);
    argp_err_exit_status = COMMAND_USAGE;
    if (!command || argp_parse(&parser, argc, argv, 0, NULL, &chosen))
        return COMMAND_USAGE;
    if (!chosen.plan.allocator_count)
        options_add_all_allocators(&chosen.plan);
    if (!chosen.effort)
        chosen.effort = &default_effort;
    if (chosen.effort->is_full && !options_add_allocators(&chosen.plan, controls))
        return COMMAND_USAGE;
    apply_effort(&chosen.plan, chosen.effort);

    char **names = source_shipped_names();
    if (!names) {
        message("the folder of the shipped traces can't be read; run heaplab from its build or "
                "install folder");
        return COMMAND_ENVIRONMENT;
    }
    add_sources(&chosen.plan, names, chosen.effort);
    int status = result_folder_open(&folder, chosen.folder, &chosen.plan);
    if (status == COMMAND_DONE)
        status = run(&chosen, &folder, command);
    result_folder_close(&folder);
    free(command);
    source_free_names(names);
    return status;
}
