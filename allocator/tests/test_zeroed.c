/* What calloc gives of blocks: zeros, and no memory where nobody wrote before.  One case for each
 * process: what is new memory depends on what was allocated before. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "allocator/tests/test_process.h"

enum { SPARSE = 300, LIVE = 64, THREADS = 4 };

/* One way to allocate for all cases. */
struct family {
    void *(*calloc)(size_t nmemb, size_t size);
    void *(*malloc)(size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr);
};

static const struct family plain = {mem_calloc, mem_malloc, mem_realloc, mem_free};
static const struct family shared = {mem_calloc_ts, mem_malloc_ts, mem_realloc_ts, mem_free_ts};

static mem_heap_t *instance;

static void *instance_calloc(size_t nmemb, size_t size)
{
    return mem_heap_calloc(instance, nmemb, size);
}

static void *instance_malloc(size_t size)
{
    return mem_heap_malloc(instance, size);
}

static void *instance_realloc(void *ptr, size_t size)
{
    return mem_heap_realloc(instance, ptr, size);
}

static void instance_free(void *ptr)
{
    mem_heap_free(instance, ptr);
}

static const struct family of_instance = {instance_calloc, instance_malloc, instance_realloc,
                                          instance_free};

/* The pages of an object that hold memory. */
static size_t resident_pages(const char *start, size_t bytes)
{
    unsigned char pages[64];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    uintptr_t first = (uintptr_t)start & ~(page - 1);
    size_t spanned = ((uintptr_t)start + bytes - first + page - 1) / page;

    assert_true(spanned <= sizeof pages);
    assert_int_equal(mincore((void *)first, spanned * page, pages), 0);
    for (size_t i = 0; i < spanned; i++)
        count += pages[i] & 1;
    return count;
}

static void check_zeros(const unsigned char *start, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (start[i] != 0)
            fail_msg("byte %zu of %zu is %u", i, bytes, start[i]);
}

/* Objects of which the program writes the middle alone: their ends lie in pages of others. */
static void check_sparse(const struct family *family, size_t bytes)
{
    size_t resident = 0;

    for (int i = 0; i < SPARSE; i++) {
        unsigned char *start = family->calloc(1, bytes);
        assert_non_null(start);
        start[bytes / 2] = 1;
        resident += resident_pages((char *)start, bytes);
        start[bytes / 2] = 0;
        check_zeros(start, bytes);
    }
    if (!IS_SANITIZED)
        assert_in_range(resident, SPARSE, 4 * SPARSE);
}

static void test_long_blocks_hold_no_memory(void **state)
{
    (void)state;
    check_sparse(&plain, 100000);
}

/* In a heap that prefaults. */
static void test_shorter_blocks_hold_no_memory(void **state)
{
    (void)state;
    memset(mem_malloc(3 << 20), 1, 3 << 20);
    for (int i = 0; i < 4000; i++)
        memset(mem_malloc(1000), 1, 1000);
    check_sparse(&plain, 20000);
}

static void test_blocks_of_threads_hold_no_memory(void **state)
{
    (void)state;
    check_sparse(&shared, 70000);
}

static void test_blocks_of_instances_hold_no_memory(void **state)
{
    (void)state;
    instance = mem_heap_new();
    assert_non_null(instance);
    check_sparse(&of_instance, 100000);
    mem_heap_destroy(instance);
}

/* What is written after it was got, and what was freed, is never taken for new: objects are filled
 * to their usable end, shrink, grow and go in any order. */
static void check_random(const struct family *family, uint64_t seed, int steps)
{
    unsigned char *live[LIVE] = {0};
    uint64_t random = seed;

    for (int step = 0; step < steps; step++) {
        unsigned char **object = &live[random_below(&random, LIVE)];
        /* Of any order of magnitude up to the largest block. */
        size_t bytes = 1 + random_below(&random, (size_t)256 << random_below(&random, 10));
        size_t kind = random_below(&random, 8);
        if (*object && kind > 1) {
            family->free(*object);
            *object = NULL;
        } else if (*object) {
            *object = family->realloc(*object, bytes);
        } else if (kind > 3) {
            *object = family->malloc(bytes);
        } else {
            *object = family->calloc(1, bytes);
            check_zeros(*object, bytes);
        }
        if (*object)
            memset(*object, 0xa5, mem_usable_size(*object));
        if (random_below(&random, 512) == 0)
            (void)(random_below(&random, 2) ? mem_trim() : mem_idle());
    }
    for (int i = 0; i < LIVE; i++)
        family->free(live[i]);
}

static void test_random_blocks_are_zero(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        check_random(&plain, seed, 5000);
}

static void test_random_blocks_of_instances_are_zero(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        instance = mem_heap_new();
        assert_non_null(instance);
        check_random(&of_instance, seed, 5000);
        mem_heap_destroy(instance);
    }
}

static void *run_thread(void *seed)
{
    check_random(&shared, *(uint64_t *)seed, 5000);
    return NULL;
}

static void test_random_blocks_of_threads_are_zero(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS] = {1, 2, 3, 4};

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, &seeds[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_blocks_hold_no_memory),
        cmocka_unit_test(test_shorter_blocks_hold_no_memory),
        cmocka_unit_test(test_blocks_of_threads_hold_no_memory),
        cmocka_unit_test(test_blocks_of_instances_hold_no_memory),
        cmocka_unit_test(test_random_blocks_are_zero),
        cmocka_unit_test(test_random_blocks_of_instances_are_zero),
        cmocka_unit_test(test_random_blocks_of_threads_are_zero),
    };
    /* Where the system gives huge pages unasked any page brings others with it. */
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
