/* How many objects the bins of a front hold, and where; this test looks inside the library. */
#include "allocator/counters.h"
#include "allocator/heaps.h"
#include "allocator/tests/test_second_thread.h"

#include <pthread.h>
#include <sched.h>

enum { MANY = 4096, FEW = 12, BYTES = 512 };
static const unsigned kind = UNIT_SLAB + BYTES / 16 - 1;
static void *objects[MANY];

static void allocate(int count)
{
    for (int i = 0; i < count; i++) {
        objects[i] = mem_malloc(BYTES);
        assert_non_null(objects[i]);
        memcpy(objects[i], &i, sizeof i);
    }
}

static void free_last_first(int count)
{
    for (int i = count; i-- > 0;) {
        assert_memory_equal(objects[i], &i, sizeof i);
        mem_free(objects[i]);
    }
}

static void free_from(int first, int end)
{
    for (int i = first; i < end; i++)
        mem_free(objects[i]);
}

enum { OTHER_BYTES = 48 };

/* So that the bin of BYTES is idle. */
static void use_others(void)
{
    for (int i = 0; i < MANY; i++)
        objects[i] = mem_malloc(OTHER_BYTES);
    free_from(0, MANY);
}

static unsigned narrow_capacity(void)
{
    return front_capacities[BYTES / 16 - 1];
}

static void assert_counted(uint64_t allocations)
{
    mem_stats_t stats = mem_get_stats();

    assert_int_equal(stats.num_allocations, allocations);
    assert_int_equal(stats.num_frees, allocations);
    assert_int_equal(stats.current_usage, 0);
}

static void test_a_bin_of_much_is_wide(void **state)
{
    (void)state;
    struct front *front = &heap_plain.front;

    mem_reset();
    allocate(FEW);
    free_last_first(FEW);
    assert_in_range(front->bottoms[kind], FRONT_SLOTS_AT, FRONT_WIDE_AT - 1);
    assert_in_range(front_held(front, kind), 1, narrow_capacity());

    allocate(MANY);
    assert_in_range(front->bottoms[kind], FRONT_WIDE_AT, sizeof(struct heap) - 1);
    free_last_first(MANY / 2);
    free_from(MANY / 2, MANY);
    assert_counted(FEW + MANY);

    /* Nobody's any more: the bin holds as little as a narrow one, where it lies. */
    allocate(4 * FEW);
    free_last_first(4 * FEW);
    assert_in_range(front_held(front, kind), 1, narrow_capacity());
    assert_counted(FEW + MANY + 4 * FEW);
    mem_idle();
    assert_int_equal(front_held(front, kind), 0);
}

static unsigned wide_capacity(unsigned size_class)
{
    return slab_class_bytes(size_class) <= FRONT_SMALL_BYTES ? FRONT_MOST_SMALL
                                                             : FRONT_MOST_OBJECTS;
}

/* Neighbours' wide bins are full at a time, each with its own objects. */
static void test_wide_bins_lie_apart(void **state)
{
    (void)state;
    enum { CLASSES = 32, EACH = 10000 };
    static void *others[EACH];
    const struct front *front = &heap_plain.front;

    for (unsigned c = 0; c < CLASSES; c++) {
        size_t bytes = slab_class_bytes(c);
        /* A size of which there is much gets a class of its own. */
        for (int i = 0; i < EACH; i++) {
            others[i] = mem_malloc(bytes);
            memcpy(others[i], &i, sizeof i);
        }
        for (int i = EACH; i-- > 0;) {
            assert_memory_equal(others[i], &i, sizeof i);
            mem_free(others[i]);
        }
    }
    for (unsigned c = 0; c < CLASSES; c++) {
        size_t bottom = front->bottoms[UNIT_SLAB + c];
        size_t end = bottom + (wide_capacity(c) + 1) * sizeof(void *);
        assert_in_range(bottom, FRONT_WIDE_AT, sizeof(struct heap) - 1);
        assert_in_range(end, bottom, sizeof(struct heap));
        for (unsigned other = c + 1; other < CLASSES; other++)
            assert_in_range(front->bottoms[UNIT_SLAB + other], end, sizeof(struct heap));
    }
}

/* What a class that nobody asks for any more keeps of its slabs goes back. */
static void test_idle_bins_are_emptied(void **state)
{
    (void)state;
    allocate(FEW);
    free_last_first(FEW);
    assert_in_range(front_held(&heap_plain.front, kind), 1, narrow_capacity());
    use_others();
    assert_int_equal(front_held(&heap_plain.front, kind), 0);
    assert_in_range(front_held(&heap_plain.front, UNIT_SLAB + OTHER_BYTES / 16 - 1), 1, MANY);
    /* And begins with fewer. */
    mem_free(mem_malloc(BYTES));
    assert_in_range(front_held(&heap_plain.front, kind), 1, 2);
}

/* Another thread that counts meets a bin which moves: with its new bottom and its old top. */
static void test_a_bin_that_moves_is_empty(void **state)
{
    (void)state;
    enum { ALLOCATIONS = 5 };
    static struct front front;
    struct counters counters = {0};

    front.bottoms[kind] = FRONT_WIDE_AT;
    front.words[kind] = ALLOCATIONS * FRONT_ONE_ALLOCATION + FRONT_SLOTS_AT;
    front.net_refilled[kind - UNIT_SLAB] = ALLOCATIONS;
    front_count(&front, &counters);
    assert_int_equal(counters.allocations, ALLOCATIONS);
    assert_int_equal(counters.frees, 0);
}

/* Or one that is just filled: what comes counts before it is there. */
static void test_a_bin_that_is_filled_has_freed_nothing(void **state)
{
    (void)state;
    enum { ALLOCATIONS = 5, ON_ITS_WAY = 32 };
    static struct front front;
    struct counters counters = {0};

    front.words[UNIT_SLAB] = ALLOCATIONS * FRONT_ONE_ALLOCATION;
    front.net_refilled[0] = ALLOCATIONS + ON_ITS_WAY;
    front_count(&front, &counters);
    assert_int_equal(counters.allocations, ALLOCATIONS);
    assert_int_equal(counters.frees, 0);
    assert_int_equal(counters.freed_bytes, 0);
}

/* The child of a fork may find a front cut off between any two stores. */
static void test_repair_finds_the_bins(void **state)
{
    (void)state;
    static struct front front;
    static const unsigned narrow = UNIT_SLAB, moving = UNIT_SLAB + 1, unplaced = UNIT_SLAB + 2;

    front.bottoms[narrow] = FRONT_SLOTS_AT;
    front.limits[narrow] = FRONT_SLOTS_AT + FRONT_SLOT_BYTES;
    front.words[narrow] = FRONT_SLOTS_AT + FRONT_SLOT_BYTES;
    front.bottoms[moving] = FRONT_WIDE_AT;
    front_repair(&front);
    assert_int_equal(front.bottoms[unplaced], 0);
    assert_int_equal(front.limits[unplaced], 0);
    assert_int_equal(front_held(&front, narrow), 1);
    assert_int_equal(front.slots_used, front_capacities[0] + 1);
    assert_int_equal(front_held(&front, moving), 0);
    assert_int_equal(front.limits[moving], FRONT_WIDE_AT);
}

/* One that runs over and empty in turn comes to hold what goes to and fro. */
static void test_a_bin_that_turns_holds_more(void **state)
{
    (void)state;
    enum { WAVE = 24, WAVES = 300 };
    const struct front *front = &heap_plain.front;
    unsigned before = 0;

    (void)mem_idle();
    assert_true(WAVE > 2 * narrow_capacity());
    for (int i = 0; i < WAVES; i++) {
        allocate(WAVE);
        free_last_first(WAVE);
        /* A few only show nothing. */
        if (i < FRONT_TURNS / 4)
            assert_int_equal(front->pressed[kind - UNIT_SLAB], 0);
        if (i == WAVES - 2)
            before = heap_plain.slow_calls;
    }
    assert_in_range(front_held(front, kind), WAVE, 4 * narrow_capacity());
    assert_int_equal(heap_plain.slow_calls, before);

    /* Until it is idle. */
    use_others();
    assert_int_equal(front_held(front, kind), 0);
    assert_int_equal(front->pressed[kind - UNIT_SLAB], 0);
}

/* So much that bins hold as much as ever. */
enum { MUCH = 128 * 1024 / BYTES };

/* Where threads may each hold some of a class that has little, each holds less of it. */
static void test_bins_of_several_threads_hold_less_of_little(void **state)
{
    (void)state;
    enum { LITTLE = 48 * 1024 / BYTES };
    const struct front *front = &heap_plain.front;

    (void)mem_idle();
    pthread_t thread = begin_second_thread();
    assert_false(os_is_single_threaded());
    allocate(LITTLE);
    free_last_first(LITTLE);
    assert_in_range(front_held(front, kind), 1, narrow_capacity() / 2);
    allocate(MUCH);
    free_last_first(FEW);
    assert_in_range(front_held(front, kind), narrow_capacity() / 2 + 1, narrow_capacity());
    free_from(FEW, MUCH);
    end_second_thread(thread);
}

static pthread_barrier_t is_held;

/* Holds a lock until somebody sleeps for it. */
static void *be_in_the_way(void *lock)
{
    lock_take(lock);
    (void)pthread_barrier_wait(&is_held);
    while (__atomic_load_n(&((struct lock *)lock)->state, __ATOMIC_RELAXED) != LOCK_CONTENDED)
        (void)sched_yield();
    lock_drop(lock);
    return NULL;
}

/* A bin that meets another thread at its class's slabs holds twice as much, until it is idle. */
static void test_a_pressed_bin_holds_more(void **state)
{
    (void)state;
    const struct front *front = &heap_plain.front;
    const unsigned size_class = kind - UNIT_SLAB;
    pthread_t thread;

    (void)mem_idle();
    assert_int_equal(front->pressed[size_class], 0);
    assert_int_equal(pthread_barrier_init(&is_held, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, be_in_the_way,
                                    &heap_slabs_of(&heap_plain)->classes[size_class].lock),
                     0);
    (void)pthread_barrier_wait(&is_held);
    mem_free(mem_malloc(BYTES));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(front->pressed[size_class], 1);
    allocate(MUCH);
    free_last_first(4 * FEW);
    assert_in_range(front_held(front, kind), narrow_capacity() + 1, 2 * narrow_capacity());
    free_from(4 * FEW, MUCH);

    use_others();
    assert_int_equal(front->pressed[size_class], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bin_of_much_is_wide),
        cmocka_unit_test(test_wide_bins_lie_apart),
        cmocka_unit_test(test_idle_bins_are_emptied),
        cmocka_unit_test(test_a_bin_that_moves_is_empty),
        cmocka_unit_test(test_a_bin_that_is_filled_has_freed_nothing),
        cmocka_unit_test(test_repair_finds_the_bins),
        cmocka_unit_test(test_a_bin_that_turns_holds_more),
        /* Last, because there may be a second thread from here on. */
        cmocka_unit_test(test_bins_of_several_threads_hold_less_of_little),
        cmocka_unit_test(test_a_pressed_bin_holds_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
