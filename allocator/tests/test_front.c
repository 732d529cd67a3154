/* How many objects the bins of a front hold, and where; this test looks inside the library. */
#include <pthread.h>

#include "allocator/heaps.h"
#include "allocator/tests/test_common.h"

enum { MANY = 4096, FEW = 12, BYTES = 512 };
static const unsigned kind = UNIT_SLAB + BYTES / 16 - 1;
static void *objects[MANY];

static void allocate(int count)
{
    for (int i = 0; i < count; i++) {
        objects[i] = mem_malloc(BYTES);
        assert_non_null(objects[i]);
        memcpy(objects[i], &i, sizeof i);
    }
}

static void free_last_first(int count)
{
    for (int i = count; i-- > 0;) {
        assert_memory_equal(objects[i], &i, sizeof i);
        mem_free(objects[i]);
    }
}

static unsigned narrow_capacity(void)
{
    return front_capacities[BYTES / 16 - 1];
}

static void assert_counted(uint64_t allocations)
{
    mem_stats_t stats = mem_get_stats();

    assert_int_equal(stats.num_allocations, allocations);
    assert_int_equal(stats.num_frees, allocations);
    assert_int_equal(stats.current_usage, 0);
}

static void test_a_bin_of_much_is_wide(void **state)
{
    (void)state;
    struct front *front = &heap_plain.front;

    mem_reset();
    allocate(FEW);
    free_last_first(FEW);
    assert_in_range(front->bottoms[kind], FRONT_SLOTS_AT, FRONT_WIDE_AT - 1);
    assert_in_range(front_held(front, kind), 1, narrow_capacity());

    allocate(MANY);
    assert_in_range(front->bottoms[kind], FRONT_WIDE_AT, sizeof(struct heap) - 1);
    free_last_first(MANY / 2);
    for (int i = MANY / 2; i < MANY; i++)
        mem_free(objects[i]);
    assert_counted(FEW + MANY);

    /* Nobody's any more: the bin holds as little as a narrow one, where it lies. */
    allocate(4 * FEW);
    free_last_first(4 * FEW);
    assert_in_range(front_held(front, kind), 1, narrow_capacity());
    assert_counted(FEW + MANY + 4 * FEW);
    mem_idle();
    assert_int_equal(front_held(front, kind), 0);
}

/* Two classes side by side, whose wide bins are neighbours and full. */
static void test_wide_bins_lie_apart(void **state)
{
    (void)state;
    static void *others[MANY];

    for (int round = 0; round < 3; round++) {
        allocate(MANY);
        for (int i = 0; i < MANY; i++) {
            others[i] = mem_malloc(BYTES - 16 * 4);
            memcpy(others[i], &i, sizeof i);
        }
        for (int i = 0; i < MANY; i++) {
            assert_memory_equal(others[i], &i, sizeof i);
            mem_free(others[i]);
        }
        free_last_first(MANY);
    }
}

/* What a class that nobody asks for any more keeps of its slabs goes back. */
static void test_idle_bins_are_emptied(void **state)
{
    (void)state;
    enum { OTHER_BYTES = 48 };

    allocate(FEW);
    free_last_first(FEW);
    assert_in_range(front_held(&heap_plain.front, kind), 1, narrow_capacity());
    for (int i = 0; i < MANY; i++)
        objects[i] = mem_malloc(OTHER_BYTES);
    for (int i = 0; i < MANY; i++)
        mem_free(objects[i]);
    assert_int_equal(front_held(&heap_plain.front, kind), 0);
    assert_in_range(front_held(&heap_plain.front, UNIT_SLAB + OTHER_BYTES / 16 - 1), 1, MANY);
}

static bool is_reading = true;

static void *read_statistics(void *least_usage)
{
    int64_t least = 0;

    while (__atomic_load_n(&is_reading, __ATOMIC_RELAXED)) {
        int64_t usage = (int64_t)mem_get_stats().current_usage;
        if (usage < least)
            least = usage;
    }
    *(int64_t *)least_usage = least;
    return NULL;
}

/* What another thread counts is never short by more than the calls that go on. */
static void test_statistics_while_bins_move(void **state)
{
    (void)state;
    enum { SIZES = 24 };
    pthread_t reader;
    int64_t least = -1;

    assert_int_equal(pthread_create(&reader, NULL, read_statistics, &least), 0);
    for (size_t bytes = 144; bytes < 144 + 16 * SIZES; bytes += 16) {
        for (int i = 0; i < MANY; i++)
            objects[i] = mem_malloc(bytes);
        for (int i = 0; i < MANY; i++)
            mem_free(objects[i]);
    }
    __atomic_store_n(&is_reading, false, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_in_range(heap_plain.front.bottoms[kind], FRONT_WIDE_AT, sizeof(struct heap) - 1);
    assert_true(least > -(int64_t)(FRONT_MOST_OBJECTS * SLAB_MOST_BYTES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bin_of_much_is_wide),
        cmocka_unit_test(test_wide_bins_lie_apart),
        cmocka_unit_test(test_idle_bins_are_emptied),
        /* Last: what holds with one thread does not with two. */
        cmocka_unit_test(test_statistics_while_bins_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
