/* Huge pages that large objects share; this test looks inside the library. */
#include "allocator/kept.h"
#include "allocator/large.h"
#include "allocator/tests/test_common.h"

#include <sys/mman.h>

static const size_t HUGE = (size_t)2 << 20, MUCH = (size_t)16 << 20, PART = (size_t)300 * 1024;

/* As after many objects that were written to the end: those of these tests are not. */
static void *trusted_alloc(size_t bytes)
{
    first_large_set.habit.written = (struct habit){.credit_bytes = MUCH};
    return large_alloc(NULL, bytes, ALIGNMENT, false, NULL);
}

static void test_objects_share_huge_pages(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    char *objects[COUNT];
    void *live = large_alloc(NULL, MUCH, ALIGNMENT, true, NULL);
    (void)large_decay(true);

    /* Side by side, across the end of the first page too. */
    for (int i = 0; i < COUNT; i++) {
        objects[i] = trusted_alloc(PART);
        assert_ptr_equal(objects[i], objects[0] + (size_t)i * PART);
    }
    assert_int_equal((uintptr_t)objects[0] % HUGE, 0);
    assert_int_equal(first_large_set.kept.bytes, 2 * HUGE - COUNT * PART);
    /* Nothing of a page in use goes, but all of one that nobody uses. */
    for (int i = 0; i < COUNT; i += 2)
        (void)large_free(NULL, objects[i], NULL);
    assert_int_equal(large_decay(true), 0);
    assert_int_equal(first_large_set.kept.bytes, 2 * HUGE - COUNT / 2 * PART);
    for (int i = 7; i < COUNT; i += 2)
        (void)large_free(NULL, objects[i], NULL);
    assert_int_equal(large_decay(true), HUGE);
    for (int i = 1; i < 7; i += 2)
        (void)large_free(NULL, objects[i], NULL);
    (void)large_decay(true);
    assert_int_equal(first_large_set.kept.bytes, 0);
    (void)large_free(NULL, live, NULL);
    (void)large_decay(true);
}

static void test_sharing_objects_grow(void **state)
{
    (void)state;
    void *live = large_alloc(NULL, MUCH, ALIGNMENT, true, NULL);
    char *first = trusted_alloc(PART);
    memset(first, 1, PART);

    /* Into what is kept behind it, and beyond the page to a mapping of its own. */
    assert_ptr_equal(large_resize(NULL, first, 2 * PART), first);
    char *behind = trusted_alloc(PART);
    assert_ptr_equal(behind, first + 2 * PART);
    char *moved = large_resize(NULL, first, 3 * PART);
    assert_true(moved && moved != first);
    for (size_t i = 0; i < PART; i++)
        assert_int_equal(moved[i], 1);
    assert_ptr_equal(trusted_alloc(PART), first);
    (void)large_free(NULL, first, NULL);
    (void)large_free(NULL, behind, NULL);
    (void)large_free(NULL, moved, NULL);
    (void)large_free(NULL, live, NULL);
    (void)large_decay(true);
    assert_int_equal(first_large_set.kept.bytes, 0);
}

/* Each object holds its number at both ends. */
static void stamp(char *object, size_t bytes, int number)
{
    memcpy(object, &number, sizeof number);
    memcpy(object + bytes - sizeof number, &number, sizeof number);
}

static bool is_stamped(const char *object, size_t bytes, int number)
{
    return memcmp(object, &number, sizeof number) == 0 &&
           memcmp(object + bytes - sizeof number, &number, sizeof number) == 0;
}

static void test_sharing_at_random(void **state)
{
    (void)state;
    enum { COUNT = 60, STEPS = 6000 };
    static struct {
        char *start;
        size_t bytes;
    } objects[COUNT];
    uint64_t random = 7;

    for (int step = 0; step < STEPS; step++) {
        int i = (int)random_below(&random, COUNT);
        size_t bytes = 128 * 1024 + random_below(&random, 1200 * 1024);
        char *start = objects[i].start;
        if (start)
            assert_true(is_stamped(start, objects[i].bytes, i));
        if (start && random_below(&random, 3) > 0) {
            assert_true(large_free(NULL, start, NULL) >= objects[i].bytes);
            objects[i].start = NULL;
            continue;
        }
        objects[i].start = start ? large_resize(NULL, start, bytes) : trusted_alloc(bytes);
        assert_non_null(objects[i].start);
        /* What is new is ours alone, and what was moved still there. */
        if (start)
            assert_memory_equal(objects[i].start, &i, sizeof i);
        objects[i].bytes = bytes;
        stamp(objects[i].start, bytes, i);
        if (step % 500 == 0)
            (void)large_decay(step % 1000 == 0);
    }
    for (int i = 0; i < COUNT; i++)
        if (objects[i].start)
            (void)large_free(NULL, objects[i].start, NULL);
    (void)large_decay(true);
    assert_int_equal(first_large_set.kept.bytes, 0);
    assert_int_equal(first_large_set.live_bytes, 0);
}

/* --- ranges that are reserved side by side --------------------------------------------------- */

static const size_t RANGE = (size_t)64 << 20;

/* Where the next range is reserved; NULL where the system likes. */
static char *reserve_at;

void *__real_mmap(void *wanted, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *wanted, size_t bytes, int protection, int flags, int file, off_t offset);

/* In mmap's place (ld --wrap): a sanitizer's run time needs the real one. */
void *__wrap_mmap(void *wanted, size_t bytes, int protection, int flags, int file, off_t offset)
{
    if (reserve_at && protection == PROT_NONE && bytes >= RANGE) {
        wanted = reserve_at;
        flags |= MAP_FIXED_NOREPLACE;
        reserve_at = NULL;
    }
    return __real_mmap(wanted, bytes, protection, flags, file, offset);
}

/* As many objects as fill a range. */
enum { FILL = 64 };

/* Reserves a range at `start` and fills it. */
static void fill(char *objects[FILL], char *start)
{
    reserve_at = start;
    for (int i = 0; i < FILL; i++) {
        objects[i] = trusted_alloc(RANGE / FILL);
        assert_ptr_equal(objects[i], start + (size_t)i * (RANGE / FILL));
        stamp(objects[i], RANGE / FILL, i);
    }
}

static void free_some(char *objects[FILL], int first, int end)
{
    for (int i = first; i < end; i++) {
        assert_true(is_stamped(objects[i], RANGE / FILL, i));
        (void)large_free(NULL, objects[i], NULL);
    }
    (void)large_decay(true);
    assert_int_equal(first_large_set.kept.bytes, 0);
}

/* The system may reserve a range that begins in what was unmapped of the end of another one. */
static void test_range_in_the_end_of_another(void **state)
{
    (void)state;
    char *below[FILL], *above[FILL];
    void *live = large_alloc(NULL, MUCH, ALIGNMENT, true, NULL);
    char *start = mmap(NULL, 3 * RANGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(munmap(start, 3 * RANGE), 0);
    start += -(uintptr_t)start & (HUGE - 1);

    fill(below, start);
    free_some(below, FILL / 2, FILL);
    fill(above, start + RANGE / 2);
    free_some(above, 0, FILL / 2);
    free_some(below, 0, FILL / 2);
    free_some(above, FILL / 2, FILL);
    (void)large_free(NULL, live, NULL);
    (void)large_decay(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* These first, before there is a range: the end of one must not come in between. */
        cmocka_unit_test(test_range_in_the_end_of_another),
        cmocka_unit_test(test_objects_share_huge_pages),
        cmocka_unit_test(test_sharing_objects_grow),
        cmocka_unit_test(test_sharing_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
