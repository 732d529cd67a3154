/* heaplab compare: which allocator is best for my program? Runs the program itself, with each
 * allocator preloaded. */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "replay/campaign.h"
#include "replay/command.h"
#include "replay/csv.h"
#include "replay/options.h"
#include "replay/progress.h"
#include "replay/real_run.h"
#include "replay/report.h"
#include "replay/statistics.h"
#include "workloads/prng.h"

enum measure { MEASURE_WALL, MEASURE_PROCESSOR, MEASURE_PEAK, MEASURE_COUNT };

struct candidate {
    const char *name;
    char *library;
    double *values[MEASURE_COUNT]; /* by run, NAN for one that failed */
    unsigned failed_count;
    int failure; /* of waitpid(2), of a run that failed */
};

struct comparison {
    struct campaign_plan plan; /* of which the allocators, repetitions and seed are used */
    bool wants_csv;
    char **command;
    struct candidate candidates[CAMPAIGN_ALLOCATOR_LIMIT];
    unsigned candidate_count;
    struct prng random; /* of the order of runs */
};

static const struct argp_option options[] = {
    {"allocator", 'a', "NAME[,NAME...]", 0,
     "names or paths of shared libraries; may be repeated "
     "(system,jemalloc,mimalloc,tcmalloc,mem_ts)",
     0},
    {"runs", 'r', "COUNT", 0, "runs of the program under each (5)", 0},
    {"seed", 's', "NUMBER", 0, "of the order of runs (the time)", 0},
    {"format", 'f', "FORMAT", 0, "table or csv, on standard output (table)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct comparison *into = state->input;
    unsigned long number;
    switch (key) {
    case 'a':
        if (!options_add_allocators(&into->plan, argument))
            exit(COMMAND_USAGE);
        return 0;
    case 'r':
        if (!options_read_number("--runs", argument, 1, 10000, &number))
            exit(COMMAND_USAGE);
        into->plan.repetitions = (unsigned)number;
        return 0;
    case 's':
        if (!options_set_seed(&into->plan, argument))
            exit(COMMAND_USAGE);
        return 0;
    case 'f':
        if (!options_read_format(argument, &into->wants_csv))
            exit(COMMAND_USAGE);
        return 0;
    case ARGP_KEY_ARGS:
        into->command = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no command; give one behind '--'");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "[--] COMMAND [ARGUMENT...]",
    .doc = "Runs a program under each allocator, in random order within each round, and compares "
           "time and memory. "
           "The program's output goes to /dev/null.",
};

/* ---- running ---- */

static bool choose_candidates(struct comparison *comparison)
{
    char error[TARGET_TEXT_BYTES];
    for (unsigned i = 0; i < comparison->plan.allocator_count; i++) {
        struct candidate *candidate = &comparison->candidates[comparison->candidate_count];
        *candidate = (struct candidate){.name = comparison->plan.allocators[i]};
        if (!real_run_library(candidate->name, &candidate->library, error)) {
            message("%s is left out: %s", candidate->name, error);
            continue;
        }
        comparison->candidate_count++;
        for (unsigned j = 0; j < MEASURE_COUNT; j++) {
            candidate->values[j] = calloc(comparison->plan.repetitions, sizeof(double));
            if (!candidate->values[j])
                return false;
        }
    }
    return true;
}

static void print_header(void)
{
    puts("schema_version,allocator,repetition,status,wall_ns,processor_ns,peak_rss_bytes");
}

/* At once, so that what was measured before an interrupt is not lost. */
static void print_round(const struct comparison *comparison, unsigned run)
{
    for (unsigned i = 0; i < comparison->candidate_count; i++) {
        const struct candidate *candidate = &comparison->candidates[i];
        printf("%d,", RUN_SCHEMA_VERSION);
        csv_write_text(stdout, candidate->name);
        printf(",%u,%s", run + 1, isnan(candidate->values[MEASURE_WALL][run]) ? "failed" : "ok");
        for (unsigned j = 0; j < MEASURE_COUNT; j++) {
            putchar(',');
            csv_write_number(stdout, candidate->values[j][run]);
        }
        putchar('\n');
    }
    fflush(stdout);
}

static void note(struct candidate *candidate, unsigned run, const struct real_run *taken)
{
    bool is_good = WIFEXITED(taken->status) && WEXITSTATUS(taken->status) == 0;
    candidate->failed_count += !is_good;
    candidate->failure = is_good ? candidate->failure : taken->status;
    candidate->values[MEASURE_WALL][run] = is_good ? (double)taken->wall_ns : NAN;
    candidate->values[MEASURE_PROCESSOR][run] = is_good ? (double)taken->processor_ns : NAN;
    candidate->values[MEASURE_PEAK][run] = is_good ? (double)taken->peak_rss_bytes : NAN;
}

/* Every candidate once, in random order. Returns the exit status. */
static int run_round(struct comparison *comparison, unsigned run, const struct progress *progress)
{
    unsigned order[CAMPAIGN_ALLOCATOR_LIMIT];
    for (unsigned i = 0; i < comparison->candidate_count; i++) {
        unsigned place = (unsigned)prng_below(&comparison->random, i + 1);
        order[i] = order[place];
        order[place] = i;
    }
    for (unsigned i = 0; i < comparison->candidate_count; i++) {
        struct candidate *candidate = &comparison->candidates[order[i]];
        struct real_run taken;
        progress_show(progress, comparison->command[0], candidate->name);
        int error = real_run(&taken, comparison->command, candidate->library);
        if (error) {
            progress_clear(progress);
            message("%s: %s; name a program that can be run", comparison->command[0],
                    strerror(-error));
            return COMMAND_ENVIRONMENT;
        }
        note(candidate, run, &taken);
    }
    return COMMAND_DONE;
}

/* ---- telling ---- */

static double median_of(const struct comparison *comparison, const struct candidate *candidate,
                        enum measure measure)
{
    unsigned count = 0;
    double median = NAN, *good = malloc(comparison->plan.repetitions * sizeof *good);
    for (unsigned i = 0; good && i < comparison->plan.repetitions; i++)
        if (!isnan(candidate->values[measure][i]))
            good[count++] = candidate->values[measure][i];
    if (good)
        median = statistics_median(good, count);
    free(good);
    return median;
}

/* Against the first candidate, over the rounds in which both runs were good. */
static struct ratio_estimate ratio_of(const struct comparison *comparison,
                                      const struct candidate *candidate, enum measure measure)
{
    struct ratio_estimate estimate = {NAN, NAN, NAN};
    const struct candidate *reference = &comparison->candidates[0];
    double *ratios = malloc(comparison->plan.repetitions * sizeof *ratios);
    size_t count = 0;
    for (unsigned i = 0; ratios && i < comparison->plan.repetitions; i++) {
        double ratio = candidate->values[measure][i] / reference->values[measure][i];
        if (!isnan(ratio))
            ratios[count++] = ratio;
    }
    if (ratios) {
        struct ratio_sample sample = {ratios, count};
        statistics_estimate(&estimate, &sample, 1, 1);
    }
    free(ratios);
    return estimate;
}

static void print_table(const struct comparison *comparison)
{
    const char *reference = comparison->candidates[0].name;
    printf("%-14s %10s %10s %10s   of %s's time (95 %%)        of its memory (95 %%)\n",
           "allocator", "wall ms", "cpu ms", "peak MiB", reference);
    for (unsigned i = 0; i < comparison->candidate_count; i++) {
        const struct candidate *candidate = &comparison->candidates[i];
        struct ratio_estimate wall = ratio_of(comparison, candidate, MEASURE_WALL);
        struct ratio_estimate peak = ratio_of(comparison, candidate, MEASURE_PEAK);
        printf("%-14.14s", report_short_name(candidate->name));
        if (candidate->failed_count == comparison->plan.repetitions) {
            puts(" every run of the program failed");
            continue;
        }
        printf(" %10.1f %10.1f %10.2f   %.3f (%.3f to %.3f)          %.3f (%.3f to %.3f)\n",
               median_of(comparison, candidate, MEASURE_WALL) / 1e6,
               median_of(comparison, candidate, MEASURE_PROCESSOR) / 1e6,
               median_of(comparison, candidate, MEASURE_PEAK) / 1048576, wall.ratio, wall.low,
               wall.high, peak.ratio, peak.low, peak.high);
    }
}

static int tell(const struct comparison *comparison)
{
    unsigned failed = 0;
    if (!comparison->wants_csv)
        print_table(comparison);
    for (unsigned i = 0; i < comparison->candidate_count; i++) {
        const struct candidate *candidate = &comparison->candidates[i];
        if (candidate->failed_count && WIFSIGNALED(candidate->failure))
            message("%s: %u of %u runs of the program failed, with signal %d (%s)", candidate->name,
                    candidate->failed_count, comparison->plan.repetitions,
                    WTERMSIG(candidate->failure), strsignal(WTERMSIG(candidate->failure)));
        else if (candidate->failed_count)
            message("%s: %u of %u runs of the program failed, with exit status %d", candidate->name,
                    candidate->failed_count, comparison->plan.repetitions,
                    WEXITSTATUS(candidate->failure));
        failed += candidate->failed_count;
    }
    return failed ? COMMAND_FAILED : COMMAND_DONE;
}

int cmd_compare(int argc, char **argv)
{
    static struct comparison comparison = {.plan = {.repetitions = 5}};
    static char usual[] = "system,jemalloc,mimalloc,tcmalloc,mem_ts";
    struct progress progress;
    int status = COMMAND_DONE;
    comparison.plan.seed = (uint64_t)time(NULL);
    argp_err_exit_status = COMMAND_USAGE;
    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &comparison))
        return COMMAND_USAGE;
    if (!comparison.plan.allocator_count)
        options_add_allocators(&comparison.plan, usual);
    if (!choose_candidates(&comparison) || !comparison.candidate_count)
        return COMMAND_ENVIRONMENT;

    prng_seed(&comparison.random, comparison.plan.seed);
    if (comparison.wants_csv)
        print_header();
    progress_start(&progress, true, comparison.plan.repetitions);
    for (unsigned run = 0; run < comparison.plan.repetitions && status == COMMAND_DONE; run++) {
        status = run_round(&comparison, run, &progress);
        if (comparison.wants_csv && status == COMMAND_DONE)
            print_round(&comparison, run);
        progress_advance(&progress);
    }
    progress_clear(&progress);
    if (status == COMMAND_DONE)
        status = tell(&comparison);
    for (unsigned i = 0; i < comparison.candidate_count; i++) {
        free(comparison.candidates[i].library);
        for (unsigned j = 0; j < MEASURE_COUNT; j++)
            free(comparison.candidates[i].values[j]);
    }
    return status;
}
