/* Notices threads that start and end. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "traces/recorder.h"

/* What a new thread needs to know; it lies outside of the heap that is being recorded. */
struct start {
    void *(*function)(void *argument);
    void *argument;
    uint32_t number_plus_1;
};

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static create_function *real_create;
static pthread_key_t exit_key;
static int has_exit_key;

/* Destructors of other keys still free memory, so this one puts itself off to the last round. */
static void note_exit(void *round)
{
    struct recorder_thread *self = &recorder_self;
    int was_inside = self->is_inside;
    self->is_inside = 1;
    uintptr_t number = (uintptr_t)round;
    if (number < PTHREAD_DESTRUCTOR_ITERATIONS &&
        !pthread_setspecific(exit_key, (void *)(number + 1))) {
        self->is_inside = was_inside;
        return;
    }
    uint64_t ticks = recorder_ticks();
    if (recorder_is_ready(self, ticks))
        recorder_write(self, ticks, SPOOL_THREAD_EXIT, 0, 0, 0);
    recorder_retire(self);
    self->is_inside = was_inside;
}

void recorder_watch_thread_exit(void)
{
    if (has_exit_key)
        pthread_setspecific(exit_key, (void *)1);
}

/* Early, so that the key is one of the few that take no memory from the heap. */
__attribute__((constructor)) static void prepare(void)
{
    recorder_self.is_inside = 1;
    recorder_resolve(); /* a program may create a thread before it allocates anything */
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real_create, &found, sizeof found);
    has_exit_key = !pthread_key_create(&exit_key, note_exit);
    if (has_exit_key && recorder_self.chunk)
        recorder_watch_thread_exit();
    recorder_self.is_inside = 0;
}

static void *begin(void *argument)
{
    struct start start = *(struct start *)argument;
    munmap(argument, sizeof start);
    recorder_self.number_plus_1 = start.number_plus_1;
    recorder_self.is_inside = 1;
    recorder_watch_thread_exit();
    recorder_self.is_inside = 0;
    return start.function(start.argument);
}

/* Writes that this thread starts or failed to start the one with that number. Returns whether it
 * could. */
static int record_thread(unsigned op, uint32_t number)
{
    struct recorder_thread *self = &recorder_self;
    if (self->is_inside)
        return 0;
    self->is_inside = 1;
    uint64_t ticks = recorder_ticks();
    int is_ready = recorder_is_ready(self, ticks);
    if (is_ready)
        recorder_write(self, ticks, op, 0, 0, number);
    self->is_inside = 0;
    return is_ready;
}

/* Makes sure that this thread has its number, so that the first thread of all gets number 0. */
static int is_recording(void)
{
    struct recorder_thread *self = &recorder_self;
    if (self->is_inside)
        return 0;
    self->is_inside = 1;
    int is_ready = recorder_is_ready(self, recorder_ticks());
    self->is_inside = 0;
    return is_ready;
}

RECORDER_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                   void *(*function)(void *), void *argument)
{
    if (!real_create)
        prepare();
    struct start *start = MAP_FAILED;
    if (is_recording())
        start =
            mmap(NULL, sizeof *start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return real_create(thread, attributes, function, argument);

    uint32_t number = atomic_fetch_add(&recorder_image.thread_count, 1);
    *start = (struct start){function, argument, number + 1};
    /* Before the thread exists, so that all its calls carry later stamps. */
    record_thread(TRACE_THREAD_START, number);
    int error = real_create(thread, attributes, begin, start);
    if (error) {
        munmap(start, sizeof *start);
        record_thread(SPOOL_THREAD_FAILED, number);
    }
    return error;
}
