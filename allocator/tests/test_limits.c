/* Limits: sizes and alignments up to the last, ten million objects at a time, heaps of 16 GiB.
 * Each test has a process of its own, where it is named as the program's argument. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "allocator/tests/test_process.h"
#include "allocator/tests/test_second_thread.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static void skip_where_memory_is_counted(void)
{
    if (IS_SANITIZED || !process_may_overcommit())
        skip();
}

/* --- what several tests need ---------------------------------------------------------------- */

/* Lets the process have so many bytes of addresses; returns the limit before. */
static struct rlimit limit_addresses(size_t bytes)
{
    struct rlimit before;

    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit few = {bytes, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &few), 0);
    return before;
}

/* --- sizes and alignments ------------------------------------------------------------------- */

/* Refused with ENOMEM, or good at both ends. */
static bool check_object(char *ptr, size_t size, size_t alignment)
{
    if (!ptr) {
        assert_int_equal(errno, ENOMEM);
        return false;
    }
    assert_true(is_aligned(ptr, alignment) && is_aligned(ptr, ALIGNMENT));
    assert_true(mem_usable_size(ptr) >= size);
    if (size > 0) {
        ptr[0] = 1;
        ptr[size - 1] = 2;
        assert_true(size == 1 || ptr[0] == 1);
    }
    return true;
}

static void try_size(size_t size, size_t alignment)
{
    errno = 0;
    char *ptr = mem_aligned_alloc_ts(alignment, opaque(size));
    bool was_given = check_object(ptr, size, alignment);

    /* One GiB beside all else is to be had on any machine that builds this. */
    assert_true(was_given || size > GIB || alignment > GIB);
    assert_false(was_given && size > PTRDIFF_MAX);
    mem_free_ts(ptr);
}

static void test_every_magnitude(void **state)
{
    (void)state;
    skip_where_memory_is_counted();
    mem_stats_t before = mem_get_stats();
    char *witness = mem_malloc_ts(100);
    strcpy(witness, "untouched");

    for (unsigned log_size = 0; log_size < 64; log_size++)
        for (unsigned log_align = 0; log_align < 64; log_align++)
            for (size_t delta = 0; delta < 3; delta++)
                try_size(((size_t)1 << log_size) - 1 + delta, (size_t)1 << log_align);
    for (size_t below = 0; below < 5000; below += 7)
        try_size(SIZE_MAX - below, 1);

    for (unsigned log_size = 33; log_size < 64; log_size++) {
        errno = 0;
        char *grown = mem_realloc_ts(witness, opaque((size_t)1 << log_size));
        check_object(grown, (size_t)1 << log_size, 1);
        if (!grown)
            continue;
        witness = grown;
        strcpy(witness, "untouched");
    }
    assert_string_equal(witness, "untouched");
    mem_free_ts(witness);
    assert_int_equal(mem_get_stats().current_usage, before.current_usage);
}

static void test_aligned_objects_side_by_side(void **state)
{
    enum { MOST = 64 };
    (void)state;
    skip_where_memory_is_counted();

    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        char *live[MOST];
        size_t sizes[MOST];
        for (size_t i = 0; i < MOST; i++) {
            sizes[i] = alignment / 2 + i * alignment / MOST + 1;
            live[i] = mem_aligned_alloc_ts(alignment, sizes[i]);
            assert_true(check_object(live[i], sizes[i], alignment));
            live[i][0] = live[i][sizes[i] - 1] = (char)i;
        }
        for (size_t i = 0; i < MOST; i++) {
            assert_true(live[i][0] == (char)i && live[i][sizes[i] - 1] == (char)i);
            mem_free_ts(live[i]);
        }
    }
}

/* --- many objects --------------------------------------------------------------------------- */

/* The table of live objects is the test's own, so that it counts for nothing. */
static void **new_table(size_t count)
{
    void **table = mmap(NULL, count * sizeof *table, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    assert_true(table != MAP_FAILED);
    return table;
}

static void shuffle(void **table, size_t count)
{
    uint64_t random = 5;

    for (size_t i = count - 1; i > 0; i--) {
        size_t other = random_below(&random, i + 1);
        void *swapped = table[i];
        table[i] = table[other];
        table[other] = swapped;
    }
}

/* Every second object first, so that each leaves a hole of its own. */
static void even_first(void **table, size_t count)
{
    for (size_t i = 1; i < count / 2; i++) {
        void *swapped = table[i];
        table[i] = table[2 * i];
        table[2 * i] = swapped;
    }
}

/* An object tells its size and every byte of it, wherever the shuffle took it. */
static uint64_t small_mark(const void *object, size_t size)
{
    return ((uintptr_t)object * UINT64_C(0x9E3779B97F4A7C15)) << 8 | size;
}

static void fill_small(void *object, size_t size)
{
    uint64_t mark = small_mark(object, size);

    for (size_t i = 0; i < size; i += sizeof mark)
        memcpy((char *)object + i, &mark, sizeof mark);
}

static bool is_whole_small(const void *object)
{
    uint64_t mark, word;

    memcpy(&mark, object, sizeof mark);
    size_t size = mark & 0xFF;
    if (size < 16 || size > 64 || mark != small_mark(object, size))
        return false;
    for (size_t i = 0; i < size; i += sizeof word) {
        memcpy(&word, (const char *)object + i, sizeof word);
        if (word != mark)
            return false;
    }
    return true;
}

static void test_ten_million_objects(void **state)
{
    enum { COUNT = 10000000 };
    (void)state;
    if (IS_SANITIZED)
        skip();
    void **live = new_table(COUNT);
    uint64_t random = 3;
    struct process_memory start = process_memory();

    for (size_t i = 0; i < COUNT; i++) {
        size_t size = 16 + 8 * random_below(&random, 7);
        live[i] = mem_malloc_ts(size);
        assert_non_null(live[i]);
        fill_small(live[i], size);
    }
    struct process_memory full = process_memory();
    shuffle(live, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        if (!is_whole_small(live[i]))
            fail_msg("object %zu at %p is damaged", i, live[i]);
        mem_free_ts(live[i]);
    }
    (void)mem_trim();
    struct process_memory end = process_memory();

    size_t grown = full.resident_bytes - start.resident_bytes;
    print_message("%zu MiB with all, %zu MiB after the trim\n", grown / MIB,
                  (end.resident_bytes - start.resident_bytes) / MIB);
    assert_true(grown > COUNT * (size_t)40);
    assert_true(end.resident_bytes - start.resident_bytes < grown / 20);
    assert_int_equal(mem_get_stats().current_usage, 0);
}

/* --- huge pages ----------------------------------------------------------------------------- */

static size_t resident_since(const struct process_memory *start)
{
    return process_memory().resident_bytes - start->resident_bytes;
}

/* What is not written holds no memory: little of a small heap's large objects, and of zeroed ones.
 */
static void test_large_objects_hold_what_is_written(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip();
    struct process_memory start = process_memory();
    char *small = mem_malloc(6 * MIB);
    char *zeroed = mem_calloc(1, 64 * MIB);
    assert_non_null(small);
    assert_non_null(zeroed);
    small[0] = 1;
    for (size_t at = 0; at < 64 * MIB; at += 4 * MIB)
        zeroed[at] = 1;
    assert_true(resident_since(&start) < MIB);
    mem_free(small);
    mem_free(zeroed);
}

/* An object that grows keeps its contents across the sizes from which on it has huge pages, and
 * holds, written in full, at most one of them more than its size. */
static void test_growth_through_huge_pages(void **state)
{
    (void)state;
    enum { PART = 300 * 1000, PARTS = 140 };
    struct process_memory start = process_memory();
    char *object = NULL;

    for (int parts = 1; parts <= PARTS; parts++) {
        size_t size = (size_t)parts * PART;
        object = mem_realloc(object, size);
        assert_non_null(object);
        memset(object + size - PART, parts, PART);
        if (!IS_SANITIZED)
            assert_true(resident_since(&start) < size + 3 * MIB);
    }
    for (int part = 1; part <= PARTS; part++) {
        assert_int_equal(object[(part - 1) * PART], (char)part);
        assert_int_equal(object[part * PART - 1], (char)part);
    }
    object = mem_realloc(object, (size_t)10 * PART);
    assert_non_null(object);
    assert_int_equal(object[10 * PART - 1], 10);
    mem_free(object);
}

/* Where addresses are scarce an object does without its place at a huge page. */
static void test_growth_in_little_room(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip();
    /* The least that a heap may reserve is taken before the limit is set. */
    mem_free(mem_malloc(1));
    struct rlimit before = limit_addresses(process_memory().mapped_bytes + 45 * MIB);
    char *object = mem_malloc(20 * MIB);
    assert_non_null(object);
    object[20 * MIB - 1] = 1;
    object = mem_realloc(object, 44 * MIB);
    assert_non_null(object);
    assert_int_equal(object[20 * MIB - 1], 1);
    mem_free(object);
    object = mem_malloc(44 * MIB);
    assert_non_null(object);
    mem_free(object);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

/* --- sixteen gibibytes ---------------------------------------------------------------------- */

/* Objects of `least` to `most` bytes, the first byte of each written, until all together have
 * `total` bytes; then freed in random order. */
static void fill_and_drain(size_t total, size_t least, size_t most, void (*order)(void **, size_t))
{
    size_t room = total / least + 1;
    void **live = new_table(room);
    uint64_t random = 11;
    size_t count = 0, bytes = 0;
    struct process_memory start = process_memory();

    while (bytes < total) {
        size_t size = least + random_below(&random, most - least + 1);
        char *object = mem_malloc_ts(size);
        assert_non_null(object);
        *object = 1;
        live[count++] = object;
        bytes += size;
    }
    struct process_memory full = process_memory();
    assert_true(mem_get_stats().current_usage >= total);
    order(live, count);
    for (size_t i = 0; i < count; i++)
        mem_free_ts(live[i]);
    (void)mem_trim();
    struct process_memory end = process_memory();

    print_message("%zu objects: %zu MiB resident, %zu after; %zu MiB mapped, %zu after\n", count,
                  (full.resident_bytes - start.resident_bytes) / MIB,
                  (end.resident_bytes - start.resident_bytes) / MIB,
                  (full.mapped_bytes - start.mapped_bytes) / MIB,
                  (end.mapped_bytes - start.mapped_bytes) / MIB);
    /* The page of the first byte, and one for the word at the end of a segment of blocks. */
    assert_true(full.resident_bytes - start.resident_bytes <
                2 * count * (size_t)sysconf(_SC_PAGESIZE) + 32 * MIB);
    assert_true(end.resident_bytes - start.resident_bytes < 32 * MIB);
    assert_int_equal(mem_get_stats().current_usage, 0);
    munmap(live, room * sizeof *live);
}

/* A huge page would back 2 MiB for the one byte that is written. */
static void without_huge_pages(void)
{
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
}

static void test_sparse_heap_of_all_sizes(void **state)
{
    (void)state;
    skip_where_memory_is_counted();
    without_huge_pages();
    fill_and_drain(16 * GIB, 64 * 1024, 64 * MIB, shuffle);
    fill_and_drain(16 * GIB, 64 * 1024, MIB, shuffle);
}

static void test_sparse_heap_of_blocks(void **state)
{
    (void)state;
    skip_where_memory_is_counted();
    without_huge_pages();
    fill_and_drain(16 * GIB, 80 * 1024, 100 * 1024, shuffle);
}

/* With a second thread the heap grows without the program break. */
static void test_sparse_heap_beside_the_break(void **state)
{
    (void)state;
    skip_where_memory_is_counted();
    without_huge_pages();

    pthread_t thread = begin_second_thread();
    void *untouched = sbrk(0);
    fill_and_drain(16 * GIB, 80 * 1024, 100 * 1024, shuffle);
    assert_ptr_equal(sbrk(0), untouched);
    end_second_thread(thread);
}

/* Every second of these freed leaves more holes than the kernel keeps apart (vm.max_map_count,
 * 65530 unless somebody changed it): some cannot be unmapped, and still hold no memory. */
static void test_more_holes_than_mappings(void **state)
{
    (void)state;
    skip_where_memory_is_counted();
    without_huge_pages();
    fill_and_drain(20 * GIB, 128 * 1024, 132 * 1024, even_first);
    try_size(MIB, 1);
    try_size(50000, 1);
}

/* The allocator reserves addresses by what it may have of them when it begins. */
static void begin_in_little_room(void)
{
    /* The first time the C library may map something for it. */
    (void)process_memory();
    struct rlimit before = limit_addresses(process_memory().mapped_bytes + 100 * 1024);
    mem_free(mem_malloc(40));
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

/* What the allocator knows of slabs of one size is of no use for another's, and room for it ends;
 * what live objects hold is not written over. */
static void test_slabs_of_ever_other_sizes(void **state)
{
    static const size_t sizes[] = {16, 32, 48};
    enum { LINE = 64 };
    struct node {
        struct node *next;
    } *objects = NULL, *object;
    char expected[LINE], *watched;

    (void)state;
    skip_where_memory_is_counted();
    begin_in_little_room();
    memset(expected, 0x5a, sizeof expected);
    watched = mem_malloc(sizeof expected);
    assert_non_null(watched);
    memcpy(watched, expected, sizeof expected);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t n = 0; n < 440 * MIB / sizes[i] && (object = mem_malloc(sizes[i])); n++) {
            object->next = objects;
            objects = object;
        }
        assert_memory_equal(watched, expected, sizeof expected);
        while ((object = objects) != NULL) {
            objects = object->next;
            mem_free(object);
        }
        (void)mem_idle();
    }
    mem_free(watched);
}

/* --- few addresses -------------------------------------------------------------------------- */

/* How many bytes of objects of one size there are in all; frees them.  When there are no more a
 * shorter one is still to be had for one of them. */
static size_t exhaust(size_t bytes)
{
    struct node {
        struct node *next;
    } *objects = NULL, *object;
    size_t sum = 0;

    for (; (object = mem_malloc_ts(bytes)) != NULL; sum += bytes) {
        object->next = objects;
        objects = object;
    }
    struct node *second = objects->next;
    assert_non_null(objects = mem_realloc_ts(objects, sizeof *objects));
    assert_ptr_equal(objects->next, second);
    while ((object = objects) != NULL) {
        objects = object->next;
        mem_free_ts(object);
    }
    (void)mem_idle();
    return sum;
}

/* What is reserved by a process of several threads that has no limit goes once it has one. */
static void test_a_limit_that_comes_late(void **state)
{
    enum { LIMIT_MIB = 1536, LEAST_MIB = 640 };
    (void)state;
    if (IS_SANITIZED)
        skip();
    mem_free_ts(mem_malloc_ts(100));
    pthread_t thread = begin_second_thread();
    /* More than the program break has: a range of the zone's own. */
    void *more = mem_malloc_ts(100000), *much = mem_malloc_ts(100000),
         *most = mem_malloc_ts(100000);
    assert_true(process_memory().mapped_bytes > 64 * GIB);
    struct rlimit before = limit_addresses(LIMIT_MIB * MIB);
    assert_in_range(exhaust(MIB), LEAST_MIB * MIB, LIMIT_MIB * MIB);
    assert_in_range(exhaust(100), LEAST_MIB * MIB, LIMIT_MIB * MIB);
    assert_in_range(exhaust(5000), LEAST_MIB * MIB, LIMIT_MIB * MIB);
    assert_true(process_memory().mapped_bytes <= LIMIT_MIB * MIB);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    mem_free_ts(more);
    mem_free_ts(much);
    mem_free_ts(most);
    end_second_thread(thread);
}

/* Reserved addresses count like used ones: what the allocator reserves leaves nearly all for
 * objects of any kind, whatever a process of so few uses them for first. */
static void exhaust_all_sizes(void)
{
    enum { ROOM_MIB = 256, MOST_OF_IT_MIB = 215 };
    static const size_t sizes[] = {MIB, 5000, 100, 50000, MIB};

    (void)process_memory();
    struct rlimit before = limit_addresses(process_memory().mapped_bytes + ROOM_MIB * MIB);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_in_range(exhaust(sizes[i]), MOST_OF_IT_MIB * MIB, ROOM_MIB * MIB);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
}

static void test_few_addresses(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip();
    exhaust_all_sizes();
}

static void test_few_addresses_and_threads(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip();
    pthread_t thread = begin_second_thread();
    exhaust_all_sizes();
    end_second_thread(thread);
}

/* --- more objects than have mappings of their own ------------------------------------------- */

/* Blocks serve what is more; but nothing moves for what nobody can have. */
static void test_more_objects_than_mappings(void **state)
{
    enum { OBJECTS = 17000 };
    static void *objects[OBJECTS];

    (void)state;
    skip_where_memory_is_counted();
    void *end = sbrk(0);
    for (int i = 0; i < OBJECTS; i++)
        assert_non_null(objects[i] = mem_malloc(MEM_MMAP_THRESHOLD));
    assert_true(sbrk(0) != end);
    end = sbrk(0);
    for (size_t align = ALIGNMENT; align > 0; align *= 2)
        for (size_t beyond = 0; beyond < PTRDIFF_MAX / 2; beyond = 3 * beyond + 1)
            assert_null(mem_aligned_alloc(align, opaque(PTRDIFF_MAX - beyond)));
    assert_ptr_equal(sbrk(0), end);
    for (int i = 0; i < OBJECTS; i++)
        mem_free(objects[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_magnitude),
        cmocka_unit_test(test_aligned_objects_side_by_side),
        cmocka_unit_test(test_ten_million_objects),
        cmocka_unit_test(test_large_objects_hold_what_is_written),
        cmocka_unit_test(test_growth_through_huge_pages),
        cmocka_unit_test(test_growth_in_little_room),
        cmocka_unit_test(test_sparse_heap_of_all_sizes),
        cmocka_unit_test(test_sparse_heap_of_blocks),
        cmocka_unit_test(test_sparse_heap_beside_the_break),
        cmocka_unit_test(test_more_holes_than_mappings),
        cmocka_unit_test(test_slabs_of_ever_other_sizes),
        cmocka_unit_test(test_more_objects_than_mappings),
        cmocka_unit_test(test_few_addresses),
        cmocka_unit_test(test_few_addresses_and_threads),
        cmocka_unit_test(test_a_limit_that_comes_late),
    };

    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
