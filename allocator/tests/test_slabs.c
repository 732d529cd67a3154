/* The slabs' invariants under random use of every class; this test looks inside the library. */
#include "allocator/slab.h"
#include "allocator/tests/test_common.h"
#include "allocator/zone.h"

enum { COUNT = 3000, STEPS = 60000 };

static struct slab_set set;
static void *live[COUNT];
static unsigned classes[COUNT]; /* of the live objects */

static void verify(void)
{
    const char *broken = slab_verify(&set);

    if (broken)
        fail_msg("%s", broken);
}

static void test_sets_stay_whole(void **state)
{
    (void)state;
    uint64_t random = 7;

    for (int step = 0; step < STEPS; step++) {
        size_t i = random_below(&random, COUNT);
        if (live[i]) {
            assert_ptr_equal(slab_owner(live[i]), &set);
            assert_int_equal(slab_put(&set, classes[i], &live[i], 1), 0);
            live[i] = NULL;
        } else {
            classes[i] = (unsigned)random_below(&random, SLAB_CLASSES);
            assert_int_equal(slab_take(&set, classes[i], &live[i], 1), 1);
        }
        if (step % 500 == 0)
            verify();
    }
}

static void test_everything_put_back_returns_every_unit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        if (live[i])
            assert_int_equal(slab_put(&set, classes[i], &live[i], 1), 0);
    verify();
    for (unsigned c = 0; c < SLAB_CLASSES; c++)
        assert_null(set.classes[c].open);
}

/* One array may hold objects of two sets in turn, several of a slab among them. */
static void test_each_set_takes_its_own(void **state)
{
    (void)state;
    enum { CLASS = 3, EACH = 40 };
    static struct slab_set other;
    void *own[EACH], *others[EACH], *mixed[2 * EACH];

    assert_int_equal(slab_take(&set, CLASS, own, EACH), EACH);
    assert_int_equal(slab_take(&other, CLASS, others, EACH), EACH);
    for (size_t i = 0; i < EACH; i++) {
        mixed[2 * i] = own[i];
        mixed[2 * i + 1] = others[i];
    }
    assert_int_equal(slab_put(&set, CLASS, mixed, 2 * EACH - 2), EACH - 1);
    assert_memory_equal(mixed, others, (EACH - 1) * sizeof *mixed);
    verify();
    assert_null(slab_verify(&other));
    assert_int_equal(slab_put(&other, CLASS, others, EACH), 0);
    assert_int_equal(slab_put(&set, CLASS, &own[EACH - 1], 1), 0);
    assert_null(set.classes[CLASS].open);
    assert_null(other.classes[CLASS].open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_stay_whole),
        cmocka_unit_test(test_everything_put_back_returns_every_unit),
        cmocka_unit_test(test_each_set_takes_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
