/* The harness's verdict on itself, on rows whose truth is planted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/instrument.h"

#define TRACES 3

/* What is planted, as factors. */
struct truth {
    double slow_time, fat_memory, control_time, control_memory;
    unsigned blocks;
};
static const struct truth good = {1.08, 1.05, 1.0, 1.0, 12};

static const struct campaign_plan plan = {
    .allocators = {"null", "system", "system#2", "slow", "fat"}, .allocator_count = 5};

static void add_row(struct campaign_results *results, unsigned trace, const char *allocator,
                    enum run_mode mode, unsigned block, double value)
{
    struct run_row *row = campaign_new_row(results);
    assert_non_null(row);
    memset(row, 0, sizeof *row);
    snprintf(row->source, sizeof row->source, "%s", results->source_names[trace]);
    snprintf(row->allocator, sizeof row->allocator, "%s", allocator);
    row->mode = run_mode_names[mode];
    row->status = "ok";
    row->repetition = block;
    *(mode == RUN_THROUGHPUT ? &row->ns_per_event : &row->peak_rss_bytes) = value;
}

/* Ratios within 2 % of the planted ones in time, and within 0.1 % in memory. */
static void fill(struct campaign_results *results, const struct truth *truth)
{
    memset(results, 0, sizeof *results);
    for (unsigned i = 0; i < TRACES; i++) {
        snprintf(results->source_names[i], RUN_ROW_TEXT_BYTES, "trace %u", i);
        results->is_trace[results->source_count++] = true;
        for (unsigned block = 1; block <= truth->blocks; block++) {
            double jitter = 1 + 0.01 * ((int)(block * 7 + i) % 5 - 2),
                   small = 1 + 0.0005 * ((int)(block * 3 + i) % 5 - 2);
            add_row(results, i, "system", RUN_THROUGHPUT, block, 20);
            add_row(results, i, "system#2", RUN_THROUGHPUT, block,
                    20 * truth->control_time * jitter);
            add_row(results, i, "slow", RUN_THROUGHPUT, block, 20 * truth->slow_time * jitter);
            add_row(results, i, "fat", RUN_THROUGHPUT, block, 20 * jitter);
            add_row(results, i, "system", RUN_MEMORY, block, 1e6);
            add_row(results, i, "system#2", RUN_MEMORY, block, 1e6 * truth->control_memory * small);
            add_row(results, i, "slow", RUN_MEMORY, block, 1e6);
            add_row(results, i, "fat", RUN_MEMORY, block, 1e6 * truth->fat_memory * small);
        }
    }
}

/* Judges the truth and looks for `words` in the sentence. */
static void expect(const struct truth *truth, enum instrument_state state, const char *words)
{
    struct campaign_results results;
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    fill(&results, truth);
    enum instrument_state found = instrument_judge(stream, &plan, &results);
    fclose(stream);
    if (found != state || !strstr(text, words))
        fail_msg("state %d with '%s', not %d with '%s'", found, text, state, words);
    assert_int_equal(found, instrument_judge(NULL, &plan, &results));
    campaign_results_clear(&results);
    free(text);
}

static void test_detected(void **state)
{
    (void)state;
    expect(&good, INSTRUMENT_SOUND, "instrument: sound; slow was told from system by time (1.0");
    expect(&good, INSTRUMENT_SOUND, "fat was told from system by peak memory (1.05");
    expect(&good, INSTRUMENT_SOUND, "system#2 was not told from system by time");
}

static void test_not_detected(void **state)
{
    struct truth truth = good;
    (void)state;
    truth.slow_time = 1;
    expect(&truth, INSTRUMENT_UNSOUND, "not sound; slow was not told from system by time");
    truth.slow_time = 0.9; /* the wrong way round is not seen either */
    expect(&truth, INSTRUMENT_UNSOUND, "slow was not told from system by time");
    truth = good;
    truth.fat_memory = 1;
    expect(&truth, INSTRUMENT_UNSOUND, "fat was not told from system by peak memory");
}

static void test_control_off(void **state)
{
    struct truth truth = good;
    (void)state;
    truth.control_time = 1.04;
    expect(&truth, INSTRUMENT_UNSOUND, "; system#2 was told from system by time (1.0");
    truth = good;
    truth.control_memory = 0.97;
    expect(&truth, INSTRUMENT_UNSOUND, "; system#2 was told from system by peak memory (0.97");
    truth.control_memory = 1.004; /* told beyond doubt, and too little to matter */
    expect(&truth, INSTRUMENT_SOUND, "; system#2 was not told from system by peak memory (1.004");
}

static void test_too_few_blocks(void **state)
{
    struct truth truth = good;
    (void)state;
    truth.blocks = 4;
    expect(&truth, INSTRUMENT_UNSOUND, "slow has too few blocks to be told");
    truth.blocks = 0;
    expect(&truth, INSTRUMENT_UNSOUND, "slow has too few blocks to be told");
}

static void test_absent(void **state)
{
    struct campaign_plan without = plan;
    struct campaign_results results;
    (void)state;
    fill(&results, &good);
    without.allocator_count = 4;
    assert_int_equal(instrument_judge(NULL, &without, &results), INSTRUMENT_ABSENT);
    campaign_results_clear(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detected),    cmocka_unit_test(test_not_detected),
        cmocka_unit_test(test_control_off), cmocka_unit_test(test_too_few_blocks),
        cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
