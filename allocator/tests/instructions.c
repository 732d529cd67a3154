/* Calls one pair of functions COUNT times, for counting instructions: instructions FAMILY SIZE
 * COUNT.  FAMILY is plain, ts, null, which only frees NULL, or none for the loop alone; mixed
 * replaces one of some objects of 1 KiB to SIZE each time, whose sizes hardly ever come again soon;
 * burst allocates some such before it frees them all, again and again;
 * wave allocates COUNT objects before it frees the last of them first, and starts a thread half
 * way: the heap is in two parts, far from each other, and memory of both goes back to the system.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allocator/include/allocator.h"

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static void no_free(void *ptr)
{
    (void)ptr;
}

static void *do_nothing(void *argument)
{
    return argument;
}

static int play_wave(size_t size, size_t count)
{
    void **live = calloc(count, sizeof *live);
    pthread_t thread;

    if (!live)
        return 1;
    for (size_t i = 0; i < count; i++) {
        live[i] = mem_malloc_ts(size);
        if (i == count / 2) {
            if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
                return 1;
            pthread_join(thread, NULL);
        }
    }
    for (size_t i = count; i > 0; i--)
        mem_free_ts(live[i - 1]);
    free(live);
    return 0;
}

static uint32_t some_number(void)
{
    static uint32_t random = 1;

    /* Knuth, The Art of Computer Programming, 3.3.4. */
    return random = random * 1664525 + 1013904223;
}

/* 1 KiB to `most`. */
static size_t some_size(size_t most, uint32_t random)
{
    enum { LEAST = 1024 };

    return LEAST + (random >> 8 & 0xffff) * (most - LEAST) / 0xffff;
}

static int play_mixed(size_t most, size_t count)
{
    enum { LIVE = 64 };
    void *live[LIVE] = {0};

    while (count-- > 0) {
        uint32_t random = some_number();
        void **chosen = &live[random >> 26];
        mem_free(*chosen);
        *chosen = mem_malloc(some_size(most, random));
    }
    return 0;
}

static int play_burst(size_t most, size_t count)
{
    enum { BURST = 24 };
    void *live[BURST] = {0};

    for (size_t i = 0; i < count; i++) {
        if (i % BURST == 0)
            for (int place = 0; place < BURST; place++)
                mem_free(live[place]);
        live[i % BURST] = mem_malloc(some_size(most, some_number()));
    }
    return 0;
}

int main(int argc, char **argv)
{
    void *(*allocate)(size_t) = no_malloc;
    void (*release)(void *) = no_free;

    if (argc != 4)
        return 2;
    if (strcmp(argv[1], "plain") == 0) {
        allocate = mem_malloc;
        release = mem_free;
    } else if (strcmp(argv[1], "ts") == 0) {
        allocate = mem_malloc_ts;
        release = mem_free_ts;
    } else if (strcmp(argv[1], "null") == 0) {
        release = mem_free_ts;
    }
    size_t size = strtoul(argv[2], NULL, 10), count = strtoul(argv[3], NULL, 10);
    if (strcmp(argv[1], "wave") == 0)
        return play_wave(size, count);
    if (strcmp(argv[1], "mixed") == 0)
        return play_mixed(size, count);
    if (strcmp(argv[1], "burst") == 0)
        return play_burst(size, count);
    while (count-- > 0)
        release(allocate(size));
    return 0;
}
