/* How long a campaign goes on: what is chosen on made-up rows, and whole small campaigns, of which
 * this program is the run process too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/child.h"
#include "replay/precision.h"
#include "replay/statistics.h"
#include "traces/trace.h"
#include "workloads/workload.h"

static char folder[] = "/tmp/heaplab-campaign-test-XXXXXX";
static char trace_path[sizeof folder + 16], campaign_path[sizeof folder + 16];

/* ---- made-up rows ---- */

static void add_row(struct campaign_results *results, const char *source, const char *allocator,
                    unsigned repetition, double ns)
{
    struct run_row *row = campaign_new_row(results);
    assert_non_null(row);
    memset(row, 0, sizeof *row);
    snprintf(row->source, sizeof row->source, "%s", source);
    snprintf(row->allocator, sizeof row->allocator, "%s", allocator);
    row->mode = run_mode_names[RUN_THROUGHPUT];
    row->status = "ok";
    row->repetition = repetition;
    row->ns_per_event = ns;
}

/* A source whose control's ratios swing by `swing` around 1. */
static void add_source(struct campaign_results *results, const char *name, bool is_trace,
                       double swing)
{
    static const double steps[] = {-1, 0.5, 0.2, -0.4, 1, 0, -0.7, 0.8};
    snprintf(results->source_names[results->source_count], RUN_ROW_TEXT_BYTES, "%s", name);
    results->is_trace[results->source_count++] = is_trace;
    for (unsigned i = 0; i < 8; i++) {
        add_row(results, name, "system", i + 1, 10);
        add_row(results, name, "system#2", i + 1, 10 * (1 + swing * steps[i]));
    }
}

static struct precision judge(const struct campaign_plan *plan,
                              const struct campaign_results *results, const bool *is_given_up)
{
    struct precision precision;
    assert_int_equal(precision_judge(&precision, plan, results, is_given_up), 0);
    return precision;
}

static void test_judge(void **state)
{
    struct campaign_results results = {0};
    struct campaign_plan plan = {.allocators = {"null", "system", "system#2"},
                                 .allocator_count = 3,
                                 .control_width = 0.02,
                                 .block_limit = 9};
    bool is_given_up[CAMPAIGN_SOURCE_LIMIT] = {false};
    (void)state;
    add_source(&results, "quiet", true, 0.001);
    add_source(&results, "noisy", true, 0.1);
    add_source(&results, "workload", false, 0.5);
    struct precision precision = judge(&plan, &results, is_given_up);
    assert_true(precision.control.high - precision.control.low > 0.02);
    assert_false(precision.is_reached);
    assert_true(precision.has_source && precision.source == 1);

    is_given_up[1] = true;
    precision = judge(&plan, &results, is_given_up);
    assert_true(precision.has_source && precision.source == 0);
    is_given_up[1] = false;
    plan.block_limit = 8;
    assert_false(judge(&plan, &results, is_given_up).has_source);

    plan.control_width = 0.2;
    assert_true(judge(&plan, &results, is_given_up).is_reached);
    plan.allocator_count = 2; /* no control */
    precision = judge(&plan, &results, is_given_up);
    assert_false(precision.is_reached || precision.has_source);
    campaign_results_clear(&results);
}

/* ---- whole campaigns ---- */

static void run_campaign(struct campaign_plan *plan, struct campaign_results *results)
{
    assert_int_equal(campaign_run(plan, results), 0);
    assert_int_equal(results->failed_count, 0);
}

static unsigned count_rows(const struct campaign_results *results, const char *allocator,
                           unsigned repetition)
{
    unsigned count = 0;
    for (size_t i = 0; i < results->row_count; i++)
        count += results->rows[i].repetition == repetition &&
                 !strcmp(results->rows[i].allocator, allocator);
    return count;
}

static void assert_blocks(const struct campaign_results *results, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        assert_int_equal(count_rows(results, "system", i), 1);
        assert_int_equal(count_rows(results, "system#2", i), 1);
        assert_int_equal(count_rows(results, "null", i), i <= 5);
    }
    assert_int_equal(results->row_count, 2 * count + 5);
}

static struct campaign_plan small_plan(void)
{
    return (struct campaign_plan){.allocators = {"null", "system", "system#2"},
                                  .allocator_count = 3,
                                  .sources = {trace_path},
                                  .source_count = 1,
                                  .measures_throughput = true,
                                  .repetitions = 5,
                                  .limit_s = 60,
                                  .block_limit = 7,
                                  .further_s = 1e6};
}

static void test_ends(void **state)
{
    struct campaign_plan plan = small_plan();
    struct campaign_results results;
    (void)state;
    run_campaign(&plan, &results); /* without a width */
    assert_int_equal(results.repetition_end, REPETITION_AS_PLANNED);
    assert_blocks(&results, 5);
    campaign_results_clear(&results);

    plan.control_width = 1e6;
    run_campaign(&plan, &results);
    assert_int_equal(results.repetition_end, REPETITION_REACHED);
    assert_blocks(&results, 5);
    campaign_results_clear(&results);

    plan.control_width = 1e-12;
    run_campaign(&plan, &results);
    assert_int_equal(results.repetition_end, REPETITION_OUT_OF_BLOCKS);
    assert_blocks(&results, 7);
    campaign_results_clear(&results);

    plan.further_s = 0;
    run_campaign(&plan, &results);
    assert_int_equal(results.repetition_end, REPETITION_OUT_OF_TIME);
    assert_blocks(&results, 5);
    campaign_results_clear(&results);
}

/* A source that is open already is played, and not opened anew by its text, which names nothing. */
static void test_opened(void **state)
{
    struct trace_source *opened[1];
    struct trace_error error;
    struct campaign_plan plan = small_plan();
    struct campaign_results results;
    (void)state;
    assert_int_equal(workload_open(&opened[0], "fixed:objects=16", &error), 0);
    plan.sources[0] = "model:nothing";
    plan.opened = opened;
    run_campaign(&plan, &results);
    assert_int_equal(results.unreadable_count, 0);
    assert_blocks(&results, 5);
    assert_string_equal(results.source_names[0], "fixed:objects=16");
    assert_false(results.is_trace[0]);
    assert_null(opened[0]);
    campaign_results_clear(&results);
}

/* Copies the folder's runs.csv without its last `count` rows. */
static void drop_rows(unsigned count)
{
    char command[256];
    snprintf(command, sizeof command, "cd %s && head -n -%u runs.csv >cut && mv cut runs.csv",
             campaign_path, count);
    assert_int_equal(system(command), 0);
}

static void test_resume(void **state)
{
    struct campaign_plan plan = small_plan();
    struct campaign_results results;
    (void)state;
    plan.folder = campaign_path;
    plan.control_width = 1e-12;
    run_campaign(&plan, &results);
    campaign_results_clear(&results);
    plan.resumes = true;
    for (unsigned dropped = 0; dropped < 6; dropped++) {
        drop_rows(dropped); /* in the middle of a block, between two, in the planned ones */
        run_campaign(&plan, &results);
        assert_blocks(&results, 7);
        campaign_results_clear(&results);
    }
}

static int make_files(void **state)
{
    struct trace_writer *writer;
    struct trace_error error;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(trace_path, sizeof trace_path, "%s/x.trace", folder);
    snprintf(campaign_path, sizeof campaign_path, "%s/campaign", folder);
    char command[256];
    snprintf(command, sizeof command, "mkdir %s", campaign_path);
    if (system(command) || trace_writer_open(&writer, trace_path, NULL, &error))
        return -1;
    for (unsigned i = 0; i < 1000; i++) {
        struct trace_event event = {
            .kind = TRACE_MALLOC, .size = 32 + i, .count = 1, .object = TRACE_NO_OBJECT};
        if (trace_writer_append(writer, &event))
            return -1;
    }
    return trace_writer_commit(writer, &error);
}

static int remove_files(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], CHILD_COMMAND))
        return child_main(argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_opened),
        cmocka_unit_test(test_resume),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
