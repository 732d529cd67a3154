/* Threads: the _ts family from many threads at once, objects freed by other threads than the
 * allocating one, threads that come and go, fork while others allocate. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

#include "allocator/tests/test_common.h"

enum { THREADS = 4, MAILBOXES = 256, LIVE = 200 };

/* Memcheck runs one thread at a time, some fifty times slower. */
static int rounds = 20000, threads_in_turn = 2000, forks = 30;

static _Atomic(unsigned char *) mailboxes[MAILBOXES];

static void fill(unsigned char *ptr, size_t size, unsigned char mark)
{
    memcpy(ptr, &size, sizeof size);
    memset(ptr + sizeof size, mark, size - sizeof size);
}

static void check_and_free(unsigned char *ptr)
{
    size_t size;

    memcpy(&size, ptr, sizeof size);
    for (size_t i = sizeof size; i < size; i++)
        if (ptr[i] != ptr[size - 1])
            abort();
    mem_free_ts(ptr);
}

static size_t some_size(uint64_t *random)
{
    size_t bound = random_below(random, 50) == 0 ? 200000 : 600;

    return sizeof(size_t) + 1 + random_below(random, bound);
}

static void *exchange(void *seed)
{
    uint64_t random = (uintptr_t)seed;

    for (int i = 0; i < rounds; i++) {
        size_t size = some_size(&random);
        unsigned char *ptr = mem_malloc_ts(size);
        if (!ptr)
            abort();
        fill(ptr, size, (unsigned char)random);
        unsigned char *other = atomic_exchange(&mailboxes[random_below(&random, MAILBOXES)], ptr);
        if (other)
            check_and_free(other);
    }
    return NULL;
}

static void run_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void test_objects_cross_threads(void **state)
{
    (void)state;
    mem_stats_t before = mem_get_stats();

    run_threads(exchange);
    for (int i = 0; i < MAILBOXES; i++) {
        unsigned char *left = atomic_exchange(&mailboxes[i], NULL);
        if (left)
            check_and_free(left);
    }
    mem_stats_t after = mem_get_stats();
    assert_int_equal(after.current_usage, before.current_usage);
    assert_int_equal(after.num_allocations - before.num_allocations, (size_t)(THREADS * rounds));
    assert_int_equal(after.num_frees - before.num_frees, (size_t)(THREADS * rounds));
}

static void *private_churn(void *seed)
{
    uint64_t random = (uintptr_t)seed;
    unsigned char *live[LIVE] = {0};

    for (int i = 0; i < rounds; i++) {
        size_t slot = random_below(&random, LIVE);
        size_t size = some_size(&random);
        if (live[slot])
            check_and_free(live[slot]);
        live[slot] = i % 3 ? mem_malloc_ts(size) : mem_calloc_ts(1, size);
        fill(live[slot], size, (unsigned char)random);
        if (i % 7 == 0) {
            live[slot] = mem_realloc_ts(live[slot], 2 * size);
            fill(live[slot], 2 * size, (unsigned char)i);
        }
    }
    for (int i = 0; i < LIVE; i++)
        if (live[i])
            check_and_free(live[i]);
    return NULL;
}

static void test_private_objects(void **state)
{
    (void)state;
    size_t before = mem_get_stats().current_usage;

    run_threads(private_churn);
    assert_int_equal(mem_get_stats().current_usage, before);
}

static void *allocate_once(void *unused)
{
    (void)unused;
    char *kept = mem_malloc_ts(100);
    mem_free_ts(mem_malloc_ts(300));
    memset(kept, 1, 100);
    return kept;
}

static void test_many_threads_in_turn(void **state)
{
    (void)state;
    size_t before = mem_get_stats().current_usage;

    for (int i = 0; i < threads_in_turn; i++) {
        pthread_t thread;
        void *kept;
        assert_int_equal(pthread_create(&thread, NULL, allocate_once, NULL), 0);
        pthread_join(thread, &kept);
        mem_free_ts(kept);
    }
    assert_int_equal(mem_get_stats().current_usage, before);
}

static atomic_bool stop;

static void *churn_until_stopped(void *seed)
{
    uint64_t random = (uintptr_t)seed;

    while (!atomic_load(&stop)) {
        size_t size = some_size(&random);
        unsigned char *ptr = mem_malloc_ts(size);
        fill(ptr, size, 3);
        check_and_free(ptr);
    }
    return NULL;
}

static void child_of_fork(void)
{
    (void)private_churn((void *)99);
    _exit(0);
}

static void test_fork_while_threads_allocate(void **state)
{
    (void)state;
    pthread_t threads[THREADS];

    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn_until_stopped, (void *)(i + 1)),
                         0);
    for (int i = 0; i < forks; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0)
            child_of_fork();
        assert_true(child > 0);
        /* A child that inherited a held lock would hang: ctest's time limit ends the test. */
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_cross_threads),
        cmocka_unit_test(test_private_objects),
        cmocka_unit_test(test_many_threads_in_turn),
        cmocka_unit_test(test_fork_while_threads_allocate),
    };
    if (RUNNING_ON_VALGRIND) {
        rounds = 1500;
        threads_in_turn = 50;
        forks = 5;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
