/* Runs of units; this test looks inside the library. */
#include "allocator/tests/test_common.h"
#include "allocator/zone.h"

enum { RUNS = 300, STEPS = 20000, LONGEST = 40 };

struct run {
    void *start;
    size_t units;
};

static bool is_free(size_t unit)
{
    return zone.map[unit] == UNIT_CLEAN || zone.map[unit] == UNIT_DIRTY;
}

/* Where a run of `units` must be taken: the end of the zone where it has to grow. */
static size_t lowest_run(size_t units)
{
    size_t run = 0, end = zone.limit >> UNIT_SHIFT;

    for (size_t unit = 0; unit < end; unit++) {
        run = is_free(unit) ? run + 1 : 0;
        if (run == units)
            return unit + 1 - units;
    }
    return end - run;
}

/* Mostly short ones, as programs ask for them. */
static size_t some_units(uint64_t *state)
{
    return random_below(state, 4) > 0 ? 1 + random_below(state, 4)
                                      : 1 + random_below(state, LONGEST);
}

/* Fresh memory is got ahead of need, but not for a run of which the program may never write the
 * end. */
static void test_long_runs_are_not_populated(void **state)
{
    (void)state;
    enum { BEFORE = 1024 };
    struct zone_fresh fresh;

    /* Others who move the break would leave gaps. */
    zone_avoid_break(0);
    assert_non_null(zone_take_run(1, UNIT_BLOCK).start);
    /* A small program lies in what the zone begins with. */
    assert_int_equal(zone.owned_units, 32);
    assert_non_null(zone_take_run(BEFORE, UNIT_BLOCK).start);
    assert_non_null(zone_take(ZONE_SHORT_UNITS + 1, UNIT_BLOCK, &fresh));
    assert_int_equal(fresh.bytes, 0);
    void *start = zone_take(ZONE_SHORT_UNITS, UNIT_BLOCK, &fresh);
    assert_ptr_equal(fresh.start, start);
    assert_int_equal(fresh.bytes, zone.owned_units >> 6 << UNIT_SHIFT);
}

static void test_lowest_run(void **state)
{
    static struct run runs[RUNS];
    uint64_t random = 1;

    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        struct run *run = &runs[random_below(&random, RUNS)];
        if (run->start) {
            zone_give(run->start, run->units);
            run->start = NULL;
            continue;
        }
        run->units = some_units(&random);
        size_t expected = lowest_run(run->units);
        run->start = zone_take_run(run->units, UNIT_BLOCK).start;
        assert_non_null(run->start);
        assert_int_equal(zone_unit(run->start), expected);
    }
}

/* What was found out about long runs is not forgotten for the sake of a short one: with a large
 * heap each search would look through all of it. */
static void test_a_unit_leaves_the_hints_of_longer_runs(void **state)
{
    enum { UNITS = 400, LOW = 5 };
    static void *units[UNITS];

    (void)state;
    for (unsigned i = 0; i < UNITS; i++) {
        units[i] = zone_take_run(1, UNIT_BLOCK).start;
        assert_non_null(units[i]);
    }
    size_t last = zone_unit(units[UNITS - 1]);
    assert_true(zone.hints[1] >= last);
    zone_give(units[LOW], 1);
    assert_true(zone.hints[1] <= zone_unit(units[LOW]));
    for (size_t n = 2; n < ZONE_HINTS; n++)
        assert_true(zone.hints[n] >= last);
    assert_ptr_equal(zone_take_run(1, UNIT_BLOCK).start, units[LOW]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, where there is no zone yet. */
        cmocka_unit_test(test_long_runs_are_not_populated),
        cmocka_unit_test(test_lowest_run),
        cmocka_unit_test(test_a_unit_leaves_the_hints_of_longer_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
