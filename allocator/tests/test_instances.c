/* Heap instances: their objects are theirs, and all of them end with the heap. */
#include <pthread.h>
#include <valgrind/valgrind.h>

#include "allocator/tests/test_process.h"

enum { KINDS = 7 };
/* Slabs, blocks and mappings. */
static const size_t kind_bytes[KINDS] = {1, 40, 400, 900, 5000, 70000, 300000};

static void *fill(mem_heap_t *heap, size_t bytes, int value)
{
    void *ptr = mem_heap_malloc(heap, bytes);

    assert_non_null(ptr);
    assert_true(mem_usable_size(ptr) >= bytes);
    return memset(ptr, value, bytes);
}

static void expect_filled(const void *ptr, size_t bytes, int value)
{
    const unsigned char *text = ptr;

    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(text[i], value);
}

static void test_calls_do_what_those_without_a_heap_do(void **state)
{
    (void)state;
    mem_heap_t *heap = mem_heap_new();

    assert_non_null(heap);
    for (int kind = 0; kind < KINDS; kind++) {
        size_t bytes = kind_bytes[kind];
        char *ptr = fill(heap, bytes, kind);
        ptr = mem_heap_realloc(heap, ptr, 3 * bytes);
        expect_filled(ptr, bytes, kind);
        ptr = mem_heap_realloc(heap, ptr, bytes);
        expect_filled(ptr, bytes, kind);
        mem_heap_free(heap, ptr);

        ptr = mem_heap_calloc(heap, bytes, 3);
        expect_filled(ptr, 3 * bytes, 0);
        mem_heap_free(heap, ptr);

        ptr = mem_heap_aligned_alloc(heap, 4096, bytes);
        assert_true(is_aligned(ptr, 4096));
        mem_heap_free(heap, ptr);
    }
    mem_heap_free(heap, NULL);
    assert_null(mem_heap_malloc(heap, opaque(SIZE_MAX)));
    assert_null(mem_heap_calloc(heap, opaque(SIZE_MAX / 2), 3));
    assert_null(mem_heap_aligned_alloc(heap, 3, 100));
    mem_heap_destroy(heap);
    mem_heap_destroy(NULL);
}

static void test_destroying_frees_everything(void **state)
{
    (void)state;
    enum { OBJECTS = 300 };
    mem_stats_t before = mem_get_stats();
    struct process_memory start = {0}, full, end;

    /* The first round leaves tables behind that the others use again. */
    for (int round = 0; round < 20; round++) {
        mem_heap_t *heap = mem_heap_new();
        for (int i = 0; i < OBJECTS; i++) {
            void *ptr = fill(heap, kind_bytes[i % KINDS], i);
            if (i % 5 == 0)
                mem_heap_free(heap, ptr);
        }
        full = process_memory();
        mem_heap_destroy(heap);
        (void)mem_trim();
        end = process_memory();
        if (round == 0)
            start = end;
    }
    mem_stats_t after = mem_get_stats();
    assert_int_equal(after.current_usage, before.current_usage);
    assert_int_equal(after.num_allocations - before.num_allocations, 20 * OBJECTS);
    assert_int_equal(after.num_frees - before.num_frees, 20 * OBJECTS);
    if (IS_SANITIZED || RUNNING_ON_VALGRIND)
        return;
    assert_true(full.resident_bytes > start.resident_bytes + (8 << 20));
    assert_true(end.resident_bytes < start.resident_bytes + (1 << 20));
    assert_true(end.mapped_bytes < start.mapped_bytes + (1 << 20));
}

static void test_heaps_leave_each_other_alone(void **state)
{
    (void)state;
    enum { HEAPS = 3, OBJECTS = 4000 };
    mem_heap_t *heaps[HEAPS];
    static unsigned char *live[HEAPS][OBJECTS];
    static unsigned char *plain[OBJECTS];
    static size_t bytes[OBJECTS];
    uint64_t random = 11;

    for (int h = 0; h < HEAPS; h++)
        heaps[h] = mem_heap_new();
    for (int i = 0; i < OBJECTS; i++) {
        bytes[i] = 1 + random_below(&random, i % 100 ? 3000 : 200000);
        for (int h = 0; h < HEAPS; h++)
            live[h][i] = fill(heaps[h], bytes[i], h + i);
        plain[i] = mem_malloc(bytes[i]);
        memset(plain[i], i, bytes[i]);
        if (i % 3 == 0) {
            mem_heap_free(heaps[i % HEAPS], live[i % HEAPS][i]);
            live[i % HEAPS][i] = NULL;
        }
    }
    for (int h = 0; h < HEAPS; h++) {
        for (int i = 0; i < OBJECTS; i++)
            for (int other = h; other < HEAPS; other++)
                if (live[other][i])
                    expect_filled(live[other][i], bytes[i] < 64 ? bytes[i] : 64, (other + i) & 255);
        mem_heap_destroy(heaps[h]);
        /* What comes into the place of the destroyed heap must not meet the others. */
        mem_heap_t *successor = mem_heap_new();
        for (int i = 0; i < OBJECTS; i += 7)
            (void)fill(successor, bytes[i], 99);
        mem_heap_destroy(successor);
    }
    for (int i = 0; i < OBJECTS; i++) {
        expect_filled(plain[i], bytes[i] < 64 ? bytes[i] : 64, i & 255);
        mem_free(plain[i]);
    }
}

static void *use_a_heap(void *argument)
{
    uint64_t random = *(uint64_t *)argument;

    for (int round = 0; round < 30; round++) {
        mem_heap_t *heap = mem_heap_new();
        for (int i = 0; i < 500; i++) {
            size_t bytes = 1 + random_below(&random, 9000);
            char *ptr = mem_heap_malloc(heap, bytes);
            memset(ptr, i, bytes);
            if (i % 2)
                mem_heap_free(heap, ptr);
        }
        mem_heap_destroy(heap);
    }
    return NULL;
}

static void test_threads_with_heaps_of_their_own(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS] = {1, 2, 3, 4};

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_a_heap, &seeds[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void test_idle_gives_back_what_plain_calls_hold(void **state)
{
    (void)state;
    enum { OBJECTS = 20000, BYTES = 500 };
    static void *live[OBJECTS];

    if (IS_SANITIZED || RUNNING_ON_VALGRIND)
        skip();
    (void)mem_idle();
    struct process_memory start = process_memory();
    for (int i = 0; i < OBJECTS; i++)
        live[i] = memset(mem_malloc(BYTES), 1, BYTES);
    for (int i = 0; i < OBJECTS; i++)
        mem_free(live[i]);
    assert_true(mem_idle() > 0);
    struct process_memory end = process_memory();
    /* Nothing is held back: no front keeps a slab. */
    assert_true(end.resident_bytes < start.resident_bytes + (512 << 10));
    assert_int_equal(mem_idle(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_do_what_those_without_a_heap_do),
        cmocka_unit_test(test_destroying_frees_everything),
        cmocka_unit_test(test_heaps_leave_each_other_alone),
        cmocka_unit_test(test_threads_with_heaps_of_their_own),
        cmocka_unit_test(test_idle_gives_back_what_plain_calls_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
