/* The statistics: what each call adds, and what mem_reset leaves. */
#include <unistd.h>
#include <valgrind/valgrind.h>

#include "allocator/tests/test_common.h"

static void test_counts_and_bytes(void **state)
{
    (void)state;
    mem_reset();
    mem_stats_t start = mem_get_stats();
    void *a = mem_malloc(100);
    void *b = mem_malloc_ts(5000);
    void *c = mem_malloc(500000);
    size_t usable = mem_usable_size(a) + mem_usable_size(b) + mem_usable_size(c);

    mem_stats_t full = mem_get_stats();
    assert_int_equal(full.num_allocations, 3);
    assert_int_equal(full.num_frees, 0);
    assert_int_equal(full.total_allocated, usable);
    assert_int_equal(full.current_usage, start.current_usage + usable);
    mem_free(a);
    mem_free(b);
    mem_free(c);

    mem_stats_t empty = mem_get_stats();
    assert_int_equal(empty.num_frees, 3);
    assert_int_equal(empty.total_freed, usable);
    assert_int_equal(empty.current_usage, start.current_usage);
}

static void test_reset_keeps_current_usage(void **state)
{
    (void)state;
    void *live = mem_malloc(1000);
    size_t usage = mem_get_stats().current_usage;

    mem_reset();
    mem_stats_t reset = mem_get_stats();
    assert_int_equal(reset.total_allocated, 0);
    assert_int_equal(reset.total_freed, 0);
    assert_int_equal(reset.num_allocations, 0);
    assert_int_equal(reset.num_frees, 0);
    assert_int_equal(reset.num_splits, 0);
    assert_int_equal(reset.num_coalesces, 0);
    assert_int_equal(reset.current_usage, usage);
    mem_free(live);
    assert_int_equal(mem_get_stats().num_frees, 1);
}

static void test_resize_in_place_counts_bytes_only(void **state)
{
    (void)state;
    /* Under memcheck every resize moves, so that stale pointers are found. */
    if (RUNNING_ON_VALGRIND)
        skip();
    char *live = mem_malloc(1000000);

    mem_reset();
    live = mem_realloc(live, 500000);
    mem_stats_t stats = mem_get_stats();
    assert_int_equal(stats.num_allocations, 0);
    assert_int_equal(stats.num_frees, 0);
    assert_true(stats.total_freed >= 490000);
    assert_int_equal(stats.total_allocated, 0);
    mem_free(live);
}

static void test_splits_and_coalesces_show(void **state)
{
    (void)state;
    mem_reset();
    char *parts[20];
    for (int i = 0; i < 20; i++)
        parts[i] = mem_malloc(3000);
    for (int i = 0; i < 20; i++)
        mem_free(parts[i]);
    mem_stats_t stats = mem_get_stats();
    assert_true(stats.num_splits > 0);
    assert_true(stats.num_coalesces > 0);
}

static void test_print_goes_to_standard_output(void **state)
{
    (void)state;
    char text[1000] = "";
    char name[] = "/tmp/heaplab-stats-XXXXXX";
    int file = mkstemp(name);
    int saved = dup(STDOUT_FILENO);

    assert_true(file >= 0 && saved >= 0);
    unlink(name);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    mem_print_stats();
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_true(pread(file, text, sizeof text - 1, 0) > 0);
    close(file);
    assert_non_null(strstr(text, "current usage"));
    assert_non_null(strstr(text, "block coalesces"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_bytes),
        cmocka_unit_test(test_reset_keeps_current_usage),
        cmocka_unit_test(test_resize_in_place_counts_bytes_only),
        cmocka_unit_test(test_splits_and_coalesces_show),
        cmocka_unit_test(test_print_goes_to_standard_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
