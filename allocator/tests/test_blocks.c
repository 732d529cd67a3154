/* Splitting, coalescing and the block heap's invariants; this test looks inside the library. */
#include "allocator/tests/block_verify.h"
#include "allocator/tests/test_common.h"
#include "allocator/zone.h"

static struct block_heap blocks;

static void verify(const void *payload)
{
    const char *broken = block_verify(&blocks, payload);

    if (broken)
        fail_msg("%s", broken);
}

static void test_split_leaves_the_rest(void **state)
{
    (void)state;
    char *whole = block_alloc(&blocks, 4000, ALIGNMENT, true);
    char *stop = block_alloc(&blocks, 100, ALIGNMENT, true);
    (void)block_free(&blocks, whole);

    size_t splits = blocks.splits;
    char *part = block_alloc(&blocks, 1000, ALIGNMENT, true);
    assert_ptr_equal(part, whole);
    assert_int_equal(blocks.splits, splits + 1);
    char *rest = block_alloc(&blocks, 2900, ALIGNMENT, true);
    assert_true(rest > part && rest < stop);
    verify(part);
    (void)block_free(&blocks, part);
    (void)block_free(&blocks, rest);
    (void)block_free(&blocks, stop);
}

static void test_no_split_below_the_least_block(void **state)
{
    (void)state;
    /* 4000 bytes need a block of 4016; a block of 3990 the same, 3960 leaves 32, 3970 only 16. */
    char *whole = block_alloc(&blocks, 4000, ALIGNMENT, true);
    char *stop = block_alloc(&blocks, 100, ALIGNMENT, true);
    size_t usable = block_usable(whole);

    (void)block_free(&blocks, whole);
    size_t splits = blocks.splits;
    char *same = block_alloc(&blocks, usable - 16, ALIGNMENT, true);
    assert_ptr_equal(same, whole);
    assert_int_equal(block_usable(same), usable);
    assert_int_equal(blocks.splits, splits);
    (void)block_free(&blocks, same);
    same = block_alloc(&blocks, usable - 32, ALIGNMENT, true);
    assert_int_equal(block_usable(same), usable - 32);
    assert_int_equal(blocks.splits, splits + 1);
    (void)block_free(&blocks, same);
    (void)block_free(&blocks, stop);
}

/* Frees three neighbours in the given order: whatever it is, one block remains. */
static void coalesce_in_order(const int order[3])
{
    char *parts[3];

    for (int i = 0; i < 3; i++)
        parts[i] = block_alloc(&blocks, 2000, ALIGNMENT, true);
    char *stop = block_alloc(&blocks, 100, ALIGNMENT, true);
    size_t coalesces = blocks.coalesces;
    assert_true(parts[0] < parts[1] && parts[1] < parts[2] && parts[2] < stop);
    for (int i = 0; i < 3; i++) {
        (void)block_free(&blocks, parts[order[i]]);
        verify(stop);
    }
    assert_true(blocks.coalesces >= coalesces + 2);
    char *whole = block_alloc(&blocks, 6000, ALIGNMENT, true);
    assert_ptr_equal(whole, parts[0]);
    (void)block_free(&blocks, whole);
    (void)block_free(&blocks, stop);
}

static void test_coalescing_in_every_order(void **state)
{
    (void)state;
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    /* A low block keeps the three from being merged with anything before them. */
    char *floor = block_alloc(&blocks, 100, ALIGNMENT, true);
    for (int i = 0; i < 6; i++)
        coalesce_in_order(orders[i]);
    (void)block_free(&blocks, floor);
}

static void test_best_fit_above_the_lists(void **state)
{
    (void)state;
    char *small = block_alloc(&blocks, 9000, ALIGNMENT, true);
    char *stop1 = block_alloc(&blocks, 100, ALIGNMENT, true);
    char *big = block_alloc(&blocks, 12000, ALIGNMENT, true);
    char *stop2 = block_alloc(&blocks, 100, ALIGNMENT, true);

    (void)block_free(&blocks, big);
    (void)block_free(&blocks, small);
    char *found = block_alloc(&blocks, 8900, ALIGNMENT, true);
    verify(found);
    assert_ptr_equal(found, small);
    (void)block_free(&blocks, found);
    (void)block_free(&blocks, stop1);
    (void)block_free(&blocks, stop2);
}

static void test_resize_in_place(void **state)
{
    (void)state;
    char *first = block_alloc(&blocks, 1000, ALIGNMENT, true);
    char *second = block_alloc(&blocks, 1000, ALIGNMENT, true);
    char *stop = block_alloc(&blocks, 100, ALIGNMENT, true);

    assert_false(block_resize(&blocks, first, 1500));
    (void)block_free(&blocks, second);
    assert_true(block_resize(&blocks, first, 1500));
    assert_true(block_usable(first) >= 1500);
    verify(first);
    assert_true(block_resize(&blocks, first, 40));
    verify(first);
    (void)block_free(&blocks, first);
    (void)block_free(&blocks, stop);
}

/* Blocks that do not merge when they are freed. */
static void alloc_row(char **holes, char **stops, int count, size_t bytes)
{
    for (int i = 0; i < count; i++) {
        holes[i] = block_alloc(&blocks, bytes, ALIGNMENT, true);
        stops[i] = block_alloc(&blocks, 100, ALIGNMENT, true);
    }
}

/* Whatever the order in which blocks of one size were freed, the lowest is found first. */
static void test_lowest_of_equals(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    const int order[COUNT] = {2, 0, 3, 1};
    char *holes[COUNT], *stops[COUNT];
    alloc_row(holes, stops, COUNT, 2000);
    for (int i = 0; i < COUNT; i++)
        (void)block_free(&blocks, holes[order[i]]);

    /* The last is found from a lower list, which is empty. */
    assert_ptr_equal(block_alloc(&blocks, 2000, ALIGNMENT, true), holes[0]);
    assert_ptr_equal(block_alloc(&blocks, 2000, ALIGNMENT, true), holes[1]);
    assert_ptr_equal(block_alloc(&blocks, 1500, ALIGNMENT, true), holes[2]);
    for (int i = 0; i < COUNT; i++) {
        if (i < 3)
            (void)block_free(&blocks, holes[i]);
        (void)block_free(&blocks, stops[i]);
    }
}

/* A row of free blocks, each too small to go to the zone when it was freed. */
static void test_idle_blocks_go_to_the_zone(void **state)
{
    (void)state;
    enum { COUNT = 10 };
    const size_t bytes = 50000;
    char *holes[COUNT], *stops[COUNT];
    alloc_row(holes, stops, COUNT, bytes);
    for (int i = 0; i < COUNT; i++)
        (void)block_free(&blocks, holes[i]);
    size_t free_before = zone.free_units;

    block_decay(&blocks, SIZE_MAX);
    assert_int_equal(zone.free_units, free_before);
    /* Free again, but not for the whole of the interval. */
    char *used = block_alloc(&blocks, bytes, ALIGNMENT, true);
    (void)block_free(&blocks, used);
    block_decay(&blocks, SIZE_MAX);
    assert_int_equal(zone_kind(used + bytes / 2), UNIT_BLOCK);
    assert_true(zone.free_units >= free_before + (COUNT - 1) * (bytes / UNIT_BYTES - 1));
    for (int i = 0; i < COUNT; i++) {
        verify(stops[i]);
        (void)block_free(&blocks, stops[i]);
    }
}

static void test_free_block_gives_its_units(void **state)
{
    (void)state;
    (void)block_trim(&blocks);
    char *hole = block_alloc(&blocks, 3 * UNIT_BYTES, ALIGNMENT, true);
    char *stop = block_alloc(&blocks, 100, ALIGNMENT, true);
    (void)block_free(&blocks, hole);
    size_t free_before = zone.free_units;

    assert_true(block_give_some(&blocks));
    assert_true(zone.free_units >= free_before + 2);
    verify(stop);
    assert_false(block_give_some(&blocks));
    (void)block_free(&blocks, stop);
}

static void test_free_segments_of_one_and_two_units_go(void **state)
{
    (void)state;
    for (size_t units = 1; units <= 2; units++) {
        (void)block_trim(&blocks);
        void *around[2], *lone;
        around[0] = zone_take_run(1, UNIT_SLAB).start;
        lone = block_alloc(&blocks, units * UNIT_BYTES - 3 * sizeof(size_t), ALIGNMENT, true);
        around[1] = zone_take_run(1, UNIT_SLAB).start;
        (void)block_free(&blocks, lone);
        size_t free_before = zone.free_units;
        assert_true(block_give_some(&blocks));
        assert_int_equal(zone.free_units, free_before + units);
        assert_false(block_give_some(&blocks));
        lock_take(&zone.lock);
        for (size_t i = 0; i < 2; i++)
            zone_give(around[i], 1);
        lock_drop(&zone.lock);
    }
}

/* A free block of a unit's size whose unit has neighbours in the heap can't go; others can. */
static void test_what_only_looks_like_a_segment(void **state)
{
    (void)state;
    (void)block_trim(&blocks);
    const size_t unit_bytes = UNIT_BYTES - 3 * sizeof(size_t);
    char *first = block_alloc(&blocks, unit_bytes, ALIGNMENT, true);
    char *second = block_alloc(&blocks, unit_bytes, ALIGNMENT, true);
    char *large = block_alloc(&blocks, 5 * UNIT_BYTES, ALIGNMENT, true);
    char *stop = block_alloc(&blocks, unit_bytes, ALIGNMENT, true);
    (void)block_free(&blocks, large);
    (void)block_free(&blocks, first);
    size_t free_before = zone.free_units;
    assert_true(block_give_some(&blocks));
    assert_true(zone.free_units >= free_before + 4);
    verify(stop);
    (void)block_free(&blocks, second);
    (void)block_free(&blocks, stop);
}

/* Blocks of a page and units for slabs, taken in turn as slab.c takes them: two such blocks do not
 * fit into a unit, but many into many. */
static void test_blocks_and_slabs_in_turn(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static void *live[COUNT], *slabs[COUNT];
    const size_t bytes = 4096;
    (void)block_trim(&blocks);
    /* So that a part of the heap is several units. */
    void *heap_before = zone_take_run((8 << 20) / UNIT_BYTES, UNIT_PRIVATE).start;
    size_t used_before = zone.owned_units - zone.free_units;

    for (int i = 0; i < COUNT; i++) {
        live[i] = block_alloc(&blocks, bytes, ALIGNMENT, true);
        /* What the heap grew by beyond its need stays. */
        if (i == 0)
            assert_false(block_give_some(&blocks));
        if (zone.dirty_units == 0)
            (void)block_give_some(&blocks);
        slabs[i] = zone_take_run(1, UNIT_SLAB).start;
    }
    size_t units = zone.owned_units - zone.free_units - used_before - COUNT;
    assert_in_range(units * UNIT_BYTES, COUNT * bytes, COUNT * bytes * 9 / 8);
    lock_take(&zone.lock);
    for (int i = 0; i < COUNT; i++)
        zone_give(slabs[i], 1);
    zone_give(heap_before, (8 << 20) / UNIT_BYTES);
    lock_drop(&zone.lock);
    for (int i = 0; i < COUNT; i++)
        (void)block_free(&blocks, live[i]);
}

static void test_everything_freed_returns_every_unit(void **state)
{
    (void)state;
    enum { COUNT = 600 };
    static char *live[COUNT];
    uint64_t random = 42;
    for (size_t step = 0; step < 40000; step++) {
        size_t i = random_below(&random, COUNT);
        if (live[i]) {
            (void)block_free(&blocks, live[i]);
            live[i] = NULL;
        } else {
            size_t align = (size_t)16 << (random_below(&random, 8) ? 0 : random_below(&random, 12));
            live[i] = block_alloc(&blocks, random_below(&random, 30000), align, true);
            assert_true(is_aligned(live[i], align));
        }
        if (step % 1000 == 0 && live[i])
            verify(live[i]);
        if (step % 500 == 0)
            block_decay(&blocks, SIZE_MAX);
    }
    for (size_t i = 0; i < COUNT; i++)
        if (live[i])
            (void)block_free(&blocks, live[i]);
    (void)block_trim(&blocks);
    for (int word = 0; word < BLOCK_LIST_WORDS; word++)
        assert_int_equal(blocks.free.list_bits[word], 0);
    assert_null(blocks.free.tree);
    assert_int_equal(zone.owned_units, zone.free_units);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_leaves_the_rest),
        cmocka_unit_test(test_no_split_below_the_least_block),
        cmocka_unit_test(test_coalescing_in_every_order),
        cmocka_unit_test(test_best_fit_above_the_lists),
        cmocka_unit_test(test_resize_in_place),
        cmocka_unit_test(test_lowest_of_equals),
        cmocka_unit_test(test_idle_blocks_go_to_the_zone),
        cmocka_unit_test(test_free_block_gives_its_units),
        cmocka_unit_test(test_free_segments_of_one_and_two_units_go),
        cmocka_unit_test(test_what_only_looks_like_a_segment),
        cmocka_unit_test(test_blocks_and_slabs_in_turn),
        cmocka_unit_test(test_everything_freed_returns_every_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
