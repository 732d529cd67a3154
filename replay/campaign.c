#include "replay/campaign.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "replay/clock.h"
#include "replay/command.h"
#include "replay/csv.h"
#include "replay/interrupt.h"
#include "replay/precision.h"
#include "replay/progress.h"
#include "replay/resume.h"
#include "replay/runner.h"
#include "replay/sources.h"
#include "replay/target.h"
#include "workloads/prng.h"

struct campaign {
    const struct campaign_plan *plan;
    struct campaign_results *results;
    struct progress progress;
    FILE *runs, *timeline, *occupancy, *latency;
    uint64_t started_ns;
    struct prng random;
    int processor;
    unsigned sources_begun;
    bool is_missing[CAMPAIGN_ALLOCATOR_LIMIT];      /* reported once, skipped afterwards */
    bool is_known_unable[CAMPAIGN_ALLOCATOR_LIMIT]; /* of some sources or modes; reported once */
};

/* A run that was started: in lane `lane`, unless starting it failed with `error`. */
struct pending {
    unsigned allocator, repetition, lane;
    int error;
};

/* Repetitions of a mode: those to run, from 1, and how many were planned. */
struct span {
    unsigned first, last, planned;
};

/* What runs of one source and mode have in common. */
struct block {
    struct trace_source *source;
    struct runner *runner;
    enum run_mode mode;
    bool plays_abreast;
    double overhead_ns;                   /* median on `null`, NAN until known */
    struct pending pending[RUNNER_LANES]; /* oldest first: played, perhaps still draining */
    unsigned pending_count;
};

/* ---- small things ---- */

static void shuffle(struct campaign *campaign, unsigned *order, unsigned count)
{
    for (unsigned i = count; i > 1; i--) {
        unsigned other = (unsigned)prng_below(&campaign->random, i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

/* The last processor that this process may use: interrupts tend to be served by the first. */
static int last_processor(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return -1;
    for (int i = CPU_SETSIZE - 1; i >= 0; i--)
        if (CPU_ISSET((size_t)i, &set))
            return i;
    return -1;
}

/* Each source has its even share, so that the last ones are measured as often as the first. */
static bool budget_is_spent(const struct campaign *campaign)
{
    double share =
        campaign->plan->budget_s * campaign->sources_begun / campaign->plan->source_count;
    return share > 0 && (double)(clock_now_ns() - campaign->started_ns) / 1e9 > share;
}

/* ---- rows ---- */

static int write_failed(const struct campaign *campaign, int error)
{
    progress_clear(&campaign->progress);
    message("%s: %s; free some room or name another folder with -o", campaign->plan->folder,
            strerror(-error));
    return error;
}

static int no_memory(const struct campaign *campaign)
{
    progress_clear(&campaign->progress);
    message("no memory for the campaign's rows; free some, or measure fewer sources at once");
    return -ENOMEM;
}

/* What is wrong with NAME, where that reads "NAME: what is wrong". */
static const char *without_name(const char *error, const char *name)
{
    size_t length = strlen(name);
    return !strncmp(error, name, length) && !strncmp(error + length, ": ", 2) ? error + length + 2
                                                                              : error;
}

static void report_run(struct campaign *campaign, unsigned allocator, const struct run_row *row)
{
    if (!strcmp(row->status, "failed")) {
        campaign->results->failed_count++;
        progress_clear(&campaign->progress);
        message("%s on %s: %s", row->allocator, row->source, row->error);
    } else if (!strcmp(row->status, "skipped")) {
        campaign->results->skipped_count++;
        if (!campaign->is_missing[allocator]) {
            progress_clear(&campaign->progress);
            message("%s is left out: %s", row->allocator, without_name(row->error, row->allocator));
        }
        campaign->is_missing[allocator] = true;
    }
}

/* ---- runs ---- */

static void start_run(struct campaign *campaign, struct block *block, struct pending *run)
{
    const char *name = campaign->plan->allocators[run->allocator];
    progress_show(&campaign->progress, block->source->name, name);
    run->error = runner_start(block->runner, &name, 1, &run->lane);
}

static const char *start_problem(const struct block *block, const struct pending *run)
{
    const char *of_source = block->source->error.message;
    return of_source[0] ? of_source : strerror(-run->error);
}

static bool is_finished(const struct campaign *campaign, const struct block *block,
                        unsigned allocator, unsigned repetition)
{
    return campaign->plan->resumes &&
           resume_has(campaign->results, block->source->name, campaign->plan->allocators[allocator],
                      block->mode, repetition);
}

static struct run_identity identify(const struct campaign *campaign, const struct block *block,
                                    unsigned allocator, unsigned repetition)
{
    return (struct run_identity){
        .allocator = campaign->plan->allocators[allocator],
        .source = block->source,
        .mode = block->mode,
        .touch = campaign->plan->touch,
        .pace = campaign->plan->pace,
        .repetition = repetition,
        .seed = campaign->plan->seed,
    };
}

/* Waits for the run and writes its row. Returns 0 or -errno where that can't be written. */
static int finish_run(struct campaign *campaign, struct block *block, const struct pending *run)
{
    struct run_identity identity = identify(campaign, block, run->allocator, run->repetition);
    const struct run_outcome *outcome = run->error ? NULL : runner_finish(block->runner, run->lane);
    if (interrupt_came())
        return -EINTR; /* the run may have been interrupted too: no row rather than a wrong one */
    struct run_row *row = campaign_new_row(campaign->results);
    if (!row)
        return no_memory(campaign);
    run_row_fill(row, &identity, outcome, run->error ? start_problem(block, run) : "");
    if (block->mode == RUN_THROUGHPUT)
        row->overhead_ns_per_event = block->overhead_ns;
    report_run(campaign, run->allocator, row);

    /* The row last: a resumed campaign takes a run for finished by its row. */
    int error = 0;
    /* Repetitions draw nearly the same line; one is enough to look at. */
    if (campaign->timeline && run->repetition == 1 && block->mode == RUN_MEMORY &&
        run_row_is_ok(row)) {
        error = timeline_write(campaign->timeline, row, outcome);
        if (!error)
            error = occupancy_write(campaign->occupancy, row, outcome);
    }
    if (!error && campaign->latency && block->mode == RUN_LATENCY && run_row_is_ok(row))
        error = latency_write(campaign->latency, row, outcome);
    if (!error && campaign->runs)
        error = run_row_write(campaign->runs, row);
    return error ? write_failed(campaign, error) : 0;
}

/* Why an allocator can't do this, which is no failure; NULL where it can. */
static const char *inability(const struct campaign *campaign, const struct block *block,
                             unsigned allocator)
{
    const char *name = campaign->plan->allocators[allocator];
    if (target_find(name)->single_threaded && block->source->summary->thread_count > 1)
        return "it plays sources of one thread";
    if (block->mode == RUN_CHECK && target_is_null(name))
        return "it manages nothing that could be checked";
    return NULL;
}

static bool can_play(const struct campaign *campaign, const struct block *block, unsigned allocator)
{
    return !campaign->is_missing[allocator] && !inability(campaign, block, allocator);
}

/* A row for each allocator that can't do this, so that nobody wonders where it is. */
static int skip_unable(struct campaign *campaign, const struct block *block)
{
    int error = 0;
    for (unsigned i = 0; i < campaign->plan->allocator_count && !error; i++) {
        const char *reason = inability(campaign, block, i);
        if (!reason || campaign->is_missing[i])
            continue;
        struct run_identity identity = identify(campaign, block, i, 1);
        struct run_row *row = campaign_new_row(campaign->results);
        if (!row)
            return no_memory(campaign);
        run_row_skip(row, &identity, reason);
        campaign->results->skipped_count++;
        if (!campaign->is_known_unable[i]) {
            progress_clear(&campaign->progress);
            message("%s is left out of %s, and others like that: %s", row->allocator, row->source,
                    reason);
        }
        campaign->is_known_unable[i] = true;
        if (campaign->runs)
            error = run_row_write(campaign->runs, row);
    }
    return error ? write_failed(campaign, error) : 0;
}

static int finish_oldest(struct campaign *campaign, struct block *block)
{
    struct pending oldest = block->pending[0];
    block->pending_count--;
    memmove(block->pending, block->pending + 1, block->pending_count * sizeof oldest);
    return finish_run(campaign, block, &oldest);
}

/* Starts a run and finishes it, or, since memory runs are not timed, lets it drain while later ones
 * play. */
static int run_one(struct campaign *campaign, struct block *block, unsigned allocator,
                   unsigned repetition)
{
    struct pending *run = &block->pending[block->pending_count++];
    *run = (struct pending){.allocator = allocator, .repetition = repetition};
    start_run(campaign, block, run);
    if (block->mode == RUN_MEMORY && block->pending_count < RUNNER_LANES)
        return 0;
    return finish_oldest(campaign, block);
}

/* Plays runs that need not take turns, so that a source too long for one window is decoded only
 * once for all of them. */
static int run_abreast(struct campaign *campaign, struct block *block, const unsigned *allocators,
                       unsigned count, unsigned repetition)
{
    const char *names[CAMPAIGN_ALLOCATOR_LIMIT];
    unsigned lanes[CAMPAIGN_ALLOCATOR_LIMIT];
    int error = 0;
    for (unsigned i = 0; i < count; i++)
        names[i] = campaign->plan->allocators[allocators[i]];
    progress_show(&campaign->progress, block->source->name, "all allocators");
    int failure = runner_start(block->runner, names, count, lanes);
    for (unsigned i = 0; i < count && !error; i++) {
        struct pending run = {allocators[i], repetition, failure ? 0 : lanes[i], failure};
        error = finish_run(campaign, block, &run);
    }
    return error;
}

/* One block: every allocator once, in random order, but `null` only where it did not go first. */
static int run_block(struct campaign *campaign, struct block *block, unsigned repetition)
{
    unsigned order[CAMPAIGN_ALLOCATOR_LIMIT], count = 0;
    int error = 0;
    for (unsigned i = 0; i < campaign->plan->allocator_count; i++)
        if ((block->plays_abreast || !target_is_null(campaign->plan->allocators[i])) &&
            can_play(campaign, block, i) && !is_finished(campaign, block, i, repetition))
            order[count++] = i;
    shuffle(campaign, order, count);
    if (block->plays_abreast) {
        while (block->pending_count && !error)
            error = finish_oldest(campaign, block);
        return error ? error : run_abreast(campaign, block, order, count, repetition);
    }
    for (unsigned i = 0; i < count && !error; i++)
        error = run_one(campaign, block, order[i], repetition);
    return error;
}

/* `null` goes first: the rows of all others state its time as their overhead. Its planned runs tell
 * that; further blocks are for pairs. */
static int run_null(struct campaign *campaign, struct block *block, struct span span)
{
    unsigned last = span.last < span.planned ? span.last : span.planned;
    int error = 0;
    for (unsigned i = 0; i < campaign->plan->allocator_count; i++) {
        if (!target_is_null(campaign->plan->allocators[i]))
            continue;
        for (unsigned repetition = span.first; repetition <= last && !error; repetition++)
            if (!is_finished(campaign, block, i, repetition))
                error = run_one(campaign, block, i, repetition);
        block->overhead_ns = campaign_statistic(campaign->results, block->source->name,
                                                target_null.name, RUN_THROUGHPUT, row_ns_per_event)
                                 .median;
    }
    return error;
}

/* A source that can't be read to its end is given up for all modes. */
static void report_source(struct campaign *campaign, const char *text,
                          const struct trace_error *problem)
{
    campaign->results->unreadable_count++;
    progress_clear(&campaign->progress);
    message_trace_error(text, problem);
}

/* A median of fewer is no better than a single run, so the budget does not cut into these. A
 * verdict needs more: STATISTICS_LEAST_BLOCKS. */
#define LEAST_BLOCKS 3

/* The budget is for repetitions of throughput: those of memory are few, and each is wanted. */
static bool is_affordable(const struct campaign *campaign, enum run_mode mode, struct span span,
                          unsigned repetition)
{
    return mode != RUN_THROUGHPUT || repetition <= LEAST_BLOCKS || repetition > span.planned ||
           !budget_is_spent(campaign);
}

static int run_mode(struct campaign *campaign, struct trace_source *source, unsigned place,
                    enum run_mode mode, struct span span)
{
    struct block block = {.source = source, .mode = mode, .overhead_ns = NAN};
    struct runner_options options = {
        .mode = mode,
        .touch = campaign->plan->touch,
        .pace = campaign->plan->pace,
        .waits_for_drain = true,
        .processor = campaign->processor,
        .limit_s = campaign->plan->limit_s,
    };
    progress_show(&campaign->progress, source->name, "decoding");
    int error = runner_open(&block.runner, source, &options);
    if (error) {
        report_source(campaign, campaign->plan->sources[place], &source->error);
        return 0;
    }
    block.plays_abreast = runner_plays_abreast(block.runner);
    if (span.first == 1)
        error = skip_unable(campaign, &block);
    if (!error && mode != RUN_CHECK && !block.plays_abreast)
        error = run_null(campaign, &block, span);
    for (unsigned repetition = span.first; repetition <= span.last && !error; repetition++) {
        if (is_affordable(campaign, mode, span, repetition))
            error = run_block(campaign, &block, repetition);
        progress_advance(&campaign->progress);
    }
    while (block.pending_count && !error)
        error = finish_oldest(campaign, &block);
    runner_close(block.runner);
    return error;
}

/* The name under which rows of the source are kept: its own, or as it was given where another has
 * that already. */
static const char *choose_name(struct campaign_results *results, struct trace_source *source,
                               const char *text)
{
    for (unsigned i = 0; i < results->source_count; i++)
        if (!strcmp(results->source_names[i], source->name))
            source->name = text;
    return source->name;
}

/* The source of the plan that is open already, which is then the caller's; NULL where none is. */
static struct trace_source *take_opened(const struct campaign_plan *plan, unsigned place)
{
    struct trace_source *source = plan->opened ? plan->opened[place] : NULL;
    if (source)
        plan->opened[place] = NULL;
    return source;
}

/* Opens the source for runs; *source is NULL where that failed, which is reported. */
static void open_source(struct campaign *campaign, unsigned place, struct trace_source **source,
                        bool *is_trace)
{
    const char *text = campaign->plan->sources[place];
    struct trace_error problem = {.byte_offset = UINT64_MAX};
    *source = take_opened(campaign->plan, place);
    *is_trace = false;
    interrupt_ends_at_once(true);
    int error = *source ? 0 : source_open(source, text, is_trace, &problem);
    if (!error)
        error = trace_source_summarise(*source);
    interrupt_ends_at_once(false);
    if (!error)
        return;
    report_source(campaign, text, *source ? &(*source)->error : &problem);
    trace_source_close(*source);
    *source = NULL;
}

/* What was planned for throughput, and what an earlier start of this campaign added: a block that
 * was cut off is made whole, and of a whole one nothing runs again. */
static unsigned last_block(const struct campaign *campaign, const struct trace_source *source)
{
    unsigned had = precision_blocks(campaign->results, source->name, RUN_THROUGHPUT),
             planned = campaign->plan->repetitions;
    return campaign->plan->control_width > 0 && had > planned ? had : planned;
}

static int run_source(struct campaign *campaign, unsigned place)
{
    const struct campaign_plan *plan = campaign->plan;
    struct campaign_results *results = campaign->results;
    struct trace_source *source;
    bool is_trace;
    int error = 0;
    campaign->sources_begun++;
    open_source(campaign, place, &source, &is_trace);
    if (!source)
        return 0;
    results->is_trace[results->source_count] = is_trace;
    results->plan_places[results->source_count] = place;
    snprintf(results->source_names[results->source_count], RUN_ROW_TEXT_BYTES, "%s",
             choose_name(results, source, plan->sources[place]));
    results->source_count++;
    const struct {
        bool is_wanted;
        enum run_mode mode;
        unsigned planned, last;
    } steps[] = {
        {plan->checks, RUN_CHECK, 1, 1},
        {plan->measures_throughput, RUN_THROUGHPUT, plan->repetitions,
         last_block(campaign, source)},
        {plan->measures_latency, RUN_LATENCY, plan->latency_repetitions, plan->latency_repetitions},
        {plan->measures_memory, RUN_MEMORY, plan->memory_repetitions, plan->memory_repetitions},
    };
    unsigned unreadable = results->unreadable_count;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !error && !interrupt_came() &&
                       results->unreadable_count == unreadable;
         i++)
        if (steps[i].is_wanted)
            error = run_mode(campaign, source, place, steps[i].mode,
                             (struct span){1, steps[i].last, steps[i].planned});
    trace_source_close(source);
    return error;
}

/* Gives a source that ran already further blocks of throughput. */
static int run_further(struct campaign *campaign, unsigned place)
{
    const struct campaign_results *results = campaign->results;
    struct trace_source *source;
    bool is_trace;
    unsigned had = precision_blocks(results, results->source_names[place], RUN_THROUGHPUT),
             last = had + CAMPAIGN_BATCH;
    if (last > campaign->plan->block_limit)
        last = campaign->plan->block_limit;
    open_source(campaign, results->plan_places[place], &source, &is_trace);
    if (!source)
        return 0;
    source->name = results->source_names[place];
    int error = run_mode(campaign, source, results->plan_places[place], RUN_THROUGHPUT,
                         (struct span){had + 1, last, campaign->plan->repetitions});
    trace_source_close(source);
    return error;
}

/* Further blocks until the control is narrow: see precision.h. */
static int repeat_until_precise(struct campaign *campaign)
{
    struct campaign_results *results = campaign->results;
    bool is_given_up[CAMPAIGN_SOURCE_LIMIT] = {false};
    uint64_t started_ns = clock_now_ns();
    int error = 0;
    while (!error && !interrupt_came()) {
        struct precision precision;
        size_t row_count = results->row_count;
        if (precision_judge(&precision, campaign->plan, results, is_given_up))
            return no_memory(campaign);
        if (precision.is_reached || !precision.has_source) {
            results->repetition_end =
                precision.is_reached ? REPETITION_REACHED : REPETITION_OUT_OF_BLOCKS;
            break;
        }
        if ((double)(clock_now_ns() - started_ns) / 1e9 > campaign->plan->further_s) {
            results->repetition_end = REPETITION_OUT_OF_TIME;
            break;
        }
        error = run_further(campaign, precision.source);
        is_given_up[precision.source] = results->row_count == row_count; /* unreadable by now */
    }
    return error;
}

/* ---- the whole ---- */

static int open_file(struct campaign *campaign, const char *name, FILE **stream,
                     int (*write_header)(FILE *))
{
    const struct campaign_plan *plan = campaign->plan;
    if (!plan->folder)
        return 0;
    *stream = csv_open(plan->folder, name, plan->resumes ? "ae" : "we");
    int error = *stream ? 0 : -errno;
    if (!error && ftello(*stream) == 0)
        error = write_header(*stream);
    return error ? write_failed(campaign, error) : 0;
}

static int close_file(const struct campaign *campaign, FILE *stream)
{
    if (!stream)
        return 0;
    int error = fflush(stream) || fsync(fileno(stream)) ? -errno : 0;
    if (fclose(stream) && !error)
        error = -errno;
    return error ? write_failed(campaign, error) : 0;
}

static unsigned steps_of(const struct campaign_plan *plan)
{
    return plan->source_count *
           ((plan->measures_throughput ? plan->repetitions : 0) +
            (plan->measures_latency ? plan->latency_repetitions : 0) +
            (plan->measures_memory ? plan->memory_repetitions : 0) + (plan->checks ? 1 : 0));
}

int campaign_run(const struct campaign_plan *plan, struct campaign_results *results)
{
    struct campaign campaign = {
        .plan = plan,
        .results = results,
        .started_ns = clock_now_ns(),
        .processor = last_processor(),
    };
    prng_seed(&campaign.random, plan->seed);
    memset(results, 0, sizeof *results);
    if (plan->resumes) {
        int failure = resume_campaign(plan->folder, results);
        if (failure)
            return failure;
    }
    progress_start(&campaign.progress, plan->shows_progress, steps_of(plan));
    int error = open_file(&campaign, "runs.csv", &campaign.runs, run_row_write_header);
    if (!error && plan->measures_memory)
        error = open_file(&campaign, "timeline.csv", &campaign.timeline, timeline_write_header);
    if (!error && plan->measures_memory)
        error = open_file(&campaign, "occupancy.csv", &campaign.occupancy, occupancy_write_header);
    if (!error && plan->measures_latency)
        error = open_file(&campaign, "latency.csv", &campaign.latency, latency_write_header);
    interrupt_catch(plan->folder != NULL);
    for (unsigned i = 0; i < plan->source_count && !error && !interrupt_came(); i++)
        error = run_source(&campaign, i);
    if (plan->measures_throughput && plan->control_width > 0 && !error && !interrupt_came())
        error = repeat_until_precise(&campaign);
    progress_clear(&campaign.progress);
    FILE *const files[] = {campaign.runs, campaign.timeline, campaign.occupancy, campaign.latency};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int closing = close_file(&campaign, files[i]);
        error = error ? error : closing;
    }
    return interrupt_came() ? -EINTR : error;
}
