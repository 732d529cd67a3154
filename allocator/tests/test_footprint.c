/* What a small program holds: the allocator's own tables are packed, and most of them untouched. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "allocator/tests/test_common.h"

enum { PAGE_BYTES = 4096 };

/* Pages of this process that are its own and hold memory. */
static long own_pages(void)
{
    static char text[4096];
    long kib = -1;

    int file = open("/proc/self/smaps_rollup", O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    (void)close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *line = strstr(text, "\nAnonymous:");
    if (line)
        (void)sscanf(line, "\nAnonymous: %ld", &kib);
    return kib < 0 ? -1 : kib * 1024 / PAGE_BYTES;
}

/* Allocates, writes and frees an object; returns how many more pages the process has after that. */
static long pages_for(size_t bytes)
{
    long before = own_pages();
    void *object = mem_malloc_ts(bytes);

    assert_non_null(object);
    memset(object, 1, bytes);
    mem_free_ts(object);
    return own_pages() - before;
}

/* What was measured, and two for another compiler's or linker's layout. */
static void test_few_pages(void **state)
{
    const long large_pages = 200000 / PAGE_BYTES + 1;

    (void)state;
    /* The first time touches what measures. */
    if (own_pages() < 0 || own_pages() < 0)
        skip();
    assert_in_range(pages_for(40), 1, 5 + 2);
    assert_in_range(pages_for(40), 0, 0);
    assert_in_range(pages_for(5000), 1, 2 + 2);
    assert_in_range(pages_for(200000), large_pages, large_pages + 2 + 2);
}

static void *use_small_and_block(void *pages)
{
    *(long *)pages = pages_for(40) + pages_for(5000);
    return NULL;
}

/* Beside its stack and what the C library holds for it. */
static void test_few_pages_for_a_thread(void **state)
{
    pthread_t thread;
    long pages;

    (void)state;
    if (own_pages() < 0)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, use_small_and_block, &pages), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(pages, 0, 1 + 2);
}

static void *use_blocks(void *pages)
{
    enum { COUNT = 32, BYTES = 1024 };
    void *objects[COUNT];

    for (int i = 0; i < COUNT; i++) {
        objects[i] = mem_malloc_ts(BYTES);
        assert_non_null(objects[i]);
        memset(objects[i], 1, BYTES);
    }
    for (int i = 0; i < COUNT; i++)
        mem_free_ts(objects[i]);
    *(long *)pages = own_pages();
    return NULL;
}

/* What one thread had in blocks is there for the slabs of the next one. */
static void test_threads_in_turn(void **state)
{
    (void)state;
    long pages[3] = {0};

    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, use_blocks, &pages[i]), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    if (pages[0] < 0)
        skip();
    assert_in_range(pages[1], 0, pages[0] + 3);
    assert_in_range(pages[2], 0, pages[1] + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_pages),
        cmocka_unit_test(test_few_pages_for_a_thread),
        cmocka_unit_test(test_threads_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
