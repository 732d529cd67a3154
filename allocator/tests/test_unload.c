/* dlclose of the shared library while a thread has a heap of its own, which has to be given up when
 * that thread ends. */
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/tests/test_common.h"

static void *library;
static pthread_barrier_t gate;

static void *use_library(void *argument)
{
    void *(*allocate)(size_t) = (void *(*)(size_t))(uintptr_t)dlsym(library, "mem_malloc_ts");
    void (*release)(void *) = (void (*)(void *))(uintptr_t)dlsym(library, "mem_free_ts");

    release(allocate(100));
    (void)pthread_barrier_wait(&gate);
    (void)pthread_barrier_wait(&gate);
    return argument;
}

static void test_a_thread_and_a_fork_outlive_dlclose(void **state)
{
    pthread_t thread;
    int status;

    (void)state;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    assert_int_equal(pthread_barrier_init(&gate, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, use_library, NULL), 0);
    (void)pthread_barrier_wait(&gate);
    assert_int_equal(dlclose(library), 0);
    (void)pthread_barrier_wait(&gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_and_a_fork_outlive_dlclose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
