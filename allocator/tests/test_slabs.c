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

/* How many units the set's pool holds. */
static unsigned pooled(void)
{
    unsigned count = set.pool->count;

    for (unsigned i = 1; i < count; i++)
        assert_true(set.pool->units[i - 1] > set.pool->units[i]);
    assert_true(set.pool->least <= count);
    return count;
}

/* Where threads meet at the zone's lock units come several at a time, and those of slabs that
 * nobody uses stay for any class, until nobody has needed them for a while. */
static void test_units_wait_for_the_next_slab(void **state)
{
    (void)state;
    enum { CLASS = 63, EACH = UNIT_BYTES / 1024, MOST = 128, SLABS = 300, OBJECTS = SLABS * EACH };
    static struct slab_pool pool;
    static void *objects[OBJECTS];

    set.pool = &pool;
    slab_pool_press(&pool, 0);
    for (unsigned before = pool.most; pool.most < MOST; before = pool.most) {
        slab_pool_press(&pool, 0);
        assert_int_equal(pool.most, 2 * before);
    }
    slab_pool_press(&pool, 0);
    assert_int_equal(pool.most, MOST);
    size_t free_units = zone.free_units, owned_units = zone.owned_units;
    assert_int_equal(slab_take(&set, CLASS, objects, 1), 1);
    assert_int_equal(pooled(), MOST / 2);
    assert_int_equal(slab_class_units(&set, CLASS), 1);
    free_units += zone.owned_units - owned_units;
    assert_int_equal(zone.free_units, free_units - 1 - MOST / 2);
    /* They are used before any other comes. */
    assert_int_equal(slab_take(&set, CLASS, objects + 1, OBJECTS - 1), OBJECTS - 1);
    verify();
    assert_int_equal(slab_class_units(&set, CLASS), SLABS);
    assert_in_range(pooled(), 0, MOST / 2);
    assert_int_equal(slab_put(&set, CLASS, objects, OBJECTS), 0);
    verify();
    assert_null(set.classes[CLASS].open);
    assert_int_equal(slab_class_units(&set, CLASS), 0);
    assert_in_range(pooled(), MOST / 2, MOST);

    /* For objects of which more fit. */
    pool.least = pool.count;
    unsigned held = pooled();
    free_units = zone.free_units;
    assert_int_equal(slab_take(&set, 0, objects, 600), 600);
    assert_int_equal(pooled(), held - 2);
    assert_int_equal(zone.free_units, free_units);
    for (unsigned i = 1; i < 600; i++)
        assert_ptr_not_equal(objects[i - 1], objects[i]);
    verify();
    assert_int_equal(slab_put(&set, 0, objects, 600), 0);
    /* All but two lay idle. */
    slab_decay(&set, false);
    assert_int_equal(pooled(), 2);
    assert_int_equal(pool.most, MOST / 2);
    slab_decay(&set, true);
    assert_int_equal(pooled(), 0);
    /* Once nobody meets there any more none are kept. */
    pool.most = 0;
    assert_int_equal(slab_take(&set, CLASS, objects, 1), 1);
    assert_int_equal(pooled(), 0);
    assert_int_equal(slab_put(&set, CLASS, objects, 1), 0);
    assert_int_equal(pooled(), 0);
    set.pool = NULL;
}

/* Only what nobody used goes, of however many. */
static void test_a_pool_lets_go_of_what_lies_idle(void **state)
{
    (void)state;
    enum { USED = 150 };
    static struct slab_pool pool;
    uint32_t going[SLAB_POOL_MOST];
    size_t unit;

    while (pool.most < SLAB_POOL_MOST)
        slab_pool_press(&pool, (size_t)SLAB_POOL_MOST << 10);
    for (unsigned i = 0; i < SLAB_POOL_MOST; i++)
        assert_int_equal(slab_pool_put(&pool, (i * 7) % SLAB_POOL_MOST, going), 0);
    assert_int_equal(slab_pool_decay(&pool, false, going), 0);
    for (unsigned i = 0; i < USED; i++) {
        assert_true(slab_pool_take(&pool, &unit));
        assert_int_equal(unit, i);
    }
    for (unsigned i = 0; i < USED; i++)
        assert_int_equal(slab_pool_put(&pool, i, going), 0);
    assert_int_equal(slab_pool_decay(&pool, false, going), SLAB_POOL_MOST - USED);
    assert_int_equal(going[0], SLAB_POOL_MOST - 1);
    assert_int_equal(pool.count, USED);
    assert_int_equal(pool.most, SLAB_POOL_MOST / 2);
    /* Half goes of what is more than may stay. */
    while (pool.count < pool.most)
        assert_int_equal(slab_pool_put(&pool, 1000 + pool.count, going), 0);
    assert_int_equal(slab_pool_put(&pool, 2000, going), pool.most / 2);
    assert_int_equal(pool.units[0], 2000);
    assert_int_equal(slab_pool_decay(&pool, true, going), SLAB_POOL_MOST / 4 + 1);
    assert_int_equal(pool.count, 0);
}

static void test_a_group_of_sizes_comes_to_slabs_together(void **state)
{
    (void)state;
    assert_int_equal(slab_class(600), SLAB_NO_CLASS);
    slab_note_blocks(600, 32 * 1024 - 1);
    assert_int_equal(slab_class(600), SLAB_NO_CLASS);
    slab_note_blocks(600, 32 * 1024);
    for (size_t bytes = 577; bytes <= 640; bytes++)
        assert_int_equal(slab_class_bytes(slab_class(bytes)), 640);
    assert_int_equal(slab_class(576), SLAB_NO_CLASS);
    assert_int_equal(slab_class(641), SLAB_NO_CLASS);
}

/* Takes `units` slabs of the class that serves `bytes`, and tells of as many requests for them. */
static void fill_units(size_t bytes, unsigned units)
{
    unsigned size_class = slab_class(bytes);
    unsigned each = (unsigned)(UNIT_BYTES / slab_class_bytes(size_class));

    for (unsigned unit = 0; unit < units; unit++) {
        void *objects[SLAB_MOST_OBJECTS];
        assert_int_equal(slab_take(&set, size_class, objects, each), each);
        slab_sample(&set, bytes, each);
    }
}

/* 336 bytes are served by 384: an eighth of each unit is lost, so 16 units lose two, and one
 * more where the part is rounded down. */
static void test_a_size_gets_a_class_where_that_pays(void **state)
{
    (void)state;
    assert_int_equal(slab_class_bytes(slab_class(336)), 384);
    fill_units(336, 15);
    assert_int_equal(slab_class_bytes(slab_class(336)), 384);
    fill_units(336, 2);
    assert_int_equal(slab_class_bytes(slab_class(336)), 336);
    assert_int_equal(slab_class_bytes(slab_class(352)), 384);

    /* A size that half of the requests are for needs twice as much. */
    assert_int_equal(slab_class_bytes(slab_class(208)), 224);
    for (int i = 0; i < 27; i++) {
        fill_units(208, 1);
        fill_units(224, 1);
    }
    assert_int_equal(slab_class_bytes(slab_class(208)), 224);
    fill_units(208, 3);
    fill_units(224, 3);
    fill_units(208, 1);
    assert_int_equal(slab_class_bytes(slab_class(208)), 208);
    slab_give_all(&set);
}

/* Objects of all sizes and ages: what lies free between them is bounded. */
static void test_diverse_sizes_take_little(void **state)
{
    (void)state;
    enum { OBJECTS = 20000, ROUNDS = 300000 };
    static void *objects[OBJECTS];
    static size_t sizes[OBJECTS];
    size_t live_bytes = 0;
    uint64_t random = 11;

    for (int round = 0; round < ROUNDS; round++) {
        size_t i = random_below(&random, OBJECTS);
        mem_free(objects[i]);
        live_bytes -= sizes[i];
        /* Every doubling is equally likely. */
        size_t least = (size_t)1 << random_below(&random, 10);
        sizes[i] = least + random_below(&random, least);
        objects[i] = mem_malloc(sizes[i]);
        assert_non_null(objects[i]);
        live_bytes += sizes[i];
    }
    size_t used_bytes = (zone.owned_units - zone.free_units) << UNIT_SHIFT;
    if (used_bytes > live_bytes + live_bytes * 2 / 5)
        fail_msg("%zu bytes in use for %zu live ones", used_bytes, live_bytes);
    for (size_t i = 0; i < OBJECTS; i++)
        mem_free(objects[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_stay_whole),
        cmocka_unit_test(test_everything_put_back_returns_every_unit),
        cmocka_unit_test(test_each_set_takes_its_own),
        cmocka_unit_test(test_units_wait_for_the_next_slab),
        cmocka_unit_test(test_a_pool_lets_go_of_what_lies_idle),
        cmocka_unit_test(test_a_group_of_sizes_comes_to_slabs_together),
        cmocka_unit_test(test_a_size_gets_a_class_where_that_pays),
        cmocka_unit_test(test_diverse_sizes_take_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
