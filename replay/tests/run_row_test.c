/* Rows of runs.csv: columns, quoting, and that what is unknown stays empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/run_row.h"

/* The column names that results/README.md promises at the least. */
static const char *const promised[] = {
    "schema_version",
    "allocator",
    "allocator_version",
    "source",
    "mode",
    "touch",
    "threads",
    "repetition",
    "seed",
    "events",
    "wall_ns",
    "user_ns",
    "system_ns",
    "unsupported_events",
    "ns_per_event",
    "stall_ns",
    "minor_faults",
    "overhead_ns_per_event",
    "peak_live_bytes",
    "peak_rss_bytes",
    "mean_rss_bytes",
    "status",
    "error",
};

static struct trace_summary summary = {
    .event_count = 12,
    .call_count = {[TRACE_MALLOC] = 10, [TRACE_THREAD_START] = 1, [TRACE_THREAD_END] = 1},
    .peak_live_bytes = 4096,
    .thread_count = 2,
};
static const struct trace_source source = {.name = "a, \"quoted\" name", .summary = &summary};
static const struct run_identity identity = {.allocator = "system",
                                             .source = &source,
                                             .mode = RUN_THROUGHPUT,
                                             .touch = TOUCH_PAGE,
                                             .repetition = 3,
                                             .seed = 7};

static char *written(const struct run_row *row)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    assert_int_equal(row ? run_row_write(stream, row) : run_row_write_header(stream), 0);
    fclose(stream);
    return text;
}

static void test_header(void **state)
{
    char *header = written(NULL), *with_commas;
    (void)state;
    header[strcspn(header, "\n")] = '\0';
    assert_true(asprintf(&with_commas, ",%s,", header) > 0);
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
        char *wanted;
        assert_true(asprintf(&wanted, ",%s,", promised[i]) > 0);
        if (!strstr(with_commas, wanted))
            fail_msg("no column %s", promised[i]);
        free(wanted);
    }
    free(with_commas);
    free(header);
}

static void test_good_run(void **state)
{
    static struct run_outcome outcome = {
        .is_complete = true, .wall_ns = 1000, .user_ns = 900, .version = "glibc 2.36"};
    static struct run_row row;
    (void)state;
    run_row_fill(&row, &identity, &outcome, "");
    assert_true(run_row_is_ok(&row));
    assert_true(row.ns_per_event == 100.0); /* ten calls: the thread's start and end are none */
    assert_true(isnan(row.peak_rss_bytes));
    char *text = written(&row);
    assert_non_null(strstr(
        text,
        "1,system,glibc 2.36,\"a, \"\"quoted\"\" name\",throughput,page,2,3,7,10,0,1000,900,"));
    assert_non_null(strstr(text, ",ok,\n"));
    free(text);
}

static void test_failed_run(void **state)
{
    static struct run_outcome outcome = {.error = "the run was ended by signal 11"};
    static struct run_row row;
    (void)state;
    run_row_fill(&row, &identity, &outcome, "");
    assert_false(run_row_is_ok(&row));
    assert_true(isnan(row.ns_per_event));
    char *text = written(&row);
    assert_non_null(strstr(text, ",failed,the run was ended by signal 11\n"));
    free(text);
    run_row_fill(&row, &identity, NULL, "no process could be started");
    assert_string_equal(row.status, "failed");
    assert_string_equal(row.error, "no process could be started");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_good_run),
        cmocka_unit_test(test_failed_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
