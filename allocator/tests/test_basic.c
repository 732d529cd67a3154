/* The contract of allocator.h for single calls: sizes at the edges, failures, zeroing, alignment,
 * both families. */
#include <errno.h>
#include <valgrind/valgrind.h>

#include "allocator/tests/test_common.h"

static void test_owners_example(void **state)
{
    (void)state;
    char *text = mem_malloc(100);
    assert_non_null(text);
    strcpy(text, "Hello, allocator");
    text = mem_realloc(text, 200);
    assert_non_null(text);
    strcat(text, " and more");
    assert_string_equal(text, "Hello, allocator and more");
    mem_free(text);
}

static void test_all_sizes_are_aligned_and_writable(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300000; size = size < 2100 ? size + 1 : size + size / 7) {
        unsigned char *ptr = mem_malloc(size);
        assert_non_null(ptr);
        assert_true(is_aligned(ptr, ALIGNMENT));
        assert_true(mem_usable_size(ptr) >= size);
        memset(ptr, 0xA5, mem_usable_size(ptr));
        mem_free(ptr);
    }
}

static void test_null_and_zero(void **state)
{
    (void)state;
    mem_free(NULL);
    mem_free_ts(NULL);
    assert_int_equal(mem_usable_size(NULL), 0);

    void *a = mem_malloc(opaque(0));
    void *b = mem_malloc(opaque(0));
    void *c = mem_calloc(opaque(0), 8);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(b, c);
    mem_free(a);
    mem_free(b);
    mem_free(c);

    void *ptr = mem_realloc(NULL, 10);
    assert_non_null(ptr);
    assert_null(mem_realloc(ptr, opaque(0)));
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = {
        SIZE_MAX,   SIZE_MAX - 7, SIZE_MAX - 15, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
        PTRDIFF_MAX};
    char *live = mem_malloc(50);

    strcpy(live, "untouched");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = opaque(sizes[i]);
        errno = 0;
        assert_null(mem_malloc(size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(mem_malloc_ts(size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(mem_calloc(1, size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(mem_aligned_alloc(4096, size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(mem_realloc(live, size));
        assert_int_equal(errno, ENOMEM);
        assert_string_equal(live, "untouched");
    }
    mem_free(live);
}

static void test_calloc_overflow(void **state)
{
    (void)state;
    errno = 0;
    assert_null(mem_calloc(opaque(SIZE_MAX / 2 + 1), opaque(2)));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(mem_calloc_ts(opaque((size_t)1 << 33), opaque((size_t)1 << 33)));
    assert_int_equal(errno, ENOMEM);
}

static void test_calloc_zeroes_used_memory(void **state)
{
    (void)state;
    for (size_t size = 1; size < 200000; size = size * 3 + 1) {
        unsigned char *dirty = mem_malloc(size);
        memset(dirty, 0xFF, size);
        mem_free(dirty);
        unsigned char *clean = mem_calloc(1, size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(clean[i], 0);
        mem_free(clean);
    }
}

/* All of a small object, and nothing beside it. */
static void test_calloc_clears_no_more_than_its_object(void **state)
{
    (void)state;
    enum { NEIGHBOURS = 32 };

    for (size_t size = 0; size <= 1100; size++) {
        unsigned char *objects[NEIGHBOURS];
        for (size_t i = 0; i < NEIGHBOURS; i++) {
            objects[i] = mem_malloc(size);
            memset(objects[i], 0xA5, mem_usable_size(objects[i]));
        }
        for (size_t i = 1; i < NEIGHBOURS; i += 2) {
            mem_free(objects[i]);
            objects[i] = i % 4 == 1 ? mem_calloc(1, size) : mem_calloc_ts(size, 1);
            for (size_t byte = 0; byte < size; byte++)
                assert_int_equal(objects[i][byte], 0);
        }
        for (size_t i = 0; i < NEIGHBOURS; i++) {
            size_t usable = i % 2 ? 0 : mem_usable_size(objects[i]);
            for (size_t byte = 0; byte < usable; byte++)
                assert_int_equal(objects[i][byte], 0xA5);
            mem_free(objects[i]);
        }
    }
}

/* Blocks that were freed serve aligned requests too, but only those that are aligned. */
static void test_freed_blocks_keep_to_the_alignment(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    char *live[COUNT];

    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t alignment = (size_t)16 << (i + (size_t)round) % 6, size = 3000 + 16 * (i % 4);
            live[i] = mem_aligned_alloc(alignment, size);
            assert_true(is_aligned(live[i], alignment));
            memset(live[i], (int)i, size);
        }
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(live[i][0], i);
            assert_int_equal(live[i][2999], i);
            mem_free(live[i]);
        }
    }
}

static void test_alignments_to_one_gib(void **state)
{
    (void)state;
    /* Valgrind paints every reserved byte, which takes seconds for a GiB. */
    size_t largest = RUNNING_ON_VALGRIND ? (size_t)1 << 22 : (size_t)1 << 30;

    for (size_t alignment = 1; alignment <= largest; alignment *= 2) {
        const size_t sizes[] = {0, 1, 24, 1000, 5000, 100000, 200000};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            char *ptr = mem_aligned_alloc(alignment, sizes[i]);
            assert_non_null(ptr);
            assert_true(is_aligned(ptr, alignment));
            assert_true(is_aligned(ptr, ALIGNMENT));
            memset(ptr, 1, sizes[i]);
            ptr = mem_realloc(ptr, sizes[i] + 100);
            assert_non_null(ptr);
            if (sizes[i])
                assert_int_equal(ptr[sizes[i] - 1], 1);
            mem_free(ptr);
        }
    }
}

static void test_bad_alignments(void **state)
{
    (void)state;
    const size_t bad[] = {0, 3, 24, 4097, SIZE_MAX};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_null(mem_aligned_alloc(opaque(bad[i]), 16));
        assert_int_equal(errno, EINVAL);
        errno = 0;
        assert_null(mem_aligned_alloc_ts(opaque(bad[i]), 16));
        assert_int_equal(errno, EINVAL);
    }
    errno = 0;
    assert_null(mem_aligned_alloc(opaque(SIZE_MAX / 2 + 1), 16));
    assert_int_equal(errno, ENOMEM);
}

static void test_free_preserves_errno(void **state)
{
    (void)state;
    void *small = mem_malloc(40);
    void *middle = mem_malloc(60000);
    void *large = mem_malloc(1000000);

    errno = 12345;
    mem_free(small);
    mem_free(middle);
    mem_free(large);
    assert_int_equal(errno, 12345);
}

static void test_families_mix(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 100, 3000, 50000, 500000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *ptr = mem_malloc(sizes[i]);
        memset(ptr, 7, sizes[i]);
        ptr = mem_realloc_ts(ptr, 2 * sizes[i]);
        assert_int_equal(ptr[sizes[i] - 1], 7);
        mem_free_ts(ptr);
        ptr = mem_calloc_ts(1, sizes[i]);
        ptr = mem_realloc(ptr, sizes[i] / 2 + 1);
        assert_int_equal(ptr[sizes[i] / 2], 0);
        mem_free(ptr);
        ptr = mem_aligned_alloc_ts(64, sizes[i]);
        assert_true(is_aligned(ptr, 64));
        mem_free(ptr);
    }
}

static void test_version_and_constants(void **state)
{
    (void)state;
    assert_string_equal(ALLOCATOR_VERSION, "0.1.0");
    assert_int_equal(MMAP_THRESHOLD, 131072);
    assert_int_equal(BRK_INCREMENT, 65536);
    assert_int_equal(NUM_SIZE_CLASSES, 10);
    assert_int_equal(MIN_BLOCK_SIZE, 32);
    assert_int_equal(ALIGNMENT, 16);
}

/* Blocks of no bytes don't change what serves mem_malloc(0). */
static void test_many_aligned_objects_of_no_bytes(void **state)
{
    (void)state;
    enum { COUNT = 1100, OF_EACH_SIZE = 64 };
    static void *live[COUNT];

    /* Objects of all sizes in the front: where it is read beside a bin there are addresses. */
    for (size_t bytes = 16; bytes <= 1024; bytes += 16) {
        for (int i = 0; i < OF_EACH_SIZE; i++)
            assert_non_null(live[i] = mem_malloc(bytes));
        for (int i = 0; i < OF_EACH_SIZE; i++)
            mem_free(live[i]);
    }
    for (int i = 0; i < COUNT; i++)
        assert_non_null(live[i] = mem_aligned_alloc(4096, 0));
    void *first = mem_malloc(0), *second = mem_malloc(0);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    mem_free(first);
    mem_free(second);
    for (int i = 0; i < COUNT; i++)
        mem_free(live[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owners_example),
        cmocka_unit_test(test_all_sizes_are_aligned_and_writable),
        cmocka_unit_test(test_null_and_zero),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_calloc_overflow),
        cmocka_unit_test(test_calloc_zeroes_used_memory),
        cmocka_unit_test(test_calloc_clears_no_more_than_its_object),
        cmocka_unit_test(test_freed_blocks_keep_to_the_alignment),
        cmocka_unit_test(test_alignments_to_one_gib),
        cmocka_unit_test(test_bad_alignments),
        cmocka_unit_test(test_free_preserves_errno),
        cmocka_unit_test(test_families_mix),
        cmocka_unit_test(test_version_and_constants),
        cmocka_unit_test(test_many_aligned_objects_of_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
