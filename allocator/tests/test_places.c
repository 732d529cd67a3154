/* Heaps that meet get out of each other's way; this test looks inside the library. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/heaps.h"
#include "allocator/large.h"
#include "allocator/place.h"
#include "allocator/tests/test_process.h"
#include "allocator/zone.h"

enum { HEAPS = 10, MOST = 4, WAITS = 1000 };

static unsigned sum_of_users(const struct places *places)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < PLACES_MOST; i++)
        sum += places->users[i];
    return sum;
}

static void test_heaps_that_meet_spread_out(void **state)
{
    (void)state;
    struct places places = {0};
    struct place heaps[HEAPS] = {{0}};

    assert_int_equal(places_used(&places), 1);
    /* Once or twice is no reason. */
    for (int i = 0; i < 2 * HEAPS; i++)
        place_waits(&places, &heaps[i % HEAPS], MOST);
    assert_int_equal(places.users[0], HEAPS);
    for (int i = 0; i < WAITS; i++)
        place_waits(&places, &heaps[i % HEAPS], MOST);
    assert_int_equal(places_used(&places), MOST);
    assert_int_equal(sum_of_users(&places), HEAPS);
    for (int i = 0; i < MOST; i++)
        assert_in_range(places.users[i], 1, HEAPS / MOST + 2);
    /* Where all places have several a heap that waits goes on. */
    unsigned before = heaps[0].index;
    for (int i = 0; i < 10 && heaps[0].index == before; i++)
        place_waits(&places, &heaps[0], MOST);
    assert_int_not_equal(heaps[0].index, before);
    for (int i = 0; i < HEAPS; i++)
        place_leave(&places, &heaps[i]);
    assert_int_equal(sum_of_users(&places), 0);
    assert_int_equal(heaps[0].index, 0);
}

static void test_a_place_for_each(void **state)
{
    (void)state;
    struct places places = {0};
    struct place heaps[MOST] = {{0}};

    for (int i = 0; i < WAITS; i++)
        place_waits(&places, &heaps[i % MOST], MOST);
    for (int i = 0; i < MOST; i++)
        assert_int_equal(places.users[i], 1);
    /* There is nowhere to go any more. */
    struct place before[MOST];
    memcpy(before, heaps, sizeof heaps);
    for (int i = 0; i < WAITS; i++)
        place_waits(&places, &heaps[i % MOST], MOST);
    for (int i = 0; i < MOST; i++)
        assert_int_equal(heaps[i].index, before[i].index);
}

/* Whoever waits alone waits for those that free, and goes to and fro. */
static void test_who_is_alone_goes_on(void **state)
{
    (void)state;
    struct places places = {0};
    struct place heap = {0};

    for (int i = 0; i < 10 && heap.index == 0; i++)
        place_waits(&places, &heap, 2);
    assert_int_equal(heap.index, 1);
    for (int i = 0; i < 10 && heap.index == 1; i++)
        place_waits(&places, &heap, 2);
    assert_int_equal(heap.index, 0);
    assert_int_equal(sum_of_users(&places), 1);
    /* Not where there is no other place. */
    for (int i = 0; i < WAITS; i++)
        place_waits(&places, &heap, 1);
    assert_int_equal(heap.index, 0);
}

/* As where two heaps met. */
static void go_to_second_set(struct place *place)
{
    if (places_most(PLACES_MOST) == 1)
        skip();
    place->index = 1;
    assert_true(places_use(&large_places, 1));
}

/* An object of one set may be asked for, resized and freed by any heap, and stays of its set. */
static void test_large_objects_of_two_sets(void **state)
{
    (void)state;
    const size_t size = 200 << 10;
    struct place first = {0}, second = {0};

    go_to_second_set(&second);
    char *one = large_alloc(&first, size, ALIGNMENT, false, NULL);
    char *two = large_alloc(&second, size, ALIGNMENT, true, NULL);
    assert_non_null(one);
    assert_non_null(two);
    assert_int_equal(first_large_set.used, 1);
    assert_int_equal(large_set_at(1)->used, 1);
    assert_int_equal(first_large_set.live_bytes + large_set_at(1)->live_bytes, 2 * size);
    assert_int_equal(large_usable(&first, two), size);
    assert_int_equal(large_usable(&second, one), size);
    assert_int_equal(large_usable(NULL, two), size);
    assert_true(large_contains(one + size - 1));
    assert_true(large_contains(two + size - 1));

    memset(two, 2, size);
    two = large_resize(&first, two, 3 * size);
    assert_non_null(two);
    assert_int_equal(two[size - 1], 2);
    assert_int_equal(large_set_at(1)->used, 1);
    assert_int_equal(large_set_at(1)->live_bytes, 3 * size);
    assert_int_equal(large_free(&first, two, NULL), 3 * size);
    assert_int_equal(large_free(&second, one, NULL), size);
    assert_int_equal(large_free(&second, one, NULL), 0);
    assert_int_equal(first_large_set.live_bytes + large_set_at(1)->live_bytes, 0);

    /* What is kept of either is for its own objects, and goes with all others. */
    assert_true(large_set_at(1)->kept.bytes > 0);
    assert_true(first_large_set.kept.bytes > 0);
    size_t kept = large_set_at(1)->kept.bytes + first_large_set.kept.bytes;
    assert_int_equal(large_decay(true), kept);
    assert_int_equal(large_set_at(1)->kept.bytes + first_large_set.kept.bytes, 0);
}

/* All of an instance go with it, whichever set they are of. */
static void test_an_owner_of_two_sets(void **state)
{
    (void)state;
    const size_t size = 1 << 20;
    struct place first = {0}, second = {0};
    int owner, other;

    go_to_second_set(&second);
    assert_non_null(large_alloc(&first, size, ALIGNMENT, false, &owner));
    assert_non_null(large_alloc(&second, size, ALIGNMENT, false, &owner));
    char *left = large_alloc(&second, size, ALIGNMENT, false, &other);
    assert_int_equal(large_free(&first, left, &owner), 0);
    large_free_all(&owner);
    assert_int_equal(first_large_set.used, 0);
    assert_int_equal(large_set_at(1)->used, 1);
    assert_int_equal(large_free(&first, left, &other), size);
    (void)large_decay(true);
}

/* The zone knows how much there is, but for a MiB of each set. */
static void test_the_sum_of_two_sets(void **state)
{
    (void)state;
    enum { OBJECTS = 100 };
    const size_t size = 100 << 10, slack = 2 << 20;
    struct place places[2] = {{0}};
    void *objects[OBJECTS];

    go_to_second_set(&places[1]);
    for (int i = 0; i < OBJECTS; i++)
        assert_non_null(objects[i] = large_alloc(&places[i % 2], size, ALIGNMENT, true, NULL));
    assert_in_range(zone_large_bytes(), OBJECTS * size - slack, OBJECTS * size);
    for (int i = 0; i < OBJECTS; i++)
        assert_int_equal(large_free(&places[0], objects[i], NULL), size);
    assert_in_range(zone_large_bytes(), 0, slack);
    (void)large_decay(true);
}

/* Each set has a table that grows, and all together a bound. */
static void test_many_objects_of_two_sets(void **state)
{
    (void)state;
    enum { MORE = LARGE_OBJECTS_MOST + 1000 };
    static void *objects[MORE];
    struct place places[2] = {{0}};
    int count = 0;

    go_to_second_set(&places[1]);
    while (count < MORE &&
           (objects[count] = large_alloc(&places[count % 3 == 0], 4096, 8192, true, NULL)))
        count++;
    assert_in_range(count, LARGE_OBJECTS_MOST - 200, LARGE_OBJECTS_MOST);
    assert_true(large_set_is_full());
    assert_int_equal(large_set_at(1)->used, (count + 2) / 3);
    for (int i = 0; i < count; i++)
        assert_true(large_free(&places[i % 2], objects[i], NULL) > 0);
    assert_false(large_set_is_full());
    (void)large_decay(true);
}

/* --- threads that have each a place of their own, and hand each other what they allocate ---------
 */

enum { THREADS = 8, STEPS = 6000, SHARED = 256, FORKS = 20 };

static unsigned char *shared_objects[SHARED];
static unsigned next_thread;
static bool has_forked;

/* Whatever the number of processors. */
static void go_to_own_places(unsigned index)
{
    struct heap *heap = heaps_enter();
    struct {
        struct places *places;
        struct place *place;
    } all[] = {{&arena_places, &heap->arena_place},
               {&large_places, &heap->large_place},
               {slab_places_of(heap->node), &heap->slab_place}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        while (!places_use(all[i].places, index))
            continue;
        all[i].place->index = (uint16_t)index;
    }
    heaps_leave(heap);
}

static size_t draw_size(uint64_t *random)
{
    uint64_t kind = random_below(random, 100);

    if (kind < 70)
        return 1 + random_below(random, 1024);
    return 1 + random_below(random, kind < 96 ? 60000 : 600000);
}

static void *replace_at_random(void *unused)
{
    unsigned index = __atomic_fetch_add(&next_thread, 1, __ATOMIC_RELAXED);
    uint64_t random = index + 1;

    /* A heap is the thread's from its first allocation on. */
    mem_free_ts(mem_malloc_ts(1));
    go_to_own_places(index);
    for (int step = 0; step < STEPS || !__atomic_load_n(&has_forked, __ATOMIC_RELAXED); step++) {
        size_t size = draw_size(&random);
        unsigned char *object = mem_malloc_ts(size);
        assert_non_null(object);
        object[0] = object[size - 1] = (unsigned char)(size % 251 + 1);
        /* Its size, for whoever frees it. */
        if (size > sizeof size + 2)
            memcpy(object + 1, &size, sizeof size);
        else
            object[0] = 0;
        object = __atomic_exchange_n(&shared_objects[random_below(&random, SHARED)], object,
                                     __ATOMIC_ACQ_REL);
        if (object && object[0] != 0) {
            memcpy(&size, object + 1, sizeof size);
            assert_int_equal(object[0], size % 251 + 1);
            assert_int_equal(object[size - 1], object[0]);
            assert_true(mem_usable_size(object) >= size);
        }
        mem_free_ts(object);
    }
    return unused;
}

static void allocate_in_child(void)
{
    uint64_t random = 99;

    for (int i = 0; i < 500; i++) {
        size_t size = draw_size(&random);
        unsigned char *object = mem_malloc_ts(size);
        if (!object)
            _exit(1);
        memset(object, 1, size);
        mem_free_ts(object);
    }
    /* What other threads had shared at the fork is ours alone now. */
    for (int i = 0; i < SHARED; i++)
        mem_free_ts(shared_objects[i]);
    _exit(0);
}

static void test_threads_at_places_of_their_own(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct mem_stats before = mem_get_stats();

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, replace_at_random, NULL), 0);
    for (int i = 0; i < FORKS && !IS_THREAD_SANITIZED; i++) {
        pid_t child = fork();
        int status;
        if (child == 0)
            allocate_in_child();
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    __atomic_store_n(&has_forked, true, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < SHARED; i++)
        mem_free_ts(shared_objects[i]);
    assert_int_equal(mem_get_stats().current_usage, before.current_usage);
    (void)mem_idle();
    unsigned arenas = 0, large_sets = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        const char *broken = slab_verify(slab_set_of(0, i));
        if (broken)
            fail_msg("%s", broken);
        /* They hold nothing. */
        assert_int_equal(large_set_at(i)->used, 0);
        assert_int_equal(large_set_at(i)->kept.bytes, 0);
        if (arena_at(i)->splits > 0)
            assert_int_equal(arena_at(i)->arena, i);
        arenas += arena_at(i)->splits > 0;
        large_sets += large_set_at(i)->table != NULL;
    }
    /* Who had to wait may have gone on from one before anything came of it. */
    assert_in_range(arenas, 2, THREADS);
    assert_in_range(large_sets, 2, THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heaps_that_meet_spread_out),
        cmocka_unit_test(test_a_place_for_each),
        cmocka_unit_test(test_who_is_alone_goes_on),
        cmocka_unit_test(test_large_objects_of_two_sets),
        cmocka_unit_test(test_an_owner_of_two_sets),
        cmocka_unit_test(test_the_sum_of_two_sets),
        cmocka_unit_test(test_many_objects_of_two_sets),
        cmocka_unit_test(test_threads_at_places_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
