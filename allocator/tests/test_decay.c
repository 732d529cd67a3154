/* What is given back while a program runs, and what is not because it is wanted again at once; this
 * test looks inside the library. */
#include "allocator/decay.h"
#include "allocator/tests/test_clock.h"
#include "allocator/tests/test_common.h"
#include "allocator/zone.h"

#include <sys/resource.h>

/* Looks for the longest interval. */
enum { LOOKS = 14 * 4 * 4 };

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
        (void)decay_look();
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

/* Free units that hold no memory. */
static size_t clean_units(void)
{
    return zone.free_units - zone.dirty_units;
}

enum { HEAP_BLOCKS = 1000, FREED_BLOCKS = 200, BLOCK_BYTES = 4000 };
enum { HELD_UNITS = (HEAP_BLOCKS - FREED_BLOCKS) * BLOCK_BYTES >> UNIT_SHIFT };

/* A heap of 4 MB of which a fifth was freed in pieces of 400 KB, less than may lie free for long.
 * The rest of it is left behind in `objects`. */
static void leave_some(void **objects)
{
    (void)mem_idle();
    for (int i = 0; i < HEAP_BLOCKS; i++)
        assert_non_null(objects[i] = mem_malloc(BLOCK_BYTES));
    for (int i = 0; i < HEAP_BLOCKS; i++)
        if (i / (FREED_BLOCKS / 2) % 4 == 1 && i < HEAP_BLOCKS / 2 + FREED_BLOCKS) {
            mem_free(objects[i]);
            objects[i] = NULL;
        }
}

/* While the program does something else, a few calls now and then suffice, idle or not. */
static void test_seldom_called_gives_some(void **state)
{
    (void)state;
    enum { GIVEN_MOST = 32 + 1, APART_MS = 8, TIMES = 10 };
    void *objects[HEAP_BLOCKS];

    leave_some(objects);
    size_t before = clean_units();
    for (int i = 0; i < TIMES; i++) {
        size_t last = clean_units();
        test_clock_ms += APART_MS;
        (void)decay_look();
        assert_true(clean_units() - last <= GIVEN_MOST);
    }
    size_t freed_units = (size_t)FREED_BLOCKS * BLOCK_BYTES >> UNIT_SHIFT;
    print_message("units freed: %zu, given back: %zu\n", freed_units, clean_units() - before);
    assert_true(clean_units() - before > freed_units / 3);
    assert_true(zone.dirty_units <= HELD_UNITS / 16 + 2);
    for (int i = 0; i < HEAP_BLOCKS; i++)
        mem_free(objects[i]);
}

/* One that calls often gives only what is idle for longer. */
static void test_often_called_gives_none(void **state)
{
    (void)state;
    enum { LOOKS_EACH = 12, MOVES = 4 };
    void *objects[HEAP_BLOCKS];

    leave_some(objects);
    size_t before = clean_units();
    for (int i = 0; i < MOVES; i++) {
        test_clock_ms += 4;
        for (int looks = 0; looks < LOOKS_EACH; looks++) {
            /* Nothing lies idle that is used. */
            mem_free(mem_malloc(1));
            (void)decay_look();
        }
    }
    assert_true(clean_units() <= before);
    for (int i = 0; i < HEAP_BLOCKS; i++)
        mem_free(objects[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: the bound that it teaches lasts. */
        cmocka_unit_test(test_rounds_teach_the_bound),
        cmocka_unit_test(test_cycles_keep_their_memory),
        cmocka_unit_test(test_steady_churn_keeps_its_memory),
        cmocka_unit_test(test_seldom_called_gives_some),
        cmocka_unit_test(test_often_called_gives_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
