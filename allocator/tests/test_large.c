/* What is kept of freed mappings, and for how long; this test looks inside the library. */
#include "allocator/large.h"
#include "allocator/tests/test_common.h"

static const size_t SIZE = (size_t)200 * 1024;

static void map_and_free(size_t bytes)
{
    void *object = large_alloc(bytes, ALIGNMENT, false, NULL);

    assert_non_null(object);
    assert_true(large_free(object, NULL) >= bytes);
}

static void test_freed_mapping_is_taken_again(void **state)
{
    (void)state;
    void *first = large_alloc(SIZE, ALIGNMENT, false, NULL);
    (void)large_free(first, NULL);
    assert_int_equal(large_objects.kept_bytes, SIZE);

    void *second = large_alloc(SIZE / 2, ALIGNMENT, false, NULL);
    assert_ptr_equal(second, first);
    assert_int_equal(large_objects.kept_bytes, SIZE / 2);
    (void)large_free(second, NULL);
    assert_int_equal(large_decay(true), SIZE);
}

static void test_nobody_took_it_for_an_interval(void **state)
{
    (void)state;
    map_and_free(SIZE);
    assert_int_equal(large_decay(false), 0);
    assert_int_equal(large_decay(false), SIZE);
    assert_int_equal(large_objects.kept_bytes, 0);
}

static void test_makes_way_for_growth(void **state)
{
    (void)state;
    map_and_free(SIZE);
    large_make_way(SIZE / 2);
    assert_int_equal(large_objects.kept_bytes, SIZE);
    large_make_way(SIZE / 2);
    assert_int_equal(large_objects.kept_bytes, 0);

    /* Growth while nothing is kept does not count later. */
    large_make_way(10 * SIZE);
    map_and_free(SIZE);
    large_make_way(SIZE / 2);
    assert_int_equal(large_decay(true), SIZE);
}

/* A mapping that is larger than may be kept, again and again, is kept from then on, also while the
 * heap grows. */
static void test_what_is_wanted_back_stays(void **state)
{
    (void)state;
    const size_t size = 5 * SIZE;
    map_and_free(size);
    assert_int_equal(large_objects.kept_bytes, 0);
    map_and_free(size);
    assert_int_equal(large_objects.kept_bytes, size);
    large_make_way(2 * size);
    assert_int_equal(large_objects.kept_bytes, size);
    assert_int_equal(large_decay(true), size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freed_mapping_is_taken_again),
        cmocka_unit_test(test_nobody_took_it_for_an_interval),
        cmocka_unit_test(test_makes_way_for_growth),
        cmocka_unit_test(test_what_is_wanted_back_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
