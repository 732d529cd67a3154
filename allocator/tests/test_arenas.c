/* Several block heaps with a lock each, and purging many ranges at once; this test looks inside the
 * library. */
#include <pthread.h>
#include <sys/mman.h>

#include "allocator/arena.h"
#include "allocator/tests/test_common.h"

static void *allocate_block(void *size)
{
    return mem_malloc_ts((size_t)(uintptr_t)size);
}

static void *allocate_in_another_thread(size_t size)
{
    pthread_t thread;
    void *ptr;

    assert_int_equal(pthread_create(&thread, NULL, allocate_block, (void *)(uintptr_t)size), 0);
    assert_int_equal(pthread_join(thread, &ptr), 0);
    return ptr;
}

static void test_nobody_waits_for_a_taken_arena(void **state)
{
    (void)state;
    if (os_processors() == 1)
        skip();
    /* A heap of its own for this thread, not that of the one that ends. */
    mem_free_ts(mem_malloc_ts(1));
    lock_take(&arenas[0].lock);
    void *ptr = allocate_in_another_thread(20000);
    lock_drop(&arenas[0].lock);
    assert_non_null(ptr);
    assert_ptr_equal(arena_of(ptr), &arenas[1]);

    /* It goes back to where it came from, whoever frees it. */
    void *own = mem_malloc_ts(20000);
    assert_ptr_equal(arena_of(own), &arenas[0]);
    mem_free_ts(own);
    mem_free_ts(ptr);
    (void)mem_trim();
    assert_false(zone_is_block(zone_kind(ptr)));
}

static void test_others_are_asked_before_one_grows(void **state)
{
    (void)state;
    if (os_processors() == 1)
        skip();
    unsigned index = 0;
    struct block_heap *second = arena_take_next(&index);
    assert_int_equal(index, 1);
    char *hole = block_alloc(second, 30000, ALIGNMENT, true);
    char *stop = block_alloc(second, 100, ALIGNMENT, true);
    (void)block_free(second, hole);
    lock_drop(&second->lock);

    size_t free_units = zone.free_units;
    assert_ptr_equal(arena_alloc_elsewhere(0, 30000, ALIGNMENT), hole);
    assert_null(arena_alloc_elsewhere(1, 100000, ALIGNMENT));
    assert_int_equal(zone.free_units, free_units);
    (void)block_free(second, hole);
    (void)block_free(second, stop);
}

static void test_many_ranges_are_purged(void **state)
{
    (void)state;
    enum { RANGES = 2 * OS_PURGE_MOST + 5 };
    size_t page = os_page_bytes();
    char *memory = mmap(NULL, 2 * RANGES * page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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
        cmocka_unit_test(test_nobody_waits_for_a_taken_arena),
        cmocka_unit_test(test_others_are_asked_before_one_grows),
        cmocka_unit_test(test_many_ranges_are_purged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
