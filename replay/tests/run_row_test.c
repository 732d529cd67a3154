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
    "pace",
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
    assert_non_null(strstr(text, "1,system,glibc 2.36,\"a, \"\"quoted\"\" "
                                 "name\",throughput,page,2,3,7,full,10,0,1000,900,"));
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

/* A row that was written reads the same, and one of a file with fewer columns has them unknown. */
static void test_reading(void **state)
{
    static struct run_outcome outcome = {.is_complete = true, .wall_ns = 1000, .stall_ns = 5};
    static struct run_row row, again;
    struct run_row_layout layout;
    (void)state;
    run_row_fill(&row, &identity, &outcome, "");
    char *header = written(NULL), *text = written(&row);
    assert_true(run_row_read_header(&layout, header));
    assert_true(run_row_read(&again, &layout, text));
    free(text);
    text = written(&row);
    char *copy = written(&again);
    assert_string_equal(copy, text);
    assert_ptr_equal(again.mode, row.mode);
    free(copy);
    free(text);
    free(header);

    char few[] = "status,source,schema_version,mode,touch,repetition,allocator,wall_ns\n",
         line[] = "ok,redis,1,memory,page,2,system,77\n",
         other[] = "ok,redis,1,memory,page,2,system,77,1\n",
         unknown[] = "status,source,schema_version,mode,touch,repetition,allocator,colour\n",
         twice[] = "status,source,schema_version,mode,touch,repetition,allocator,mode\n",
         nobody[] = "status,schema_version,mode,touch,repetition,allocator\n";
    assert_true(run_row_read_header(&layout, few));
    assert_true(run_row_read(&again, &layout, line));
    assert_true(again.wall_ns == 77 && again.repetition == 2 && isnan(again.stall_ns));
    assert_string_equal(again.source, "redis");
    assert_string_equal(again.pace, "full");
    assert_false(run_row_read(&again, &layout, other));
    assert_false(run_row_read_header(&layout, unknown));
    assert_false(run_row_read_header(&layout, twice));
    assert_false(run_row_read_header(&layout, nobody));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_good_run),
        cmocka_unit_test(test_failed_run),
        cmocka_unit_test(test_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
