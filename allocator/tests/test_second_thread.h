/* A second thread that allocates nothing, for what the allocator does only where there are several.
 * Of one test program, one at a time. */
#ifndef ALLOCATOR_TEST_SECOND_THREAD_H
#define ALLOCATOR_TEST_SECOND_THREAD_H

#include <pthread.h>

#include "allocator/tests/test_common.h"

/* It lives for as long as this is locked. */
static pthread_mutex_t second_thread_end = PTHREAD_MUTEX_INITIALIZER;

static inline void *second_thread_wait(void *argument)
{
    (void)pthread_mutex_lock(&second_thread_end);
    (void)pthread_mutex_unlock(&second_thread_end);
    return argument;
}

static inline pthread_t begin_second_thread(void)
{
    pthread_t thread;

    (void)pthread_mutex_lock(&second_thread_end);
    assert_int_equal(pthread_create(&thread, NULL, second_thread_wait, NULL), 0);
    return thread;
}

static inline void end_second_thread(pthread_t thread)
{
    (void)pthread_mutex_unlock(&second_thread_end);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#endif
