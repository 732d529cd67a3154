/* Batches of free objects that go from thread to thread without a look at their slabs; this test
 * looks inside the library. */
#include <pthread.h>

#include "allocator/depot.h"
#include "allocator/heap.h"
#include "allocator/tests/test_second_thread.h"

enum { OBJECTS = 1000, BYTES = 100 };
static const unsigned size_class = (BYTES + 15) / 16 - 1;

static unsigned take(void **objects, unsigned count)
{
    struct lock *lock = &first_slab_set.classes[size_class].lock;

    lock_take(lock);
    unsigned taken = depot_take(&first_slab_set, size_class, objects, count);
    lock_drop(lock);
    return taken;
}

static void allocate_and_free(void)
{
    static void *objects[OBJECTS];

    for (int i = 0; i < OBJECTS; i++) {
        objects[i] = mem_malloc_ts(BYTES);
        assert_non_null(objects[i]);
        memset(objects[i], i, BYTES);
    }
    for (int i = 0; i < OBJECTS; i++) {
        for (int j = 0; j < BYTES; j++)
            assert_int_equal(((unsigned char *)objects[i])[j], i & 0xff);
        mem_free_ts(objects[i]);
    }
}

static void test_one_thread_needs_none(void **state)
{
    (void)state;
    if (!os_is_single_threaded())
        skip();
    allocate_and_free();
    assert_int_equal(first_depot.counts[size_class], 0);
}

static void test_what_threads_free_is_put_down(void **state)
{
    (void)state;
    pthread_t thread = begin_second_thread();

    for (int round = 0; round < 5; round++)
        allocate_and_free();
    unsigned held = first_depot.counts[size_class];
    assert_in_range(held, 1, DEPOT_BYTES / BYTES);

    /* It is taken up first, and no object comes twice. */
    void *objects[DEPOT_OBJECTS];
    unsigned taken = take(objects, DEPOT_OBJECTS);
    assert_int_equal(taken, held);
    for (unsigned i = 0; i < taken; i++)
        for (unsigned j = 0; j < i; j++)
            assert_ptr_not_equal(objects[i], objects[j]);
    /* Of more than it has room for the last ones lie there, and the others do not. */
    struct slab_set *set = &first_slab_set;
    lock_take(&set->classes[size_class].lock);
    unsigned more = slab_take(set, size_class, objects + taken, DEPOT_OBJECTS - taken);
    lock_drop(&set->classes[size_class].lock);
    assert_int_equal(taken + more, DEPOT_OBJECTS);
    unsigned put = depot_put(set, size_class, objects, DEPOT_OBJECTS);
    assert_int_equal(put, DEPOT_BYTES / slab_class_bytes(size_class));
    assert_int_equal(depot_put(set, size_class, objects, 1), 0);
    assert_ptr_equal(depot_objects(&first_depot, size_class)[0], objects[DEPOT_OBJECTS - put]);
    lock_take(&set->classes[size_class].lock);
    assert_int_equal(slab_put(set, size_class, objects, DEPOT_OBJECTS - put), 0);
    lock_drop(&set->classes[size_class].lock);

    /* What lies there since the last look goes; that somebody took some counts. */
    depot_decay(false);
    assert_int_equal(take(objects, put / 2), put / 2);
    assert_int_equal(depot_put(set, size_class, objects, put / 2), put / 2);
    depot_decay(false);
    assert_int_equal(first_depot.counts[size_class], put / 2);
    (void)mem_idle();
    assert_int_equal(first_depot.counts[size_class], 0);
    assert_null(slab_verify(&first_slab_set));
    end_second_thread(thread);
}

/* As where two heaps met: a depot of its own, in which objects of other sets may lie, too, which go
 * back to where they came from. */
static void test_a_second_set_has_its_own(void **state)
{
    (void)state;
    struct slab_set *other = slab_set_of(0, 1);
    void *objects[DEPOT_OBJECTS];
    pthread_t thread = begin_second_thread();

    if (!places_use(&first_slab_places, 1))
        fail();
    assert_int_equal(slab_set_index(other), 1);
    assert_int_equal(slab_sets_used(0), 2);
    lock_take(&first_slab_set.classes[size_class].lock);
    assert_int_equal(slab_take(&first_slab_set, size_class, objects, 40), 40);
    lock_drop(&first_slab_set.classes[size_class].lock);
    unsigned before = first_depot.counts[size_class];
    assert_int_equal(depot_put(other, size_class, objects, 40), 40);
    assert_int_equal(depot_put(other, 0, objects, 0), 0);
    assert_int_equal(first_depot.counts[size_class], before);
    lock_take(&other->classes[size_class].lock);
    assert_int_equal(depot_take(other, size_class, objects, 10), 10);
    lock_drop(&other->classes[size_class].lock);
    slab_put_back(size_class, objects, 10);
    depot_decay(true);
    assert_int_equal(take(objects, 1), 0);
    assert_null(other->classes[size_class].open);
    assert_null(slab_verify(&first_slab_set));
    end_second_thread(thread);
}

/* As where a second memory node's heap begins. */
static void test_another_node_closes_it(void **state)
{
    (void)state;
    static struct slab_set instance;
    pthread_t thread = begin_second_thread();
    void *object = NULL;

    allocate_and_free();
    assert_true(first_depot.counts[size_class] > 0);
    assert_int_equal(slab_set_index(&instance), SLAB_SETS);
    assert_int_equal(depot_put(&instance, size_class, &object, 1), 0);
    slab_sets_begin(1);
    assert_int_equal(depot_put(&first_slab_set, size_class, &object, 1), 0);
    (void)mem_idle();
    allocate_and_free();
    assert_int_equal(first_depot.counts[size_class], 0);
    end_second_thread(thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_needs_none),
        cmocka_unit_test(test_what_threads_free_is_put_down),
        cmocka_unit_test(test_a_second_set_has_its_own),
        cmocka_unit_test(test_another_node_closes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
