/* Several block heaps with a lock each, and purging many ranges at once; this test looks inside the
 * library. */
#include <sys/mman.h>

#include "allocator/arena.h"
#include "allocator/tests/test_common.h"

/* A heap that finds its arena locked waits for it, but not for ever. */
static void test_a_heap_goes_on_in_the_end(void **state)
{
    (void)state;
    enum { MOST = 100 };
    struct place place = {0};
    struct block_heap *arena = &first_arena;
    int waits = 0;

    if (os_processors() == 1)
        skip();
    while (arena == &first_arena && waits < MOST) {
        arena = arena_take_slow(&place);
        lock_drop(&arena->lock);
        waits++;
    }
    assert_in_range(waits, 2, MOST - 1);
    assert_ptr_equal(arena, arena_at(1));
    assert_ptr_equal(arena_take(&place), arena_at(1));

    /* What was taken there goes back there. */
    void *ptr = block_alloc(arena, 20000, ALIGNMENT, true);
    lock_drop(&arena->lock);
    assert_ptr_equal(arena_of(ptr), arena);
    mem_free_ts(ptr);
    (void)mem_trim();
    assert_false(zone_is_block(zone_kind(ptr)));
}

static void test_others_are_asked_before_one_grows(void **state)
{
    (void)state;
    if (os_processors() == 1)
        skip();
    assert_true(places_use(&arena_places, 1));
    struct place place = {.index = 1};
    struct block_heap *second = arena_take(&place);
    assert_int_equal(place.index, 1);
    assert_ptr_equal(second, arena_at(1));
    char *hole = block_alloc(second, 30000, ALIGNMENT, true);
    char *stop = block_alloc(second, 100, ALIGNMENT, true);
    (void)block_free(second, hole);
    lock_drop(&second->lock);

    size_t free_units = zone.free_units;
    assert_ptr_equal(arena_alloc_elsewhere(0, 30000, ALIGNMENT, false), hole);
    assert_null(arena_alloc_elsewhere(0, 100000, ALIGNMENT, true));
    assert_null(arena_alloc_elsewhere(1, 100000, ALIGNMENT, true));
    assert_int_equal(zone.free_units, free_units);
    (void)block_free(second, hole);
    (void)block_free(second, stop);
}

static void test_many_ranges_are_purged(void **state)
{
    (void)state;
    enum { RANGES = 2 * OS_PURGE_MOST + 5 };
    size_t page = os_page_bytes();
    char *memory =
        mmap(NULL, 2 * RANGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct os_purge purge = {.count = 0};
    assert_true(memory != MAP_FAILED);
    memset(memory, 1, 2 * RANGES * page);

    for (size_t i = 0; i < RANGES; i++)
        os_purge_add(&purge, memory + 2 * i * page, page);
    os_purge_finish(&purge);
    assert_int_equal(purge.count, 0);
    for (size_t i = 0; i < RANGES; i++) {
        assert_int_equal(memory[2 * i * page], 0);
        assert_int_equal(memory[(2 * i + 1) * page], 1);
        assert_int_equal(memory[(2 * i + 2) * page - 1], 1);
    }
    assert_int_equal(munmap(memory, 2 * RANGES * page), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_heap_goes_on_in_the_end),
        cmocka_unit_test(test_others_are_asked_before_one_grows),
        cmocka_unit_test(test_many_ranges_are_purged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
