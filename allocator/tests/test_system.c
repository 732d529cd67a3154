/* The operating system's side: a foreign sbrk, a break that can't move, memory that goes back,
 * and the last words before an abort.  Each test runs in a process of its own, because each
 * spoils something for the next. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/tests/test_child.h"

enum { SMALL_COUNT = 20000, CHILD_FAILED = 1 };

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(CHILD_FAILED);                                            \
        }                                                                   \
    } while (0)

static size_t resident_bytes(void)
{
    char text[100] = "";
    int file = open("/proc/self/statm", O_RDONLY);
    size_t total = 0, resident = 0;

    REQUIRE(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    REQUIRE(sscanf(text, "%zu %zu", &total, &resident) == 2);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void expect_success(void (*body)(void))
{
    char said[500];
    int status = in_child(body, said, sizeof said);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("child ended with status %d: %s", status, said);
}

/* Many live objects of mixed sizes, written, checked and freed. */
static void exercise(void)
{
    static unsigned char *live[SMALL_COUNT];
    uint64_t random = 7;

    for (size_t i = 0; i < SMALL_COUNT; i++) {
        size_t size = 1 + random_below(&random, i % 50 ? 400 : 40000);
        live[i] = mem_malloc(size);
        REQUIRE(live[i] && is_aligned(live[i], ALIGNMENT));
        memset(live[i], (int)(i % 251), size);
        live[i][0] = (unsigned char)(i % 251);
    }
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        REQUIRE(live[i][0] == i % 251);
        mem_free(live[i]);
    }
}

static void foreign_sbrk(void)
{
    enum { STEPS = 200 };
    char *foreign[STEPS];
    char *ours[STEPS];

    for (int i = 0; i < STEPS; i++) {
        ours[i] = mem_malloc(30000);
        REQUIRE(ours[i]);
        memset(ours[i], 0x11, 30000);
        foreign[i] = sbrk(1000 + 64 * i);
        REQUIRE(foreign[i] != (char *)-1);
        memset(foreign[i], 0x22, (size_t)(1000 + 64 * i));
    }
    exercise();
    for (int i = 0; i < STEPS; i++) {
        REQUIRE(ours[i][0] == 0x11 && ours[i][29999] == 0x11);
        mem_free(ours[i]);
    }
    exercise();
    (void)mem_trim();
    for (int i = 0; i < STEPS; i++)
        REQUIRE(foreign[i][0] == 0x22 && foreign[i][999 + 64 * i] == 0x22);
}

/* Puts a page right above the break, where it can't pass. */
static void block_the_break(void)
{
    char *end = (char *)(((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095);

    REQUIRE(mmap(end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
            MAP_FAILED);
}

static void break_blocked_from_the_start(void)
{
    block_the_break();
    exercise();
}

static void break_blocked_later(void)
{
    exercise();
    char *live = mem_malloc(50000);
    memset(live, 5, 50000);
    block_the_break();
    for (int i = 0; i < 3; i++) {
        char *more[400];
        for (int k = 0; k < 400; k++) {
            REQUIRE((more[k] = mem_malloc(100000)) != NULL);
            more[k][99999] = 1;
        }
        exercise();
        for (int k = 0; k < 400; k++)
            mem_free(more[k]);
    }
    REQUIRE(live[0] == 5 && live[49999] == 5);
    mem_free(live);
}

/* With a soft limit of 0 Linux refuses to move the break and still maps private memory. */
static void no_break_allowed(void)
{
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_DATA, &limit) == 0);
    limit.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
    REQUIRE(sbrk(4096) == (void *)-1);
    exercise();
}

/* With any other limit it refuses both. */
static void no_data_allowed(void)
{
    struct rlimit limit;
    static void *live[100000];
    size_t count = 0;

    exercise();
    REQUIRE(getrlimit(RLIMIT_DATA, &limit) == 0);
    limit.rlim_cur = 4096;
    REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
    /* What the heap holds already still serves; then the answer is NULL, not a crash. */
    while (count < 100000 && (live[count] = mem_malloc(2000)) != NULL)
        count++;
    REQUIRE(count > 0 && count < 100000);
    REQUIRE(mem_malloc(1000000) == NULL);
    while (count > 0)
        mem_free(live[--count]);
    limit.rlim_cur = limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
    exercise();
}

static void little_address_space(void)
{
    struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};

    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    exercise();
    REQUIRE(mem_malloc((size_t)2 << 30) == NULL);
    exercise();
}

static void trim_gives_memory_back(void)
{
    enum { COUNT = 4000, BYTES = 10000 };
    static char *live[COUNT];
    size_t start = resident_bytes();

    for (int i = 0; i < COUNT; i++) {
        REQUIRE((live[i] = mem_malloc(BYTES)) != NULL);
        memset(live[i], 1, BYTES);
    }
    size_t full = resident_bytes();
    REQUIRE(full - start > (size_t)COUNT * BYTES * 9 / 10);
    for (int i = 0; i < COUNT; i++)
        mem_free(live[i]);
    (void)mem_trim();
    size_t trimmed = resident_bytes();
    REQUIRE(trimmed - start < (full - start) / 20);
    REQUIRE(mem_trim() == 0);
}

static void trim_works_between_live_objects(void)
{
    enum { COUNT = 2000, BYTES = 20000 };
    static char *live[COUNT];
    size_t start = resident_bytes();

    for (int i = 0; i < COUNT; i++) {
        REQUIRE((live[i] = mem_malloc(BYTES)) != NULL);
        memset(live[i], i, BYTES);
    }
    size_t full = resident_bytes();
    for (int i = 0; i < COUNT; i += 2)
        mem_free(live[i]);
    REQUIRE(mem_trim() > 0);
    /* Half is free; what is left of it are the pages shared with a live neighbour. */
    REQUIRE(resident_bytes() - start < (full - start) * 7 / 10);
    for (int i = 1; i < COUNT; i += 2)
        REQUIRE(live[i][0] == (char)i && live[i][BYTES - 1] == (char)i);
}

/* Without a trim: a program that goes on calling gets rid of what it no longer uses. */
static void memory_goes_back_while_running(void)
{
    enum { COUNT = 400000, BYTES = 100, MOST_CALLS = 100000000 };
    static char *live[COUNT];

    /* The array is not the allocator's. */
    memset(live, 1, sizeof live);
    size_t start = resident_bytes();
    for (int i = 0; i < COUNT; i++) {
        REQUIRE((live[i] = mem_malloc(BYTES)) != NULL);
        memset(live[i], 1, BYTES);
    }
    size_t full = resident_bytes();
    for (int i = 0; i < COUNT; i++)
        mem_free(live[i]);
    for (int calls = 0; resident_bytes() > start + (full - start) / 10; calls++) {
        REQUIRE(calls < MOST_CALLS / 1000);
        for (int i = 0; i < 1000; i++)
            mem_free(mem_malloc(3000));
    }
}

/* Where huge pages stay advised the kernel fills up, seconds later, what was purged. */
static void no_mapping_stays_advised(void)
{
    enum { COUNT = 400000, BYTES = 100 };
    static char *live[COUNT];
    char line[500];
    bool has_flags = false;

    for (int i = 0; i < COUNT; i++) {
        REQUIRE((live[i] = mem_malloc(BYTES)) != NULL);
        memset(live[i], 1, BYTES);
    }
    FILE *maps = fopen("/proc/self/smaps", "r");
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps)) {
        bool is_flags = strncmp(line, "VmFlags:", 8) == 0;
        has_flags |= is_flags;
        REQUIRE(!is_flags || !strstr(line, " hg"));
    }
    fclose(maps);
    REQUIRE(has_flags);
    for (int i = 0; i < COUNT; i++)
        mem_free(live[i]);
}

static void free_small_twice(void)
{
    char *ptr = mem_malloc(100);
    char *volatile again = ptr;

    mem_free(ptr);
    mem_free(again);
}

static void free_middle_twice(void)
{
    char *ptr = mem_malloc(5000);
    char *volatile again = ptr;
    void *neighbour = mem_malloc(5000);

    mem_free(ptr);
    mem_free(again);
    mem_free(neighbour);
}

/* Held by the front, which begins with the first free. */
static void free_held_twice(void)
{
    char *first = mem_malloc(3000), *ptr = mem_malloc(5000);
    char *volatile again = ptr;

    mem_free(first);
    mem_free(ptr);
    memset(again, 0, sizeof(void *)); /* a write after the free, where programs keep their links */
    mem_free(again);
}

static void free_large_twice(void)
{
    char *ptr = mem_malloc(500000);
    char *volatile again = ptr;

    mem_free(ptr);
    mem_free(again);
}

static void free_the_stack(void)
{
    char array[64];
    char *volatile ptr = array + 16;

    mem_free(ptr);
}

static void free_an_odd_address(void)
{
    char *ptr = mem_malloc(5000);
    char *volatile odd = ptr + 3;

    mem_free(odd);
}

/* The front takes any address within a slab; it shows when that goes back. */
static void free_inside_a_small_object(void)
{
    char *ptr = mem_malloc(48);
    char *volatile inside = ptr + 16;

    mem_free(inside);
    (void)mem_idle();
}

/* 170 objects of 48 bytes leave 32 bytes of a slab. */
static void free_behind_a_slabs_objects(void)
{
    enum { SLAB_BYTES = 8192 };
    char *ptr = mem_malloc(48);
    char *volatile behind = ptr - (uintptr_t)ptr % SLAB_BYTES + 170 * 48;

    mem_free(behind);
    (void)mem_idle();
}

static void free_an_instances_block(void)
{
    char *volatile ptr = mem_heap_malloc(mem_heap_new(), 5000);

    mem_free(ptr);
}

static void free_an_instances_mapping(void)
{
    char *volatile ptr = mem_heap_malloc(mem_heap_new(), 500000);

    mem_free(ptr);
}

static void free_a_block_to_an_instance(void)
{
    char *ptr = mem_malloc(5000);

    mem_heap_free(mem_heap_new(), ptr);
}

static void overrun_a_block(void)
{
    char *ptr = mem_malloc(5000);
    char *neighbour = mem_malloc(5000);
    volatile size_t bytes = mem_usable_size(ptr) + 8;

    memset(ptr, 0, bytes);
    mem_free(ptr);
    mem_free(neighbour);
}

static void test_foreign_sbrk(void **state)
{
    (void)state;
    expect_success(foreign_sbrk);
}

static void test_break_refused(void **state)
{
    (void)state;
    expect_success(break_blocked_from_the_start);
    expect_success(break_blocked_later);
}

/* A sanitizer's run time maps terabytes for itself and keeps books of all memory in more memory:
 * limits hit it first, and resident bytes tell nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = true };
#else
enum { IS_SANITIZED = false };
#endif

static void test_limits(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip();
    expect_success(no_break_allowed);
    expect_success(no_data_allowed);
    expect_success(little_address_space);
}

static void test_trim(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip();
    expect_success(trim_gives_memory_back);
    expect_success(trim_works_between_live_objects);
    expect_success(memory_goes_back_while_running);
    expect_success(no_mapping_stays_advised);
}

static void test_double_free(void **state)
{
    (void)state;
    expect_abort(free_small_twice, "double free");
    expect_abort(free_middle_twice, "double free");
    expect_abort(free_held_twice, "double free");
    expect_abort(free_large_twice, "invalid pointer");
}

static void test_invalid_pointer(void **state)
{
    (void)state;
    expect_abort(free_the_stack, "invalid pointer");
    expect_abort(free_an_odd_address, "invalid pointer");
    expect_abort(free_inside_a_small_object, "invalid pointer");
    expect_abort(free_behind_a_slabs_objects, "invalid pointer");
    expect_abort(free_an_instances_block, "invalid pointer");
    expect_abort(free_an_instances_mapping, "invalid pointer");
    expect_abort(free_a_block_to_an_instance, "invalid pointer");
}

static void test_corruption(void **state)
{
    (void)state;
    expect_abort(overrun_a_block, "heap corrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_sbrk), cmocka_unit_test(test_break_refused),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_trim),
        cmocka_unit_test(test_double_free),  cmocka_unit_test(test_invalid_pointer),
        cmocka_unit_test(test_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
