/* What becomes of the allocator where many threads run at a time, on however few processors; this
 * test looks inside the library. */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/decay.h"
#include "allocator/depot.h"
#include "allocator/heaps.h"
#include "allocator/large.h"
#include "allocator/tests/test_process.h"
#include "allocator/tests/test_second_thread.h"
#include "allocator/waiting.h"

enum { PROCESSORS = 16, THREADS = 12 };

static pthread_barrier_t barrier;

static void be_crowded(void)
{
    places_processors = PROCESSORS;
    assert_false(places_are_crowded());
    assert_int_equal(places_crowd(), 1);
    assert_true(places_use(&first_slab_places, 3));
    assert_true(places_are_crowded());
    assert_int_equal(places_crowd(), 4);
}

/* --- where heaps begin ------------------------------------------------------------------------ */

static void *note_places(void *places)
{
    mem_free_ts(mem_malloc_ts(100));
    ((struct place *)places)[0] = heaps_current->slab_place;
    ((struct place *)places)[1] = heaps_current->arena_place;
    ((struct place *)places)[2] = heaps_current->large_place;
    (void)pthread_barrier_wait(&barrier);
    return NULL;
}

static void run_threads(void *(*work)(void *), struct place places[][3])
{
    pthread_t threads[THREADS];

    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, places[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_barrier_destroy(&barrier), 0);
}

static void test_new_heaps_begin_apart(void **state)
{
    (void)state;
    struct place places[THREADS][3];

    be_crowded();
    run_threads(note_places, places);
    for (int kind = 0; kind < 3; kind++)
        for (int i = 0; i < THREADS; i++) {
            assert_true(places[i][kind].is_user);
            for (int j = 0; j < i; j++)
                assert_int_not_equal(places[i][kind].index, places[j][kind].index);
        }
}

static void test_few_begin_together(void **state)
{
    (void)state;
    struct place places[THREADS][3];

    run_threads(note_places, places);
    assert_false(places_are_crowded());
    for (int i = 0; i < THREADS; i++)
        for (int kind = 0; kind < 3; kind++)
            assert_int_equal(places[i][kind].index, 0);
}

/* --- what goes back --------------------------------------------------------------------------- */

static void test_what_is_not_to_stay_goes_at_once(void **state)
{
    (void)state;
    enum { OBJECTS = 80000, BYTES = 400, STAY = 8 << 20 >> UNIT_SHIFT };
    static void *objects[OBJECTS];

    be_crowded();
    pthread_t thread = begin_second_thread();
    for (int i = 0; i < OBJECTS; i++)
        assert_non_null(objects[i] = mem_malloc_ts(BYTES));
    size_t before = zone.owned_units - zone.free_units;
    for (int i = 0; i < OBJECTS; i++) {
        mem_free_ts(objects[i]);
        assert_false(waiting_is_on());
    }
    assert_in_range(before, 2 * STAY, SIZE_MAX);
    assert_in_range(zone.dirty_units, 0, STAY);
    end_second_thread(thread);
}

/* What others allocated waits in the depot of those. */
static void *free_all(void *objects)
{
    for (int i = 0; i < DEPOT_OBJECTS; i++)
        mem_free_ts(((void **)objects)[i]);
    return NULL;
}

static void test_objects_wait_where_they_came_from(void **state)
{
    (void)state;
    enum { BYTES = 64 };
    void *objects[DEPOT_OBJECTS];
    pthread_t thread;

    be_crowded();
    /* Of the first set: a heap that was there before there were so many. */
    lock_take(&first_slab_set.classes[slab_class(BYTES)].lock);
    assert_int_equal(slab_take(&first_slab_set, slab_class(BYTES), objects, DEPOT_OBJECTS),
                     DEPOT_OBJECTS);
    lock_drop(&first_slab_set.classes[slab_class(BYTES)].lock);
    mem_free_ts(mem_malloc_ts(BYTES));
    assert_ptr_not_equal(heaps_current, &heap_none);
    assert_int_equal(pthread_create(&thread, NULL, free_all, objects), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_not_equal(first_depot.counts[slab_class(BYTES)], 0);
    (void)mem_idle();
    assert_null(slab_verify(&first_slab_set));
}

/* --- while memory goes ------------------------------------------------------------------------ */

static mem_heap_t *instance;
/* Whether another thread destroys it while one waits for the system to take memory back. */
static bool meanwhile;

static void be_slow(void)
{
    if (__atomic_exchange_n(&meanwhile, false, __ATOMIC_ACQ_REL))
        mem_heap_destroy(instance);
}

int __real_madvise(void *start, size_t bytes, int advice);
int __wrap_madvise(void *start, size_t bytes, int advice);

int __wrap_madvise(void *start, size_t bytes, int advice)
{
    if (advice == MADV_DONTNEED)
        be_slow();
    return __real_madvise(start, bytes, advice);
}

/* Of many ranges. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_process_madvise)
        be_slow();
    return __real_syscall(number, a, b, c, d, e, f);
}

/* A slab that comes while others go must not look like one of theirs. */
static void test_an_instance_ends_while_memory_goes(void **state)
{
    (void)state;
    enum { OBJECTS = 5000, BYTES = 1024 };
    static void *objects[OBJECTS];
    void *one;

    if (IS_THREAD_SANITIZED)
        skip();
    /* The first slab of all is its own. */
    assert_non_null(instance = mem_heap_new());
    assert_non_null(mem_heap_malloc(instance, 1));
    pthread_t thread = begin_second_thread();
    struct slab_set *set = &first_slab_set;
    unsigned size_class = slab_steps(BYTES) - 1;
    lock_take(&set->classes[size_class].lock);
    assert_int_equal(slab_take(set, size_class, objects, OBJECTS), OBJECTS);
    assert_int_equal(slab_put(set, size_class, objects + 8, OBJECTS - 8), 0);
    assert_int_not_equal(zone.dirty_units, 0);
    zone.purge_debt = zone.dirty_units;
    meanwhile = true;
    do {
        assert_int_equal(slab_take(set, size_class, &one, 1), 1);
        assert_int_equal(zone_kind(one), UNIT_SLAB + size_class);
        assert_ptr_equal(slab_owner(one), set);
    } while (meanwhile);
    lock_drop(&set->classes[size_class].lock);
    assert_null(slab_verify(set));
    end_second_thread(thread);
}

/* A set that has to wait for the zone's lock has a pool from then on. */
static void *hold_zone(void *unused)
{
    lock_take(&zone.lock);
    (void)pthread_barrier_wait(&barrier);
    while (__atomic_load_n(&zone.lock.state, __ATOMIC_RELAXED) != LOCK_CONTENDED)
        (void)sched_yield();
    lock_drop(&zone.lock);
    return unused;
}

static void test_who_waits_gets_a_pool(void **state)
{
    (void)state;
    enum { CLASS = 63 };
    struct slab_set *set = &first_slab_set;
    void *objects[2];
    pthread_t thread;

    lock_take(&set->classes[CLASS].lock);
    assert_int_equal(slab_take(set, CLASS, objects, 1), 1);
    assert_null(set->pool);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_zone, NULL), 0);
    (void)pthread_barrier_wait(&barrier);
    assert_int_equal(slab_take(set, CLASS - 1, objects + 1, 1), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    lock_drop(&set->classes[CLASS].lock);
    assert_non_null(set->pool);
    assert_in_range(set->pool->most, 1, SLAB_POOL_MOST);
    assert_int_equal(set->pool->count, set->pool->most / 2);
    slab_put_back(CLASS, objects, 1);
    slab_put_back(CLASS - 1, objects + 1, 1);
    assert_null(slab_verify(set));
}

/* --- everything at a time --------------------------------------------------------------------- */

enum { LIVE = 600, ROUNDS = 12, EXCHANGED = 64 };
static void *exchanged[EXCHANGED];

struct object {
    unsigned char *start;
    size_t bytes;
};

static size_t some_bytes(uint64_t *random, int round)
{
    static const size_t mosts[] = {500, 1024, 30000, 600, 400000};

    return 1 + random_below(random, mosts[round % 5]);
}

static void mark(struct object *object, unsigned char value)
{
    object->start[0] = object->start[object->bytes - 1] = value;
}

static void check_and_free(struct object *object, unsigned char value)
{
    if (object->start[0] != value || object->start[object->bytes - 1] != value)
        abort();
    mem_free_ts(object->start);
}

static void *work(void *seed)
{
    uint64_t random = 1 + (uintptr_t)seed;
    struct object *live = mem_malloc_ts(LIVE * sizeof *live);

    for (int round = 0; round < ROUNDS; round++) {
        int kind = round + (int)(uintptr_t)seed;
        int count = kind % 5 == 4 ? LIVE / 10 : LIVE;
        for (int i = 0; i < count; i++) {
            live[i].bytes = some_bytes(&random, kind);
            live[i].start = mem_malloc_ts(live[i].bytes);
            mark(&live[i], (unsigned char)i);
        }
        for (int step = 0; step < count; step++) {
            int i = (int)random_below(&random, (uint64_t)count);
            void **exchange = &exchanged[random_below(&random, EXCHANGED)];
            check_and_free(&live[i], (unsigned char)i);
            mem_free_ts(__atomic_exchange_n(exchange, mem_malloc_ts(some_bytes(&random, kind)),
                                            __ATOMIC_ACQ_REL));
            live[i].bytes = some_bytes(&random, kind);
            live[i].start = mem_realloc_ts(mem_calloc_ts(1, 40), live[i].bytes);
            mark(&live[i], (unsigned char)i);
        }
        for (int i = 0; i < count; i++)
            check_and_free(&live[i], (unsigned char)i);
        mem_heap_t *heap = mem_heap_new();
        for (int i = 0; i < LIVE; i++)
            if (!mem_heap_malloc(heap, some_bytes(&random, round)))
                abort();
        if (round % 5 == 0)
            (void)mem_trim();
        mem_heap_destroy(heap);
    }
    mem_free_ts(live);
    return NULL;
}

/* The zone's sums are those of its map, and nothing is half done. */
static void check_zone(bool expects_all)
{
    size_t free_units = 0, dirty_units = 0, owned_units = 0, slabs = 0;

    for (size_t unit = 0; unit < zone.limit >> UNIT_SHIFT; unit++) {
        unsigned kind = zone_get_kind(unit);
        owned_units += kind != UNIT_FOREIGN;
        free_units += kind == UNIT_CLEAN || kind == UNIT_DIRTY;
        dirty_units += kind == UNIT_DIRTY;
        slabs += kind >= UNIT_SLAB;
    }
    assert_int_equal(zone.owned_units, owned_units);
    assert_int_equal(zone.free_units, free_units);
    assert_int_equal(zone.dirty_units, dirty_units);
    for (unsigned i = slab_sets_next(0); i < SLAB_SETS; i = slab_sets_next(i + 1)) {
        const struct slab_set *set = slab_set_at(i);
        assert_null(slab_verify(set));
        for (unsigned c = 0; c < SLAB_CLASSES; c++)
            slabs -= slab_class_units(set, c);
        slabs -= set->pool ? set->pool->count : 0;
    }
    /* None of instances are left, or they are those of others at work. */
    if (expects_all)
        assert_int_equal(slabs, 0);
}

/* A child finds all of it whole, and can go on. */
static void fork_a_child(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        check_zone(false);
        for (size_t bytes = 1; bytes < 300000; bytes += 1 + bytes / 3)
            mem_free_ts(mem_malloc_ts(bytes));
        (void)mem_trim();
        check_zone(false);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_threads_do_everything_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[THREADS];

    be_crowded();
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (int i = 0; i < 10 && !IS_THREAD_SANITIZED; i++)
        fork_a_child();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < EXCHANGED; i++)
        mem_free_ts(exchanged[i]);
    struct mem_stats stats = mem_get_stats();
    assert_int_equal(stats.current_usage, 0);
    assert_int_equal(stats.num_allocations, stats.num_frees);
    check_zone(true);
    (void)mem_trim();
    check_zone(true);
    assert_int_equal(zone.dirty_units, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_heaps_begin_apart),
        cmocka_unit_test(test_few_begin_together),
        cmocka_unit_test(test_what_is_not_to_stay_goes_at_once),
        cmocka_unit_test(test_objects_wait_where_they_came_from),
        cmocka_unit_test(test_an_instance_ends_while_memory_goes),
        cmocka_unit_test(test_who_waits_gets_a_pool),
        cmocka_unit_test(test_threads_do_everything_at_a_time),
    };

    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
