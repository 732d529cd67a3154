/* What a program frees and does not want at once waits for its next allocations; this test looks
 * inside the library. One case for each process. */
#include <pthread.h>

#include "allocator/slab_sets.h"
#include "allocator/tests/test_clock.h"
#include "allocator/tests/test_process.h"
#include "allocator/waiting.h"

/* Allocations that end any waiting for 8 MB. */
enum { ENOUGH = 300 };
/* 8 MB of small objects. */
enum { OBJECTS = 80000, BYTES = 100, UNITS = OBJECTS * BYTES >> UNIT_SHIFT };
static void *objects[OBJECTS];

static void fill(size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++)
        assert_non_null(objects[i] = mem_malloc(bytes));
}

static void drain(size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(objects[i]);
}

static void allocate_and_free(unsigned times, size_t bytes)
{
    while (times-- > 0)
        mem_free(mem_malloc(bytes));
}

/* It stays until the program allocates again, whatever that is, also what its fronts hold. */
static void check_drain_before(size_t bytes, unsigned times)
{
    fill(OBJECTS, BYTES);
    drain(OBJECTS);
    assert_true(zone.dirty_units > UNITS * 9 / 10);
    assert_true(waiting_is_on());
    assert_int_equal(slab_frequent_class(BYTES), SLAB_NO_CLASS);
    allocate_and_free(times, bytes);
    assert_true(zone.dirty_units < UNITS / 10);
    assert_false(waiting_is_on());
    assert_int_equal(slab_frequent_class(BYTES), slab_class(BYTES));
}

static void test_small_objects_end_it(void **state)
{
    (void)state;
    check_drain_before(BYTES, ENOUGH);
}

static void test_blocks_end_it(void **state)
{
    (void)state;
    check_drain_before(3000, ENOUGH);
}

/* These at once. */
static void test_large_objects_end_it(void **state)
{
    (void)state;
    check_drain_before(MEM_MMAP_THRESHOLD, 1);
}

/* A program that fills its heap again takes what it left, and nothing has gone meanwhile. */
static void test_what_is_wanted_again_is_there(void **state)
{
    (void)state;
    enum { BLOCKS = 400, BLOCK_BYTES = 20000, HELD = BLOCKS * BLOCK_BYTES >> UNIT_SHIFT };

    fill(BLOCKS, BLOCK_BYTES);
    size_t grown_units = zone.grown_units;
    drain(BLOCKS);
    assert_true(waiting_is_on());
    for (int round = 0; round < 3; round++) {
        fill(BLOCKS, BLOCK_BYTES);
        drain(BLOCKS);
    }
    assert_true(zone.grown_units - grown_units < HELD / 20);
    /* That taught the bound, and there is no more need to wait. */
    assert_false(waiting_is_on());
}

/* Not while a program frees more than it allocates. */
static void test_some_allocations_do_not_end_it(void **state)
{
    (void)state;
    fill(OBJECTS, BYTES);
    for (size_t i = 0; i < OBJECTS; i++) {
        mem_free(objects[i]);
        if (i % 100 == 0)
            allocate_and_free(1, 40);
    }
    assert_true(zone.dirty_units > UNITS * 8 / 10);
    allocate_and_free(ENOUGH, 40);
    assert_true(zone.dirty_units < UNITS / 10);
}

/* Nor does it wait for ever while more and less lies dirty in turn. */
static void test_to_and_fro_ends_it(void **state)
{
    (void)state;
    enum { FEW = 64, FEW_BYTES = 1000, ROUNDS = 10 };

    fill(OBJECTS, BYTES);
    drain(OBJECTS);
    assert_true(waiting_is_on());
    for (int round = 0; round < ROUNDS; round++) {
        fill(FEW, FEW_BYTES);
        drain(FEW);
    }
    assert_true(zone.dirty_units < UNITS / 10);
}

/* Nothing is left to wait for after a trim, nor is what it purged taken for wanted. */
static void test_a_trim_ends_it(void **state)
{
    (void)state;
    fill(OBJECTS, BYTES);
    drain(OBJECTS);
    assert_true(waiting_is_on());
    (void)mem_idle();
    assert_false(waiting_is_on());
    assert_int_equal(zone.dirty_units, 0);
    assert_int_equal(zone.regret_units, 0);
    assert_int_equal(slab_frequent_class(BYTES), slab_class(BYTES));
}

/* Classes that sizes get meanwhile are theirs afterwards. */
static void test_classes_change_meanwhile(void **state)
{
    (void)state;
    fill(OBJECTS, BYTES);
    drain(OBJECTS);
    assert_true(waiting_is_on());
    unsigned before = slab_class(336);
    slab_sample(&first_slab_set, 336, 1000);
    assert_int_equal(slab_frequent_class(336), SLAB_NO_CLASS);
    fill(1000, 336);
    allocate_and_free(ENOUGH, 336);
    assert_false(waiting_is_on());
    assert_int_not_equal(slab_class(336), before);
    assert_int_equal(slab_frequent_class(336), slab_class(336));
    drain(1000);
}

/* Should they never come, half of a large heap is gone anyway. */
static void test_half_of_a_large_heap_goes_at_once(void **state)
{
    (void)state;
    enum { BLOCKS = 10000, BLOCK_BYTES = 10000, HELD = BLOCKS * BLOCK_BYTES >> UNIT_SHIFT };

    fill(BLOCKS, BLOCK_BYTES);
    drain(BLOCKS);
    assert_in_range(zone.dirty_units, HELD * 3 / 10, HELD * 6 / 10);
    size_t most = 0;
    for (int i = 0; i < BLOCKS && zone.dirty_units >= HELD / 10; i++) {
        size_t before = zone.dirty_units;
        allocate_and_free(1, BLOCK_BYTES);
        if (zone.dirty_units < before && before - zone.dirty_units > most)
            most = before - zone.dirty_units;
    }
    assert_true(zone.dirty_units < HELD / 10);
    /* And no call pays for all of the other half. */
    assert_true(most <= HELD * 6 / 10 / 3);
}

static void *drain_in_a_thread(void *nothing)
{
    for (size_t i = 0; i < OBJECTS; i++)
        mem_free_ts(objects[i]);
    return nothing;
}

/* What goes at once while the rest waits was not taken back, and raises no bound. */
static void test_what_goes_meanwhile_is_not_wanted(void **state)
{
    (void)state;
    enum { BLOCKS = 30000, BLOCK_BYTES = 4000 };

    fill(BLOCKS, BLOCK_BYTES);
    for (size_t i = 0; i < BLOCKS; i++) {
        mem_free(objects[i]);
        if (i % 10 == 0)
            allocate_and_free(1, 100);
    }
    allocate_and_free(4 * ENOUGH, 100);
    assert_false(waiting_is_on());
    assert_int_equal(zone.regret_units, 0);
}

/* A program that frees more again while what it freed before goes is waited for again. */
static void test_more_frees_are_waited_for(void **state)
{
    (void)state;
    enum { BLOCKS = 30000, BLOCK_BYTES = 4000, FEW = 8000 };

    fill(BLOCKS, BLOCK_BYTES);
    drain(FEW);
    size_t purged = zone.purged_units;
    for (int i = 0; i < BLOCKS && zone.purged_units == purged; i++)
        allocate_and_free(1, 100);
    assert_true(waiting_is_on());
    for (size_t i = FEW; i < 2 * FEW; i++) {
        mem_free(objects[i]);
        if (i % 20 == 0)
            allocate_and_free(1, 100);
    }
    /* But for what decay finds idle. */
    assert_true(zone.dirty_units > (FEW * BLOCK_BYTES >> UNIT_SHIFT) * 5 / 4);
}

/* What a thread frees that ends then waits for the allocations of others. */
static void test_threads_wait_for_each_other(void **state)
{
    (void)state;
    pthread_t thread;

    for (size_t i = 0; i < OBJECTS; i++)
        assert_non_null(objects[i] = mem_malloc_ts(BYTES));
    assert_int_equal(pthread_create(&thread, NULL, drain_in_a_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(zone.dirty_units > UNITS * 8 / 10);
    for (int i = 0; i < ENOUGH; i++)
        mem_free_ts(mem_malloc_ts(BYTES));
    assert_true(zone.dirty_units < UNITS / 10);
}

/* So does what an instance leaves. */
static void test_instances_end_with_it(void **state)
{
    (void)state;
    mem_heap_t *heap = mem_heap_new();

    assert_non_null(heap);
    for (size_t i = 0; i < OBJECTS; i++)
        assert_non_null(mem_heap_malloc(heap, BYTES));
    mem_heap_destroy(heap);
    assert_true(waiting_is_on());
    allocate_and_free(ENOUGH, BYTES);
    assert_true(zone.dirty_units < UNITS / 10);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_objects_end_it),
        cmocka_unit_test(test_blocks_end_it),
        cmocka_unit_test(test_large_objects_end_it),
        cmocka_unit_test(test_what_is_wanted_again_is_there),
        cmocka_unit_test(test_some_allocations_do_not_end_it),
        cmocka_unit_test(test_to_and_fro_ends_it),
        cmocka_unit_test(test_a_trim_ends_it),
        cmocka_unit_test(test_classes_change_meanwhile),
        cmocka_unit_test(test_half_of_a_large_heap_goes_at_once),
        cmocka_unit_test(test_threads_wait_for_each_other),
        cmocka_unit_test(test_what_goes_meanwhile_is_not_wanted),
        cmocka_unit_test(test_more_frees_are_waited_for),
        cmocka_unit_test(test_instances_end_with_it),
    };

    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
