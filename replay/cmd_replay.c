/* heaplab replay: sources on allocators, as tables or CSV. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "replay/campaign.h"
#include "replay/command.h"
#include "replay/command_text.h"
#include "replay/options.h"
#include "replay/report.h"
#include "replay/result_folder.h"
#include "replay/sources.h"

struct replay_options {
    struct campaign_plan plan;
    const char *folder;
    bool wants_csv;
};

static const struct argp_option options[] = {
    {"allocator", 'a', "NAME[,NAME...]", 0,
     "allocators to measure, names or paths of shared libraries; may be repeated (all)", 0},
    {"mode", 'm', "MODE[,MODE...]", 0, "throughput, latency, memory, check (throughput,memory)", 0},
    {"runs", 'r', "COUNT", 0, "repetitions in throughput mode, each in a fresh process (5)", 0},
    {"memory-runs", 'R', "COUNT", 0,
     "repetitions in memory mode, which take a second or more each (1)", 0},
    {"touch", 't', "WHICH", 0,
     "bytes of a new object to write: none, first, page (one per page) or full (page)", 0},
    {"pace", 'p', "WHICH", 0,
     "full (as fast as possible) or recorded (no call before its time, in memory mode) (full)", 0},
    {"output", 'o', "FOLDER", 0, "also write the campaign's files there", 0},
    {"format", 'f', "FORMAT", 0, "table or csv, on standard output (table)", 0},
    {"resume", 'c', NULL, 0, "take up the campaign that was cut off in the same folder", 0},
    {"seed", 's', "NUMBER", 0, "of the order of runs (the time)", 0},
    {"limit", 'l', "SECONDS", 0,
     "give up a run that takes longer, 0 for never; reading a source is no run (600)", 0},
    {0},
};

static bool read_option(struct replay_options *into, int key, char *argument)
{
    unsigned long number = 0;
    bool is_good = true;
    switch (key) {
    case 'a':
        return options_add_allocators(&into->plan, argument);
    case 'm':
        return options_set_modes(&into->plan, argument);
    case 't':
        return options_set_touch(&into->plan, argument);
    case 'p':
        return options_set_pace(&into->plan, argument);
    case 'r':
        is_good = options_read_number("--runs", argument, 1, RUN_REPETITION_LIMIT, &number);
        into->plan.repetitions = (unsigned)number;
        return is_good;
    case 'R':
        is_good = options_read_number("--memory-runs", argument, 1, RUN_REPETITION_LIMIT, &number);
        into->plan.memory_repetitions = (unsigned)number;
        return is_good;
    case 's':
        return options_set_seed(&into->plan, argument);
    case 'l':
        is_good = options_read_number("--limit", argument, 0, 1000000, &number);
        into->plan.limit_s = (unsigned)number;
        return is_good;
    case 'f':
        return options_read_format(argument, &into->wants_csv);
    default:
        into->folder = argument;
        return true;
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct replay_options *into = state->input;
    switch (key) {
    case 'a':
    case 'm':
    case 't':
    case 'p':
    case 'r':
    case 'R':
    case 's':
    case 'l':
    case 'f':
    case 'o':
        if (!read_option(into, key, argument))
            exit(COMMAND_USAGE);
        return 0;
    case 'c':
        into->plan.resumes = true;
        return 0;
    case ARGP_KEY_END:
        if (into->plan.resumes && !into->folder)
            argp_error(state, "--resume needs the folder of the campaign, with -o");
        if (into->plan.pace == PACE_RECORDED &&
            (into->plan.measures_throughput || into->plan.measures_latency || into->plan.checks))
            argp_error(state, "waiting is not measured; the recorded pace needs -m memory alone");
        return 0;
    case ARGP_KEY_ARG:
        if (into->plan.source_count == CAMPAIGN_SOURCE_LIMIT)
            argp_error(state, "more than %d sources; replay fewer at once", CAMPAIGN_SOURCE_LIMIT);
        into->plan.sources[into->plan.source_count++] = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no source; name a trace file, a shipped trace or a workload ('heaplab "
                          "list' shows them)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "SOURCE...",
    .doc = "Replays traces and workloads on allocators.\vA SOURCE is a trace file, a shipped "
           "trace's name, or "
           "WORKLOAD[:key=value,...]. Exit status: 0 done; 1 a run failed or a check found a "
           "defect; 2 usage; 3 input, "
           "output or the machine was in the way, or an interrupt.",
};

/* Opens every source once before anything runs, so that a slip in the last one does not cost the
 * time of the others. A model stays open in plan->opened: it took a pass over its trace to fit.
 * Returns the exit status. */
static int look_at_sources(const struct campaign_plan *plan)
{
    for (unsigned i = 0; i < plan->source_count; i++) {
        struct trace_source *source;
        struct trace_error problem = {.byte_offset = UINT64_MAX};
        bool is_trace;
        int error = source_open(&source, plan->sources[i], &is_trace, &problem);
        for (unsigned j = 0; !error && j < i; j++)
            if (!strcmp(plan->sources[i], plan->sources[j])) {
                message("%s is given twice; -r repeats a source", plan->sources[i]);
                trace_source_close(source);
                return COMMAND_USAGE;
            }
        if (error) {
            message_trace_error(plan->sources[i], &problem);
            return !is_trace && error == -EINVAL ? COMMAND_USAGE : COMMAND_ENVIRONMENT;
        }
        if (source_is_model(plan->sources[i]) && !is_trace)
            plan->opened[i] = source;
        else
            trace_source_close(source);
    }
    return COMMAND_DONE;
}

/* Those that no run came to. */
static void close_opened(const struct campaign_plan *plan)
{
    for (unsigned i = 0; i < plan->source_count; i++)
        if (plan->opened[i])
            trace_source_close(plan->opened[i]);
}

static int run(struct replay_options *chosen, struct result_folder *folder, const char *command)
{
    struct campaign_results results;
    struct campaign_plan *plan = &chosen->plan;
    int error = campaign_run(plan, &results);
    if (chosen->wants_csv)
        error = report_rows(stdout, &results) ? -1 : error;
    else
        report_tables(stdout, plan, &results);
    bool is_empty = campaign_is_empty(&results);
    if (!error && is_empty) {
        result_folder_discard(folder);
    } else if (!error && plan->folder) {
        error = result_folder_describe(folder, plan, &results, command);
        if (!error)
            error = result_folder_commit(folder);
    }
    bool has_unreadable = results.unreadable_count > 0, has_failed = results.failed_count > 0;
    campaign_results_clear(&results);
    if (error || is_empty || has_unreadable)
        return COMMAND_ENVIRONMENT;
    return has_failed ? COMMAND_FAILED : COMMAND_DONE;
}

int cmd_replay(int argc, char **argv)
{
    struct replay_options chosen = {
        .plan =
            {
                .measures_throughput = true,
                .measures_memory = true,
                .repetitions = 5,
                .memory_repetitions = 1,
                .latency_repetitions = 1,
                .touch = TOUCH_PAGE,
                .limit_s = 600,
                .seed = (uint64_t)time(NULL),
                .shows_progress = true,
            },
    };
    struct result_folder folder = {0};
    struct trace_source *opened[CAMPAIGN_SOURCE_LIMIT] = {NULL};
    char *command = command_text(argc, argv);
    argp_err_exit_status = COMMAND_USAGE;
    if (!command || argp_parse(&parser, argc, argv, 0, NULL, &chosen))
        return COMMAND_USAGE;
    if (!chosen.plan.allocator_count)
        options_add_all_allocators(&chosen.plan);
    chosen.plan.opened = opened;
    int status = look_at_sources(&chosen.plan);
    if (status == COMMAND_DONE && chosen.folder)
        status = result_folder_open(&folder, chosen.folder, &chosen.plan);
    if (status == COMMAND_DONE)
        status = run(&chosen, &folder, command);
    result_folder_close(&folder);
    close_opened(&chosen.plan);
    free(command);
    return status;
}
