/* Handlers of forks that others registered may allocate, before and after the fork, while a second
 * thread lives.  Once with the static library, whose handlers and those of fork_handlers.c are the
 * program's own, and once preloaded, with fork_handlers.c as a library. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/tests/fork_handlers.h"
#include "allocator/tests/test_common.h"

/* A deadlock ends here, not only at the limit of all tests. */
enum { FORKS = 20, SECONDS_MOST = 60 };

static pthread_barrier_t barrier;

static void *live_on(void *argument)
{
    FORK_HANDLERS_FREE(FORK_HANDLERS_MALLOC(1));
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_barrier_wait(&barrier);
    return argument;
}

static void test_handlers_allocate(void **state)
{
    pthread_t thread;

    (void)state;
    alarm(SECONDS_MOST);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, live_on, NULL), 0);
    (void)pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < FORKS; i++) {
        unsigned before = fork_handlers_ran;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(fork_handlers_ran == before + 2 ? 0 : 1);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(fork_handlers_ran, before + 2);
    }
    (void)pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_handlers_allocate)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
