/* The lives of threads: ten thousand in turn, a thousand idle at a time, objects that outlive the
 * thread that made them, calls after a thread's end, threads of a forked child, a foreign sbrk and
 * a limit on memory beside running threads.
 * Each test has a process of its own, where it is named as the program's argument. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "allocator/tests/test_process.h"

enum { THREADS = 4, BUNDLE = 40 };

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* --- bundles: objects of all kinds that one thread makes and another ends ------------------- */

struct bundle {
    unsigned char *objects[BUNDLE];
    size_t bytes[BUNDLE];
};

static size_t some_size(uint64_t *random)
{
    static const size_t most[] = {64, 1000, 20000, 300000};

    return 1 + random_below(random, most[random_below(random, 16) % 7 % 4]);
}

static void fill_bundle(struct bundle *bundle, uint64_t *random)
{
    for (int i = 0; i < BUNDLE; i++) {
        size_t bytes = some_size(random);
        bundle->bytes[i] = bytes;
        bundle->objects[i] = mem_malloc_ts(bytes);
        REQUIRE(bundle->objects[i]);
        memset(bundle->objects[i], i + 1, bytes);
    }
}

static void check_bundle(const struct bundle *bundle)
{
    for (int i = 0; i < BUNDLE; i++)
        for (size_t k = 0; k < bundle->bytes[i]; k++)
            REQUIRE(bundle->objects[i][k] == i + 1);
}

static void free_bundle(struct bundle *bundle)
{
    check_bundle(bundle);
    for (int i = 0; i < BUNDLE; i++)
        mem_free_ts(bundle->objects[i]);
}

/* Every object moves or stays, but keeps its contents; the new bytes are marked as the old. */
static void resize_bundle(struct bundle *bundle, uint64_t *random)
{
    for (int i = 0; i < BUNDLE; i++) {
        size_t bytes = some_size(random);
        bundle->objects[i] = mem_realloc_ts(bundle->objects[i], bytes);
        REQUIRE(bundle->objects[i]);
        if (bytes > bundle->bytes[i])
            memset(bundle->objects[i] + bundle->bytes[i], i + 1, bytes - bundle->bytes[i]);
        bundle->bytes[i] = bytes;
    }
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, body, argument) == 0);
    return thread;
}

static void run(void *(*body)(void *), void *argument)
{
    REQUIRE(pthread_join(start(body, argument), NULL) == 0);
}

/* --- one after the other -------------------------------------------------------------------- */

static void *inherit_and_leave(void *inheritance)
{
    struct bundle *bundle = inheritance;
    static uint64_t random = 17;

    free_bundle(bundle);
    fill_bundle(bundle, &random);
    return NULL;
}

static void test_ten_thousand_in_turn(void **state)
{
    enum { SETTLED = 1000, ALL = 10000 };
    (void)state;
    if (IS_SANITIZED)
        skip();
    static struct bundle bundle;
    uint64_t random = 3;
    struct process_memory settled = {0};

    fill_bundle(&bundle, &random);
    for (int i = 0; i < ALL; i++) {
        if (i == SETTLED)
            settled = process_memory();
        run(inherit_and_leave, &bundle);
    }
    struct process_memory end = process_memory();
    free_bundle(&bundle);
    assert_int_equal(mem_get_stats().current_usage, 0);
    print_message("%zu KiB resident after %d threads, %zu after %d\n",
                  settled.resident_bytes / 1024, SETTLED, end.resident_bytes / 1024, ALL);
    /* A heap for each thread would be 9,000 times 16 KiB of addresses. */
    assert_true(end.mapped_bytes < settled.mapped_bytes + ((size_t)16 << 20));
    assert_true(end.resident_bytes < settled.resident_bytes + ((size_t)4 << 20));
}

/* --- a thousand at a time ------------------------------------------------------------------- */

enum { IDLE_THREADS = 1000 };

struct idle_crowd {
    void *(*allocate)(size_t bytes);
    pthread_barrier_t all_allocated, may_end;
};

static void *allocate_and_wait(void *shared)
{
    struct idle_crowd *crowd = shared;
    char *object = crowd->allocate(100);

    REQUIRE(object);
    memset(object, 1, 100);
    pthread_barrier_wait(&crowd->all_allocated);
    pthread_barrier_wait(&crowd->may_end);
    return NULL;
}

static size_t resident_with_crowd(void *(*allocate)(size_t))
{
    struct idle_crowd crowd = {.allocate = allocate};
    pthread_attr_t small_stacks;
    pthread_t threads[IDLE_THREADS];
    size_t before = process_memory().resident_bytes;

    pthread_barrier_init(&crowd.all_allocated, NULL, IDLE_THREADS + 1);
    pthread_barrier_init(&crowd.may_end, NULL, IDLE_THREADS + 1);
    REQUIRE(pthread_attr_init(&small_stacks) == 0);
    REQUIRE(pthread_attr_setstacksize(&small_stacks, 64 * 1024) == 0);
    for (int i = 0; i < IDLE_THREADS; i++)
        REQUIRE(pthread_create(&threads[i], &small_stacks, allocate_and_wait, &crowd) == 0);
    pthread_barrier_wait(&crowd.all_allocated);
    size_t resident = process_memory().resident_bytes - before;
    pthread_barrier_wait(&crowd.may_end);
    for (int i = 0; i < IDLE_THREADS; i++)
        pthread_join(threads[i], NULL);
    return resident;
}

/* In a child, because the C library keeps the stacks of threads that ended. */
static size_t resident_in_child(void *(*allocate)(size_t))
{
    int ends[2];
    int status = -1;
    size_t resident = 0;

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        resident = resident_with_crowd(allocate);
        _exit(write(ends[1], &resident, sizeof resident) == sizeof resident ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &resident, sizeof resident), sizeof resident);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return resident;
}

static void test_thousand_idle_threads(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip();
    size_t of_libc = resident_in_child(malloc);
    size_t ours = resident_in_child(mem_malloc_ts);

    print_message("per idle thread: %zu bytes with malloc, %zu with mem_malloc_ts\n",
                  of_libc / IDLE_THREADS, ours / IDLE_THREADS);
    assert_true(ours < of_libc + (size_t)IDLE_THREADS * 64 * 1024);
}

/* --- objects that outlive their thread ------------------------------------------------------ */

enum { LIVES = 60 };

static struct bundle left_behind[LIVES];
static _Atomic int next_left;

static void *make_and_end(void *index)
{
    uint64_t random = 1 + (uintptr_t)index;

    fill_bundle(&left_behind[(uintptr_t)index], &random);
    return NULL;
}

/* Ends what others left behind while it has objects of its own from the heaps they had. */
static void *take_over(void *seed)
{
    uint64_t random = 100 + (uintptr_t)seed;
    int index;

    while ((index = atomic_fetch_add(&next_left, 1)) < LIVES) {
        struct bundle own;
        fill_bundle(&own, &random);
        check_bundle(&left_behind[index]);
        if (index % 2)
            resize_bundle(&left_behind[index], &random);
        free_bundle(&left_behind[index]);
        resize_bundle(&own, &random);
        free_bundle(&own);
    }
    return NULL;
}

static void leave_and_take_over(void)
{
    pthread_t threads[LIVES];

    /* All makers live at one time, so that many heaps, not one, are left with live objects. */
    for (uintptr_t i = 0; i < LIVES; i++)
        threads[i] = start(make_and_end, (void *)i);
    for (int i = 0; i < LIVES; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&next_left, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = start(take_over, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void test_objects_outlive_their_thread(void **state)
{
    (void)state;
    size_t before = mem_get_stats().current_usage;

    for (int round = 0; round < 3; round++)
        leave_and_take_over();
    assert_int_equal(mem_get_stats().current_usage, before);
}

/* --- calls after a thread's end ------------------------------------------------------------- */

static pthread_key_t late_key;

struct late_life {
    struct bundle bundle;
    uint64_t random;
};

/* Runs after the allocator has taken the thread's heap back, and several times: pthread_setspecific
 * asks for one more round. */
static void allocate_late(void *thread_value)
{
    struct late_life *life = thread_value;

    free_bundle(&life->bundle);
    fill_bundle(&life->bundle, &life->random);
    resize_bundle(&life->bundle, &life->random);
    REQUIRE(pthread_setspecific(late_key, life) == 0);
}

static void *end_with_late_calls(void *argument)
{
    struct late_life *life = argument;

    fill_bundle(&life->bundle, &life->random);
    REQUIRE(pthread_setspecific(late_key, life) == 0);
    return NULL;
}

/* Several threads end at a time, and share one heap in doing so. */
static void end_together(void)
{
    static struct late_life lives[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        lives[i].random = 23 + (uint64_t)i;
        threads[i] = start(end_with_late_calls, &lives[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        free_bundle(&lives[i].bundle);
    }
}

static void test_calls_after_the_end(void **state)
{
    enum { SETTLED = 50, ALL = 300 };
    (void)state;
    if (IS_THREAD_SANITIZED)
        skip();
    struct process_memory settled = {0};

    assert_int_equal(pthread_key_create(&late_key, allocate_late), 0);
    for (int i = 0; i < ALL; i++) {
        if (i == SETTLED)
            settled = process_memory();
        end_together();
    }
    assert_int_equal(mem_get_stats().current_usage, 0);
    /* A heap lost by each thread would be 1,000 times 16 KiB of addresses. */
    if (!IS_SANITIZED)
        assert_true(process_memory().mapped_bytes < settled.mapped_bytes + ((size_t)8 << 20));
    assert_int_equal(pthread_key_delete(late_key), 0);
}

/* --- beside running threads ----------------------------------------------------------------- */

static atomic_bool stop;
static _Atomic size_t bundles_done;

static void *churn_until_stopped(void *seed)
{
    uint64_t random = 1 + (uintptr_t)seed;

    while (!atomic_load(&stop)) {
        struct bundle bundle;
        fill_bundle(&bundle, &random);
        resize_bundle(&bundle, &random);
        free_bundle(&bundle);
        atomic_fetch_add(&bundles_done, 1);
    }
    return NULL;
}

static void start_churning(pthread_t threads[THREADS])
{
    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = start(churn_until_stopped, (void *)i);
}

static void stop_churning(pthread_t threads[THREADS])
{
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void test_foreign_sbrk_beside_threads(void **state)
{
    enum { STEPS = 500 };
    (void)state;
    if (IS_THREAD_SANITIZED)
        skip();
    pthread_t threads[THREADS];
    unsigned char *foreign[STEPS];
    uint64_t random = 31;
    struct bundle from_the_break;

    /* The heap has moved the break itself before there was a second thread. */
    fill_bundle(&from_the_break, &random);
    start_churning(threads);
    for (int i = 0; i < STEPS; i++) {
        size_t done = atomic_load(&bundles_done);
        foreign[i] = sbrk(1000 + 64 * i);
        assert_ptr_not_equal(foreign[i], (void *)-1);
        memset(foreign[i], i, (size_t)(1000 + 64 * i));
        while (atomic_load(&bundles_done) == done)
            sched_yield();
    }
    stop_churning(threads);
    free_bundle(&from_the_break);
    (void)mem_trim();
    for (int i = 0; i < STEPS; i++)
        for (int k = 0; k < 1000 + 64 * i; k++)
            assert_int_equal(foreign[i][k], i % 256);
}

static struct bundle of_ended_thread, of_main_thread;

/* The child's only thread ends what the parent's threads made, then starts threads of its own,
 * which take over the heaps of threads that never ended. */
static void live_on_in_child(void)
{
    pthread_t threads[THREADS];
    uint64_t random = 37;

    free_bundle(&of_ended_thread);
    resize_bundle(&of_main_thread, &random);
    free_bundle(&of_main_thread);
    atomic_store(&bundles_done, 0);
    start_churning(threads);
    while (atomic_load(&bundles_done) < 20)
        sched_yield();
    stop_churning(threads);
    (void)mem_trim();
    _exit(0);
}

static void *fill_for_child(void *bundle)
{
    uint64_t random = 41;

    fill_bundle(bundle, &random);
    return NULL;
}

static void test_threads_of_a_forked_child(void **state)
{
    enum { FORKS = 20 };
    (void)state;
    /* AddressSanitizer's own allocator (gcc 12) leaves its locks in the child as other threads held
     * them. */
    if (IS_SANITIZED)
        skip();
    pthread_t threads[THREADS];

    run(fill_for_child, &of_ended_thread);
    (void)fill_for_child(&of_main_thread);
    start_churning(threads);
    for (int i = 0; i < FORKS; i++) {
        int status = -1;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            live_on_in_child();
        assert_true(child > 0);
        /* A child that hangs is ended by ctest's time limit. */
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    stop_churning(threads);
    free_bundle(&of_ended_thread);
    free_bundle(&of_main_thread);
}

/* --- out of memory -------------------------------------------------------------------------- */

struct chain {
    struct chain *next;
};

/* None begins before all have started: starting a thread takes memory as well. */
static pthread_barrier_t all_started;

/* Takes memory until there is none, in sizes that suit every layer, and gives all of it back. */
static void *exhaust(void *seed)
{
    static const size_t bytes[] = {200000, 5000, 100};
    struct chain *first = mem_malloc_ts(sizeof *first);
    size_t refused = 0;
    uint64_t random = (uintptr_t)seed + 1;

    REQUIRE(first);
    first->next = NULL;
    (void)pthread_barrier_wait(&all_started);
    while (refused < sizeof bytes / sizeof *bytes) {
        size_t kind = (refused + (uintptr_t)seed) % (sizeof bytes / sizeof *bytes);
        struct chain *link = mem_malloc_ts(bytes[kind] + random_below(&random, 100));
        if (!link) {
            refused++;
            continue;
        }
        link->next = first;
        first = link;
    }
    while (first) {
        struct chain *next = first->next;
        mem_free_ts(first);
        first = next;
    }
    return NULL;
}

static void test_threads_without_memory(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct rlimit limit;
    if (IS_SANITIZED)
        skip();

    assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
    struct rlimit low = {(rlim_t)64 << 20, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_DATA, &low), 0);
    assert_int_equal(pthread_barrier_init(&all_started, NULL, THREADS), 0);
    for (int round = 0; round < 5; round++) {
        low.rlim_cur += (rlim_t)16 << 20;
        assert_int_equal(setrlimit(RLIMIT_DATA, &low), 0);
        for (uintptr_t i = 0; i < THREADS; i++)
            threads[i] = start(exhaust, (void *)i);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(mem_get_stats().current_usage, 0);
    }
    assert_int_equal(pthread_barrier_destroy(&all_started), 0);
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
    start_churning(threads);
    while (atomic_load(&bundles_done) < 20)
        sched_yield();
    stop_churning(threads);
    assert_int_equal(mem_get_stats().current_usage, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_thousand_in_turn),
        cmocka_unit_test(test_thousand_idle_threads),
        cmocka_unit_test(test_objects_outlive_their_thread),
        cmocka_unit_test(test_calls_after_the_end),
        cmocka_unit_test(test_foreign_sbrk_beside_threads),
        cmocka_unit_test(test_threads_of_a_forked_child),
        cmocka_unit_test(test_threads_without_memory),
    };

    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
