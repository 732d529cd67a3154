/* Credit for memory in huge pages, and what the zone does with it; this test looks inside the
 * library.  One case for each process. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "allocator/habit.h"
#include "allocator/large.h"
#include "allocator/os.h"
#include "allocator/tests/test_child.h"
#include "allocator/tests/test_process.h"
#include "allocator/zone.h"

enum { PAGES = 64, LONG_BYTES = 100000 };

static char *new_range(size_t pages)
{
    char *start = os_map(pages * os_page_bytes(), 0);

    assert_non_null(start);
    return start;
}

static void write_pages(char *start, size_t bytes)
{
    for (size_t byte = 0; byte < bytes; byte += os_page_bytes())
        start[byte] = 1;
}

/* Notes a fresh range, of which the first `written` pages are written afterwards. */
static char *note_range(struct habit *habit, size_t pages, size_t written)
{
    char *start = new_range(pages);

    habit_note(habit, start, pages * os_page_bytes());
    write_pages(start, written * os_page_bytes());
    return start;
}

static void test_credit(void **state)
{
    (void)state;
    const size_t page = os_page_bytes(), range = PAGES * page;
    struct habit habit = {0};

    note_range(&habit, PAGES, PAGES);
    /* Nobody knows yet what becomes of it. */
    assert_int_equal(habit.credit_bytes, 0);
    note_range(&habit, PAGES, PAGES - 1);
    assert_int_equal(habit.credit_bytes, 4 * range);
    note_range(&habit, PAGES, 0);
    assert_int_equal(habit.credit_bytes, 4 * range + 4 * (range - page) - 18 * page);
    note_range(&habit, PAGES, PAGES);
    assert_int_equal(habit.credit_bytes, 0);
    note_range(&habit, PAGES, PAGES);
    assert_int_equal(habit.credit_bytes, 4 * range);

    /* Half of what there is. */
    assert_true(habit_allows(&habit, range, range));
    assert_int_equal(habit.credit_bytes, range);
    assert_false(habit_allows(&habit, range + 1, SIZE_MAX));
    habit_spend(&habit, range - page);
    assert_int_equal(habit.credit_bytes, page);
}

static void test_only_whole_pages_count(void **state)
{
    (void)state;
    const size_t page = os_page_bytes();
    struct habit habit = {0};
    char *start = new_range(4);

    /* The second and the third page. */
    habit_note(&habit, start + 1, 4 * page - 2);
    write_pages(start + page, 2 * page);
    /* None: it tells nothing, and is not looked at either. */
    habit_note(&habit, start + 1, page);
    assert_int_equal(habit.credit_bytes, 0);
    note_range(&habit, 1, 0);
    assert_int_equal(habit.credit_bytes, 4 * 2 * page);
}

/* Of a long range the end is looked at, which programs leave, and stands for all of it. */
static void test_the_end_counts(void **state)
{
    (void)state;
    enum { LONG = 2 * OS_COUNT_MOST };
    struct habit habit = {0};

    char *start = note_range(&habit, LONG, 0);
    write_pages(start + OS_COUNT_MOST * os_page_bytes(), OS_COUNT_MOST * os_page_bytes());
    note_range(&habit, LONG, OS_COUNT_MOST);
    assert_int_equal(habit.credit_bytes, 4 * LONG * os_page_bytes());
    note_range(&habit, 1, 0);
    assert_int_equal(habit.credit_bytes, 0);
}

/* What is gone says nothing about anything. */
static void test_unmapped_ranges(void **state)
{
    (void)state;
    struct habit habit = {0};

    note_range(&habit, PAGES, PAGES);
    char *gone = note_range(&habit, PAGES, 0);
    size_t credit = habit.credit_bytes;
    assert_true(credit > 0);
    /* Before, or it may lie where that one was. */
    char *next = new_range(PAGES);
    os_unmap(gone, PAGES * os_page_bytes());
    habit_note(&habit, next, PAGES * os_page_bytes());
    assert_int_equal(habit.credit_bytes, credit);
}

/* What is about to lose its memory is looked at before, and once. */
static void test_ranges_that_are_purged(void **state)
{
    (void)state;
    const size_t page = os_page_bytes(), range = PAGES * page;
    struct habit habit = {0};

    char *start = note_range(&habit, PAGES, PAGES);
    habit_look(&habit, start - range, range);
    habit_look(&habit, start + range, range);
    assert_int_equal(habit.credit_bytes, 0);
    habit_look(&habit, start + range - page, 8 * page);
    assert_int_equal(habit.credit_bytes, 4 * range);
    habit_look(&habit, start, range);
    note_range(&habit, PAGES, 0);
    assert_int_equal(habit.credit_bytes, 4 * range);
}

/* Allocates blocks until the zone has so many bytes; returns how many times it grew by units that
 * count as dirty at once, as those in huge pages do. */
static unsigned grow_to(size_t bytes, size_t block_bytes, bool writes)
{
    unsigned huge_steps = 0;

    while (zone.owned_units << UNIT_SHIFT < bytes) {
        size_t owned = zone.owned_units, dirty = zone.dirty_units;
        char *block = mem_malloc(block_bytes);
        assert_non_null(block);
        if (writes)
            write_pages(block, block_bytes);
        if (zone.owned_units > owned && zone.dirty_units - dirty >= OS_HUGE_BYTES / 2 >> UNIT_SHIFT)
            huge_steps++;
    }
    return huge_steps;
}

#define MIB ((size_t)1 << 20)

static void test_written_blocks_get_huge_pages(void **state)
{
    (void)state;
    assert_int_equal(grow_to(11 * MIB, LONG_BYTES, true), 0);
    /* Each such step is two of the 20 MiB, and most of them are. */
    assert_in_range(grow_to(32 * MIB, LONG_BYTES, true), 5, 11);
}

static void test_sparse_blocks_do_not(void **state)
{
    (void)state;
    assert_int_equal(grow_to(64 * MIB, LONG_BYTES, false), 0);
}

static void test_sparse_buffers_do_not(void **state)
{
    (void)state;
    assert_int_equal(grow_to(64 * MIB, 20000, false), 0);
}

/* How many of some blocks have all of their memory before they are written, which they are then or
 * are not. */
static unsigned count_filled(size_t bytes, bool zeroed, bool writes)
{
    enum { BLOCKS = 20 };
    unsigned filled = 0;

    for (int i = 0; i < BLOCKS; i++) {
        char *block = zeroed ? mem_calloc(1, bytes) : mem_malloc(bytes);
        assert_non_null(block);
        uintptr_t first = os_round_to_page((uintptr_t)block);
        uintptr_t end = ((uintptr_t)block + bytes) & ~(os_page_bytes() - 1);
        size_t resident;
        assert_true(os_count_resident((void *)first, end - first, &resident));
        filled += resident * os_page_bytes() == end - first;
        if (writes)
            write_pages(block, bytes);
    }
    return filled;
}

/* Long before there are huge pages. */
static void check_filling(size_t bytes)
{
    assert_int_equal(grow_to(2 * MIB, 200, true), 0);
    /* Four of five, but for the first ones. */
    assert_in_range(count_filled(bytes, false, true), 13, 16);
    assert_int_equal(count_filled(bytes, true, false), 0);
    assert_in_range(count_filled(bytes, false, true), 13, 16);
    /* Up to the one that shows it. */
    assert_in_range(count_filled(bytes, false, false), 0, 5);
    assert_int_equal(count_filled(bytes, false, false), 0);
}

static void test_written_blocks_are_filled(void **state)
{
    (void)state;
    check_filling(LONG_BYTES);
}

static void test_written_objects_are_filled(void **state)
{
    (void)state;
    check_filling(200000);
}

/* An object that grows elsewhere was looked at before. */
static void test_objects_that_move_are_looked_at(void **state)
{
    (void)state;
    const size_t bytes = 200000;

    assert_int_equal(grow_to(2 * MIB, 200, true), 0);
    char *object = mem_malloc(bytes);
    assert_non_null(object);
    write_pages(object, bytes);
    assert_non_null(mem_realloc(object, 20 * bytes));
    assert_in_range(zone.habit.credit_bytes, 4 * (bytes - os_page_bytes()), 5 * bytes);
}

/* Nor do those that got their memory ahead of need, which shows nothing. */
static void test_populated_runs_prove_nothing(void **state)
{
    (void)state;
    assert_int_equal(grow_to(11 * MIB, 12000, false), 0);
    assert_int_equal(zone.habit.credit_bytes, 0);
}

/* Large objects show the habit as well, and count for how large a process is.  A program that then
 * stops to write what it asks for has huge pages for half as much again at most. */
static void test_credit_ends(void **state)
{
    (void)state;
    enum { OBJECTS = 24 };
    char *large[OBJECTS];

    assert_int_equal(grow_to(4 * MIB, 200, true), 0);
    for (size_t i = 0; i < OBJECTS; i++) {
        large[i] = mem_malloc(MIB / 2);
        assert_non_null(large[i]);
        write_pages(large[i], MIB / 2);
    }
    assert_in_range(zone.habit.credit_bytes, 4 * MIB, 4 * OBJECTS * MIB / 2);
    /* Up to the end of a huge page, where the next step is one. */
    while (grow_to((zone.owned_units << UNIT_SHIFT) + 1, LONG_BYTES, true) == 0)
        assert_true(zone.owned_units << UNIT_SHIFT < 10 * MIB);
    size_t all_bytes = OBJECTS * MIB / 2 + (zone.owned_units << UNIT_SHIFT);
    /* What was written last may earn a little more once some of it is spent. */
    assert_in_range(grow_to(64 * MIB, LONG_BYTES, false), 1, all_bytes / 2 / OS_HUGE_BYTES + 2);
    assert_int_equal(grow_to(96 * MIB, LONG_BYTES, false), 0);
    for (size_t i = 0; i < OBJECTS; i++)
        mem_free(large[i]);
    assert_int_equal(zone.large_bytes, 0);
}

/* What is free again, and gone, was written all the same. */
static void test_purges_cost_no_credit(void **state)
{
    (void)state;
    assert_int_equal(grow_to(11 * MIB, LONG_BYTES, true), 0);
    const size_t before = zone.habit.credit_bytes;
    for (int i = 0; i < 4; i++) {
        size_t credit = zone.habit.credit_bytes;
        char *block = mem_malloc(LONG_BYTES);
        assert_non_null(block);
        write_pages(block, LONG_BYTES);
        mem_free(block);
        (void)mem_idle();
        assert_true(zone.habit.credit_bytes >= credit);
    }
    assert_true(zone.habit.credit_bytes > before);
}

/* Nobody learns what becomes of what a private heap grows by. */
static void test_private_heaps_spend_none(void **state)
{
    (void)state;
    assert_int_equal(grow_to(11 * MIB, LONG_BYTES, true), 0);
    size_t credit = zone.habit.credit_bytes;
    assert_true(credit >= OS_HUGE_BYTES);
    mem_heap_t *heap = mem_heap_new();
    assert_non_null(heap);
    size_t dirty = zone.dirty_units;
    for (size_t bytes = 0; bytes < 16 * MIB; bytes += LONG_BYTES) {
        assert_non_null(mem_heap_malloc(heap, LONG_BYTES));
        assert_true(zone.dirty_units <= dirty);
    }
    assert_int_equal(zone.habit.credit_bytes, credit);
    mem_heap_destroy(heap);
}

/* A large object makes no small heap one for huge pages, nor the first growth of all. */
static void test_large_objects_alone_do_not(void **state)
{
    (void)state;
    assert_non_null(mem_malloc(64 * MIB));
    assert_int_equal(grow_to(5 * MIB, 200, true), 0);
    assert_true(grow_to(12 * MIB, 200, true) > 0);
}

static char *zeroed(size_t bytes, size_t *resident_pages)
{
    char *object = mem_calloc(1, bytes);

    assert_non_null(object);
    assert_true(os_count_resident(object, bytes, resident_pages));
    return object;
}

/* The same, looked at: pages that were read count as written. */
static char *zeroed_object(size_t bytes, size_t *resident_pages)
{
    char *object = zeroed(bytes, resident_pages);

    for (size_t i = 0; i < bytes; i++)
        if (object[i] != 0)
            fail_msg("byte %zu is not zero", i);
    return object;
}

/* Leaves a freed mapping with something in it. */
static void keep_used(size_t bytes)
{
    char *used = mem_malloc(bytes);

    assert_non_null(used);
    memset(used, 0xFF, bytes);
    mem_free(used);
    assert_int_equal(first_large_set.kept.bytes, bytes);
}

/* Objects that are to be zero are made of freed mappings, which are cleared where the program
 * writes such objects, and hold no memory otherwise. */
static void test_zeroed_objects_of_kept_memory(void **state)
{
    (void)state;
    const size_t pages = MIB / os_page_bytes();
    size_t resident;

    /* No more is kept than there is beside it. */
    assert_non_null(mem_malloc(2 * MIB));
    keep_used(MIB);
    char *first = zeroed_object(MIB, &resident);
    assert_int_equal(resident, 0);
    assert_int_equal(first_large_set.kept.bytes, 0);
    memset(first, 0xFF, MIB);
    keep_used(MIB);
    char *second = zeroed_object(MIB, &resident);
    assert_int_equal(resident, pages);
    assert_int_equal(first_large_set.kept.bytes, 0);

    /* What is written goes on so: the last page of one of five shows it. */
    for (int i = 0; i < 20; i++) {
        memset(second, 0xFF, MIB);
        mem_free(second);
        second = zeroed_object(MIB, &resident);
        assert_in_range(resident, pages - 1, pages);
    }
    /* What is not written is not worth it, whatever was before. */
    int cleared = 0;
    for (int i = 0; i < 20; i++) {
        mem_free(second);
        second = zeroed(MIB, &resident);
        cleared += resident > 0;
    }
    assert_in_range(cleared, 1, 6);
    assert_int_equal(resident, 0);
}

/* How often huge pages were asked for. */
static unsigned huge_calls;

int madvise(void *start, size_t bytes, int advice)
{
    huge_calls += advice == MADV_HUGEPAGE;
    return (int)syscall(SYS_madvise, start, bytes, advice);
}

/* Allocates `count` objects, of which the first `written` bytes are; returns how many have huge
 * pages, or how many huge pages they share. */
static unsigned allocate_written(char **objects, int count, size_t bytes, size_t written)
{
    unsigned before = huge_calls;

    for (int i = 0; i < count; i++) {
        objects[i] = mem_malloc(bytes);
        assert_non_null(objects[i]);
        write_pages(objects[i], written);
    }
    return huge_calls - before;
}

/* A program that writes little of many objects holds nothing for it. */
static void test_sparse_objects_get_small_pages(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    char *objects[COUNT];

    assert_int_equal(allocate_written(objects, COUNT, 3 * MIB, 1), 0);
    assert_int_equal(allocate_written(objects, COUNT, MIB, 1), 0);
    /* Until it writes them. */
    assert_in_range(allocate_written(objects, COUNT, 3 * MIB, 3 * MIB), COUNT - 20, COUNT - 1);
    /* If it stops to, a quarter of what it has at most. */
    unsigned most = (unsigned)(first_large_set.live_bytes / 4 / OS_HUGE_BYTES);
    assert_in_range(allocate_written(objects, COUNT, 3 * MIB, 1), 0, most);
    assert_int_equal(allocate_written(objects, COUNT, 3 * MIB, 1), 0);
}

/* The first ones that are much larger than a huge page have some behind their first 8 MiB, and no
 * more memory than was written up to there. */
static void test_first_objects_begin_small(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    char *objects[COUNT];

    assert_int_equal(allocate_written(objects, COUNT, 16 * MIB, MIB), 8);
    for (int i = 0; i < COUNT; i++) {
        size_t resident, sum = 0;
        for (size_t at = 0; at < 16 * MIB; at += MIB) {
            assert_true(os_count_resident(objects[i] + at, MIB, &resident));
            sum += resident;
        }
        assert_int_equal(sum, MIB / os_page_bytes());
    }
    assert_int_equal(allocate_written(objects, COUNT, 16 * MIB, MIB), 0);
}

/* They can grow without a copy all the same: two mappings would not move. */
static void test_first_objects_grow_in_one_piece(void **state)
{
    (void)state;
    char *object = mem_malloc(16 * MIB);

    assert_non_null(object);
    write_pages(object, 16 * MIB);
    assert_int_equal(huge_calls, 1);
    size_t mappings = process_mappings(object, 16 * MIB);
    assert_in_range(mappings, 1, 2); /* where the kernel knows no huge pages it is one */
    object[9 * MIB] = 7;
    char *grown = mem_realloc(object, 64 * MIB);
    assert_non_null(grown);
    assert_int_equal(grown[9 * MIB], 7);
    assert_int_equal(process_mappings(grown, 64 * MIB), 1);
    mem_free(grown);
}

static char *forked_object;

static void grow_in_child(void)
{
    for (size_t bytes = 16 * MIB; bytes <= 128 * MIB; bytes *= 2) {
        if (bytes > 16 * MIB)
            forked_object = mem_realloc(forked_object, bytes);
        if (!forked_object || forked_object[9 * MIB] != 7 ||
            process_mappings(forked_object, bytes) != 1)
            abort();
    }
}

/* Nor are they copied in the child of a fork, where two mappings would stay two. */
static void test_first_objects_grow_after_a_fork(void **state)
{
    (void)state;
    char said[100];

    forked_object = mem_malloc(16 * MIB);
    assert_non_null(forked_object);
    write_pages(forked_object, 16 * MIB);
    forked_object[9 * MIB] = 7;
    assert_int_equal(in_child(grow_in_child, said, sizeof said), 0);
}

/* What is kept of them is one mapping, as all that is kept. */
static void test_freed_first_objects_are_one_piece(void **state)
{
    (void)state;
    char *object = mem_malloc(16 * MIB), *other = mem_malloc(128 * MIB);

    assert_non_null(object);
    assert_non_null(other);
    write_pages(object, 16 * MIB);
    const char *kept = object;
    mem_free(object);
    assert_int_equal(first_large_set.kept.bytes, 16 * MIB);
    assert_int_equal(process_mappings(kept, 16 * MIB), 1);
    mem_free(other);
}

/* Grows an object to 8 MiB; returns in how many mappings another one lies then. */
static size_t count_mappings_after_growth(bool writes)
{
    char *growing = NULL, *other;

    for (size_t bytes = MIB; bytes <= 8 * MIB; bytes *= 2) {
        growing = mem_realloc(growing, bytes);
        assert_non_null(growing);
        if (writes)
            write_pages(growing, bytes);
    }
    other = mem_malloc(32 * MIB);
    assert_non_null(other);
    size_t count = process_mappings(other, 32 * MIB);
    mem_free(other);
    mem_free(growing);
    return count;
}

/* What grows shows what the program does, too. */
static void test_growing_objects_show(void **state)
{
    (void)state;
    assert_in_range(count_mappings_after_growth(false), 1, 2);
    assert_int_equal(first_large_set.habit.written.credit_bytes, 0);
    assert_int_equal(count_mappings_after_growth(true), 1);
    assert_true(first_large_set.habit.written.credit_bytes > 0);
}

static void test_sparse_objects_share_none(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    char *objects[COUNT];

    assert_int_equal(allocate_written(objects, COUNT, 1000000, 1), 0);
}

/* All but some that show whether that is still so. */
static void test_written_objects_get_huge_pages(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    char *objects[COUNT];

    /* One is much enough. */
    assert_int_equal(allocate_written(objects, 1, 64 * MIB, MIB), 1);
    assert_in_range(allocate_written(objects, COUNT, 3 * MIB, 3 * MIB), COUNT * 3 / 4, COUNT - 1);
    /* Shared ones hold two. */
    assert_in_range(allocate_written(objects, COUNT, 1000000, 1000000), COUNT * 3 / 8, COUNT / 2);
}

/* What is written late counts when it is freed. */
static void test_objects_are_written_late(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    char *objects[COUNT], *more[COUNT];

    assert_int_equal(allocate_written(objects, COUNT, 3 * MIB, 1), 0);
    for (int i = 0; i < COUNT; i++) {
        write_pages(objects[i], 3 * MIB);
        mem_free(objects[i]);
    }
    (void)mem_idle();
    assert_true(first_large_set.habit.written.credit_bytes > 0);
    assert_in_range(allocate_written(more, COUNT, 3 * MIB, 3 * MIB), COUNT / 2, COUNT - 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credit),
        cmocka_unit_test(test_only_whole_pages_count),
        cmocka_unit_test(test_the_end_counts),
        cmocka_unit_test(test_unmapped_ranges),
        cmocka_unit_test(test_written_blocks_get_huge_pages),
        cmocka_unit_test(test_sparse_blocks_do_not),
        cmocka_unit_test(test_sparse_buffers_do_not),
        cmocka_unit_test(test_written_blocks_are_filled),
        cmocka_unit_test(test_written_objects_are_filled),
        cmocka_unit_test(test_objects_that_move_are_looked_at),
        cmocka_unit_test(test_populated_runs_prove_nothing),
        cmocka_unit_test(test_credit_ends),
        cmocka_unit_test(test_ranges_that_are_purged),
        cmocka_unit_test(test_purges_cost_no_credit),
        cmocka_unit_test(test_private_heaps_spend_none),
        cmocka_unit_test(test_large_objects_alone_do_not),
        cmocka_unit_test(test_zeroed_objects_of_kept_memory),
        cmocka_unit_test(test_sparse_objects_get_small_pages),
        cmocka_unit_test(test_first_objects_begin_small),
        cmocka_unit_test(test_first_objects_grow_in_one_piece),
        cmocka_unit_test(test_first_objects_grow_after_a_fork),
        cmocka_unit_test(test_freed_first_objects_are_one_piece),
        cmocka_unit_test(test_growing_objects_show),
        cmocka_unit_test(test_sparse_objects_share_none),
        cmocka_unit_test(test_written_objects_get_huge_pages),
        cmocka_unit_test(test_objects_are_written_late),
    };
    /* Under a filter of system calls, as in some containers, nothing is asked and nothing earned.
     */
    if (prctl(PR_GET_SECCOMP) != 0)
        return 77;
    /* Where the system gives huge pages unasked all ranges look as if they had been written. */
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
