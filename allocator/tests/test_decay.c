/* What is given back while a program runs, and what is not because it is wanted again at once; this
 * test looks inside the library. */
#include "allocator/decay.h"
#include "allocator/tests/test_clock.h"
#include "allocator/tests/test_process.h"
#include "allocator/zone.h"

#include <sys/mman.h>
#include <sys/resource.h>

/* Looks for the longest interval. */
enum { LOOKS = 14 * 4 * 4 };

static void allocate(int count, size_t bytes)
{
    for (int i = 0; i < count; i++)
        assert_non_null(mem_malloc(bytes));
}

/* A look at it would bring in 64 KiB of the C library. */
static void test_small_heaps_leave_the_clock_alone(void **state)
{
    (void)state;
    allocate(1000, 300);
    for (int i = 0; i < LOOKS; i++)
        (void)decay_look(NULL);
    assert_int_equal(test_clock_looks, 0);
    allocate(1000, 300);
    for (int i = 0; i < LOOKS; i++)
        (void)decay_look(NULL);
    assert_true(test_clock_looks >= LOOKS - 1);
}

/* Freed large objects are to go once nobody wants them for a while. */
static void test_large_objects_need_the_clock(void **state)
{
    (void)state;
    allocate(1, 1 << 20);
    (void)decay_look(NULL);
    assert_int_equal(test_clock_looks, 1);
}

/* Blocks of all sizes, replaced at random: no memory that some of them leave goes before others
 * take it. */
static void test_steady_churn_keeps_its_memory(void **state)
{
    (void)state;
    enum { OBJECTS = 500, WARM_UP = 10000, REPLACED = 40000 };
    static void *objects[OBJECTS];
    uint64_t random = 1;
    size_t before = 0;

    for (int i = 0; i < WARM_UP + REPLACED; i++) {
        size_t at = random_below(&random, OBJECTS);
        /* As many in each doubling from 1 to 128 KiB. */
        size_t bytes = ((size_t)1024 << random_below(&random, 7)) * 9 / 8;
        mem_free(objects[at]);
        objects[at] = mem_malloc(bytes + random_below(&random, bytes / 2));
        if (i == WARM_UP)
            before = zone.grown_units;
    }
    size_t again = zone.grown_units - before;
    print_message("units that got memory again for %d objects: %zu\n", REPLACED, again);
    assert_true(again < REPLACED / 10);
    for (int i = 0; i < OBJECTS; i++)
        mem_free(objects[i]);
}

/* A heap that fills and drains in turn, slowly enough for its memory to grow old in between. */
static void test_cycles_keep_their_memory(void **state)
{
    (void)state;
    enum { OBJECTS = 5000, BYTES = 3000, ROUNDS = 24, WARM_UP = 8 };
    static void *objects[OBJECTS];
    size_t before = 0;

    (void)mem_idle();
    for (int round = 0; round < ROUNDS; round++) {
        if (round == WARM_UP)
            before = zone.grown_units;
        for (int i = 0; i < OBJECTS; i++)
            objects[i] = mem_malloc(BYTES);
        for (int i = 0; i < OBJECTS; i++)
            mem_free(objects[i]);
    }
    size_t again = zone.grown_units - before;
    size_t round_units = (size_t)OBJECTS * BYTES >> UNIT_SHIFT;
    print_message("units that got memory again: %zu, a round needs %zu\n", again, round_units);
    assert_true(again < 2 * round_units);

    /* It goes once the program does something else, 2 MiB at a time. */
    for (int i = 0; i < 12 * LOOKS; i++)
        (void)decay_look(NULL);
    assert_true(zone.dirty_units < round_units / 10);
}

static long page_faults(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* What went in vain when a heap drained teaches the bound at once, also where the block heap takes
 * more units than it needs. */
static void test_rounds_teach_the_bound(void **state)
{
    (void)state;
    enum { OBJECTS = 4096, BYTES = 4096, ROUNDS = 8, WARM_UP = 3 };
    static void *objects[OBJECTS];
    long before = 0;

    (void)mem_idle();
    for (int round = 0; round < ROUNDS; round++) {
        if (round == WARM_UP)
            before = page_faults();
        for (int i = 0; i < OBJECTS; i++) {
            objects[i] = mem_malloc(BYTES);
            memset(objects[i], 1, BYTES);
        }
        for (int i = OBJECTS; i-- > 0;)
            mem_free(objects[i]);
    }
    long again = page_faults() - before;
    print_message("page faults for %d rounds of %d pages: %ld\n", ROUNDS - WARM_UP, OBJECTS, again);
    assert_true(again < OBJECTS / 4);
}

enum { HEAP_BLOCKS = 1000, PIECE_BLOCKS = 100, BLOCK_BYTES = 4000 };
static void *blocks[HEAP_BLOCKS];
/* Freed: a piece of 400 KB that stays with the blocks beside it. */
enum { PIECE = 300 };

static size_t resident_pages_of_piece(void)
{
    static unsigned char pages[PIECE_BLOCKS * 2];
    uintptr_t start = ((uintptr_t)blocks[PIECE] + 4095) & ~(uintptr_t)4095;
    uintptr_t end = (uintptr_t)blocks[PIECE + PIECE_BLOCKS] & ~(uintptr_t)4095;
    size_t count = (end - start) / 4096, resident = 0;

    assert_in_range(count, 1, sizeof pages);
    assert_int_equal(mincore((void *)start, end - start, pages), 0);
    for (size_t i = 0; i < count; i++)
        resident += pages[i] & 1;
    return resident;
}

/* A heap of 4 MB of which less was freed than may lie free for long. */
static void leave_some(void)
{
    (void)mem_idle();
    for (int i = 0; i < HEAP_BLOCKS; i++) {
        assert_non_null(blocks[i] = mem_malloc(BLOCK_BYTES));
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    for (int i = PIECE; i < PIECE + PIECE_BLOCKS; i++)
        mem_free(blocks[i]);
}

static void free_rest(void)
{
    for (int i = 0; i < HEAP_BLOCKS; i++)
        if (i < PIECE || i >= PIECE + PIECE_BLOCKS)
            mem_free(blocks[i]);
}

/* While the program does something else, a few calls now and then suffice, idle or not. */
static void test_seldom_called_gives_some(void **state)
{
    (void)state;
    enum { APART_MS = 8, TIMES = 10 };

    leave_some();
    size_t before = resident_pages_of_piece();
    for (int i = 0; i < TIMES; i++) {
        test_clock_ms += APART_MS;
        (void)decay_look(NULL);
    }
    size_t after = resident_pages_of_piece();
    print_message("pages freed: %zu, left: %zu\n", before, after);
    assert_true(before > PIECE_BLOCKS * 9 / 10);
    /* What the front holds of it stays, and pieces beside that. */
    assert_true(after < before / 2);
    free_rest();
}

/* The same of units that no block heap has; a sixteenth of what is in use stays, or 128 KiB. */
static void test_seldom_called_gives_units(void **state)
{
    (void)state;
    enum { OBJECTS = 8000, BYTES = 100, APART_MS = 8, MOST = (256 << 10) >> UNIT_SHIFT };
    static void *objects[OBJECTS];

    (void)mem_idle();
    for (int i = 0; i < OBJECTS; i++)
        assert_non_null(objects[i] = mem_malloc(BYTES));
    for (int i = OBJECTS / 2; i < OBJECTS; i++)
        mem_free(objects[i]);
    size_t before = zone.dirty_units;
    assert_true(before > OBJECTS / 2 * BYTES * 8 / 10 >> UNIT_SHIFT);
    size_t sixteenth = (zone.owned_units - zone.free_units) / 16;
    /* In some there are steps. */
    for (int i = 0; i < 8; i++) {
        size_t last = zone.dirty_units;
        test_clock_ms += APART_MS;
        (void)decay_look(NULL);
        assert_in_range(zone.dirty_units, last > MOST ? last - MOST : 0, last);
    }
    size_t least = (128 << 10) >> UNIT_SHIFT;
    assert_in_range(zone.dirty_units, least, sixteenth > least ? sixteenth : least);
    for (int i = 0; i < OBJECTS / 2; i++)
        mem_free(objects[i]);
}

/* One that calls often gives only what is idle for longer. */
static void test_often_called_gives_none(void **state)
{
    (void)state;
    enum { LOOKS_EACH = 12, MOVES = 2 };

    leave_some();
    size_t before = resident_pages_of_piece();
    for (int i = 0; i < MOVES; i++) {
        test_clock_ms += 4;
        for (int looks = 0; looks < LOOKS_EACH; looks++)
            (void)decay_look(NULL);
    }
    assert_int_equal(resident_pages_of_piece(), before);
    free_rest();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_heaps_leave_the_clock_alone),
        cmocka_unit_test(test_large_objects_need_the_clock),
        cmocka_unit_test(test_rounds_teach_the_bound),
        cmocka_unit_test(test_cycles_keep_their_memory),
        cmocka_unit_test(test_steady_churn_keeps_its_memory),
        cmocka_unit_test(test_seldom_called_gives_some),
        cmocka_unit_test(test_seldom_called_gives_units),
        cmocka_unit_test(test_often_called_gives_none),
    };

    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
