/* What a block heap knows to be zero; this test looks inside the library.  One case for each
 * process, for what is new memory depends on what was taken before. */
#include "allocator/tests/block_verify.h"
#include "allocator/tests/test_process.h"
#include "allocator/zone.h"

static struct block_heap blocks;

/* So many units behind a zone of which a part is several units: the block heap grows by more than
 * its need. */
static void enlarge_zone(void)
{
    assert_non_null(zone_take_run((16 << 20) / UNIT_BYTES, UNIT_PRIVATE).start);
}

/* Allocates a block of `bytes`, checks what is said to be zero in it, returns how much that is in
 * *zeros, and writes all of it. */
static unsigned char *take(size_t bytes, size_t *zeros)
{
    struct block_zeros range = {0, 0};
    unsigned char *ptr = block_alloc_zeros(&blocks, bytes, ALIGNMENT, true, &range);

    assert_non_null(ptr);
    *zeros = 0;
    for (size_t i = 0; i < bytes; i++) {
        uintptr_t address = (uintptr_t)ptr + i;
        if (address < range.start || address >= range.end)
            continue;
        (*zeros)++;
        if (ptr[i] != 0)
            fail_msg("byte %zu of %zu is %u", i, bytes, ptr[i]);
    }
    memset(ptr, 0xa5, block_usable(ptr));
    return ptr;
}

static void test_new_units_are_zeros(void **state)
{
    (void)state;
    const size_t bytes = 10 * UNIT_BYTES;
    size_t zeros;

    enlarge_zone();
    (void)take(bytes, &zeros);
    assert_int_equal(zeros, bytes);
    /* What is left of these units, up to the links that lay there. */
    (void)take(bytes / 2, &zeros);
    assert_in_range(zeros, bytes / 2 - MEM_MIN_BLOCK_SIZE, bytes / 2);
    /* The rest of them and new ones. */
    (void)take(bytes, &zeros);
    assert_in_range(zeros, bytes - MEM_MIN_BLOCK_SIZE, bytes);
}

static void test_used_memory_is_not(void **state)
{
    (void)state;
    size_t zeros;
    unsigned char *ptr = take(20000, &zeros);

    (void)take(100, &zeros);
    (void)block_free(&blocks, ptr);
    assert_ptr_equal(take(20000, &zeros), ptr);
    assert_int_equal(zeros, 0);
}

static void test_units_that_others_had_are_not(void **state)
{
    (void)state;
    const size_t units = 8;
    size_t zeros;
    void *others = zone_take_run(units, UNIT_PRIVATE).start;

    memset(others, 0xa5, units * UNIT_BYTES);
    lock_take(&zone.lock);
    zone_give(others, units);
    lock_drop(&zone.lock);
    assert_true((char *)take(units * UNIT_BYTES - 100, &zeros) < (char *)others + UNIT_BYTES);
    assert_int_equal(zeros, 0);
}

static void test_a_block_grows_into_them(void **state)
{
    (void)state;
    size_t zeros;

    enlarge_zone();
    unsigned char *ptr = take(3000, &zeros);
    assert_true(block_resize(&blocks, ptr, 40000));
    memset(ptr, 0xa5, block_usable(ptr));
    (void)block_free(&blocks, ptr);
    assert_ptr_equal(take(60000, &zeros), ptr);
    assert_in_range(zeros, 60000 - 40000 - 100, 60000 - 40000);
}

/* Where the units behind it go the end of a free block lies in new memory. */
static void test_units_go(void **state)
{
    (void)state;
    size_t zeros;

    enlarge_zone();
    unsigned char *ptr = take(UNIT_BYTES / 2, &zeros);
    size_t free_units = zone.free_units;
    (void)block_trim(&blocks);
    assert_true(zone.free_units > free_units);
    /* All that is left. */
    unsigned char *rest = ptr + block_usable(ptr) + sizeof(size_t);
    size_t left = (size_t)(-(uintptr_t)rest & (UNIT_BYTES - 1)) - sizeof(size_t);
    assert_ptr_equal(take(left, &zeros), rest);
}

static void test_random(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    unsigned char *live[COUNT] = {0};
    uint64_t random = 1;
    size_t zeros, sum = 0;

    enlarge_zone();
    for (int step = 0; step < 20000; step++) {
        unsigned char **object = &live[random_below(&random, COUNT)];
        size_t bytes = 1 + random_below(&random, (size_t)256 << random_below(&random, 10));
        if (!*object) {
            *object = take(bytes, &zeros);
            sum += zeros;
        } else if (random_below(&random, 3) > 0) {
            (void)block_free(&blocks, *object);
            *object = NULL;
        } else if (block_resize(&blocks, *object, bytes)) {
            memset(*object, 0xa5, block_usable(*object));
        }
        if (step % 256 == 0) {
            (void)block_trim(&blocks);
            /* Nobody else ever has these: the next growth is new. */
            (void)zone_take_run(zone.free_units / 2 + 1, UNIT_PRIVATE).start;
        }
        if (step % 1000 == 0 && *object)
            assert_null(block_verify(&blocks, *object));
    }
    assert_true(sum > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_units_are_zeros),
        cmocka_unit_test(test_used_memory_is_not),
        cmocka_unit_test(test_units_that_others_had_are_not),
        cmocka_unit_test(test_a_block_grows_into_them),
        cmocka_unit_test(test_units_go),
        cmocka_unit_test(test_random),
    };
    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
