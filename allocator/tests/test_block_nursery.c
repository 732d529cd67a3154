/* The nursery for blocks; this test looks inside the library. */
#include <pthread.h>
#include <stdatomic.h>

#include "allocator/heaps.h"
#include "allocator/tests/block_verify.h"
#include "allocator/tests/test_child.h"
#include "allocator/tests/test_process.h"

/* SIZE is one for which no other free block will do. */
enum { LONG = 300 * 1024, SIZE = 16000, LIVE = 200, ROUNDS = 300 };

static struct block_heap blocks;
static struct block_nursery nursery;

static void *cut(size_t bytes)
{
    void *ptr = block_nursery_alloc(&nursery, block_size_for(bytes));

    if (ptr) {
        assert_true(is_aligned(ptr, ALIGNMENT));
        assert_true(block_usable(ptr) >= bytes);
        assert_true(block_nursery_holds(&nursery, ptr));
        assert_true(block_nursery_holds(&nursery, (char *)ptr + bytes - 1));
    }
    return ptr;
}

static void give(void *ptr)
{
    size_t usable = block_usable(ptr);

    assert_int_equal(block_nursery_free(&nursery, ptr), usable);
}

static void retire(void)
{
    assert_true(block_nursery_retire(&nursery, &blocks));
    assert_null(nursery.start);
    assert_false(block_nursery_retire(&nursery, &blocks));
}

static void free_block(void *ptr)
{
    /* What is dead in a nursery is used to others, but does not say so. */
    if (!nursery.start)
        assert_null(block_verify(&blocks, ptr));
    (void)block_free(&blocks, ptr);
}

/* A nursery in a long free block, which used ones surround. */
static void *neighbours[2];

static int set_up(void **state)
{
    (void)state;
    nursery = (struct block_nursery){0};
    neighbours[0] = block_alloc(&blocks, 2000, ALIGNMENT, true);
    void *middle = block_alloc(&blocks, LONG, ALIGNMENT, true);
    neighbours[1] = block_alloc(&blocks, 2000, ALIGNMENT, true);
    (void)block_free(&blocks, middle);
    return block_nursery_begin(&nursery, &blocks, SIZE) ? 0 : -1;
}

static void free_what_lives(void)
{
    void *live[LIVE];
    unsigned count = 0;

    for (struct block *block = block_at(nursery.start, 0); (char *)block < nursery.end;
         block = block_after(block))
        if (block_is_used(block))
            live[count++] = block_payload(block);
    retire();
    while (count > 0)
        free_block(live[--count]);
}

static int tear_down(void **state)
{
    (void)state;
    if (nursery.start)
        free_what_lives();
    for (int i = 0; i < 2; i++)
        if (neighbours[i])
            free_block(neighbours[i]);
    (void)block_trim(&blocks);
    return zone.owned_units == zone.free_units ? 0 : -1;
}

static void test_one_after_the_other(void **state)
{
    (void)state;
    char *first = cut(1000), *second = cut(5000), *third = cut(600);

    assert_ptr_equal(second, first + block_size_for(1000));
    assert_ptr_equal(third, second + block_size_for(5000));
    /* The topmost one makes room, others only once all are gone. */
    give(third);
    assert_ptr_equal(cut(700), third);
    give(second);
    char *fourth = cut(800);
    assert_true(fourth > third);
    give(fourth);
    give(third);
    give(first);
    assert_int_equal(nursery.live_bytes, 0);
    assert_ptr_equal(cut(4000), first);
}

static void test_until_there_is_no_room(void **state)
{
    (void)state;
    size_t bytes = 0, room = (size_t)(nursery.end - nursery.start);
    void *ptr, *last = NULL;

    while ((ptr = cut(9000)) != NULL) {
        bytes += block_size(ptr);
        last = ptr;
    }
    assert_true(bytes <= room && room - bytes < 9016);
    /* What no block could have is part of the last. */
    size_t rest = room - bytes;
    if (rest >= MEM_MIN_BLOCK_SIZE + MEM_ALIGNMENT) {
        assert_non_null(ptr = cut(rest - MEM_ALIGNMENT - BLOCK_TAG_BYTES));
        assert_ptr_equal((char *)ptr - BLOCK_TAG_BYTES + block_size(ptr), nursery.end);
        last = ptr;
    }
    assert_ptr_equal(nursery.top, nursery.end);
    give(last);
    assert_ptr_equal(cut(64), last);
}

/* What lives on is a block like all others, and what died is free, as long as can be. */
static void test_what_retires(void **state)
{
    (void)state;
    char *live[LIVE] = {0};
    uint64_t random = 11;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 30; i++) {
            unsigned place = (unsigned)random_below(&random, LIVE);
            if (live[place] && block_nursery_holds(&nursery, live[place]))
                give(live[place]);
            else if (live[place])
                free_block(live[place]);
            size_t bytes = 600 + random_below(&random, 12000);
            live[place] = cut(bytes);
            if (live[place])
                memset(live[place], (int)place, bytes);
        }
        if (nursery.start)
            retire();
        assert_null(block_verify(&blocks, neighbours[0]));
        for (int place = 0; place < LIVE; place++)
            if (live[place])
                assert_int_equal((unsigned char)live[place][500], place);
        (void)block_nursery_begin(&nursery, &blocks, SIZE);
    }
    if (nursery.start)
        retire();
    for (int place = 0; place < LIVE; place++)
        if (live[place])
            free_block(live[place]);
}

static void test_all_of_it_merges(void **state)
{
    (void)state;
    char *dead = cut(3000);

    (void)cut(700);
    (void)block_free(&blocks, neighbours[0]);
    neighbours[0] = NULL;
    give(dead);
    retire();
    /* With what was free before it, the fence and the first block. */
    struct block *block = block_of(dead + block_size_for(3000));
    assert_false(block->tag & (BLOCK_TAG_PREVIOUS_USED | BLOCK_TAG_NURSERY));
    assert_true(*block_footer_before(block) >=
                block_size_for(2000) + MEM_MIN_BLOCK_SIZE + block_size_for(3000));
    free_block(block_payload(block));
}

/* Nothing short is worth it. */
static void test_begins_where_much_is_free(void **state)
{
    (void)state;
    void *all = NULL;
    struct block_nursery other = {0};

    retire();
    for (size_t bytes = LONG; !all; bytes -= 16)
        all = block_alloc(&blocks, bytes, ALIGNMENT, false);
    assert_true(block_nursery_may_serve(&other, 2000));
    assert_false(block_nursery_begin(&other, &blocks, SIZE));
    other.waits = 2;
    assert_false(block_nursery_may_serve(&other, 2000));
    assert_false(block_nursery_may_serve(&other, 2000));
    assert_true(block_nursery_may_serve(&other, 2000));
    assert_false(block_nursery_may_serve(&other, 400));
    assert_false(block_nursery_may_serve(&other, 20000));
    free_block(all);
    assert_true(block_nursery_begin(&other, &blocks, SIZE));
    assert_true(block_nursery_retire(&other, &blocks));
}

/* The shortest that will do, so that long ones stay whole. */
static void test_begins_where_little_is_lost(void **state)
{
    (void)state;
    enum { HOLE = 24000, WANTED = HOLE - 992 };
    struct block_nursery other = {0};
    void *hole = cut(HOLE), *behind = cut(1000);

    give(hole);
    retire();
    assert_true(block_nursery_may_begin(&blocks, WANTED));
    assert_true(block_nursery_begin(&other, &blocks, WANTED));
    assert_in_range(other.end - other.start, HOLE - MEM_MIN_BLOCK_SIZE,
                    HOLE + 2 * MEM_MIN_BLOCK_SIZE);
    void *in_hole = block_nursery_alloc(&other, WANTED);
    assert_non_null(in_hole);
    assert_null(block_nursery_alloc(&other, WANTED));
    assert_true(block_nursery_retire(&other, &blocks));
    free_block(in_hole);
    free_block(behind);
}

static void test_others_free(void **state)
{
    (void)state;
    char *first = cut(2000), *second = cut(3000);

    (void)cut(4000);
    assert_int_equal(block_free(&blocks, second), block_size_for(3000) - BLOCK_TAG_BYTES);
    /* Its owner does not know of it. */
    assert_int_equal(nursery.live_bytes,
                     block_size_for(2000) + block_size_for(3000) + block_size_for(4000));
    assert_true((char *)cut(1000) > second);
    give(first);
    retire();
    assert_null(block_verify(&blocks, neighbours[0]));
    struct block *dead = block_at(second, block_size_for(3000) - BLOCK_TAG_BYTES);
    assert_false(dead->tag & BLOCK_TAG_PREVIOUS_USED);
    char *third = block_payload(dead), *fourth = third + block_size_for(4000);
    free_block(third);
    free_block(fourth);
}

static void test_resize(void **state)
{
    (void)state;
    char *below = cut(2000), *top = cut(2000);

    memset(top, 5, 2000);
    assert_true(block_nursery_resize(&nursery, top, block_size_for(9000)));
    assert_true(block_usable(top) >= 9000);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(top[i], 5);
    assert_true(block_nursery_resize(&nursery, top, block_size_for(1000)));
    assert_int_equal(block_size(top), block_size_for(1000));
    assert_false(block_nursery_resize(&nursery, top, LONG));
    assert_false(block_nursery_resize(&nursery, below, block_size_for(3000)));
    assert_false(block_nursery_resize(&nursery, below, block_size_for(1000)));
    assert_true(block_nursery_resize(&nursery, below, block_size_for(1900)));
    /* For whoever is not its owner. */
    assert_false(block_resize(&blocks, top, 3000));
    assert_true(block_resize(&blocks, top, 900));
    assert_ptr_equal(cut(500), top + block_size_for(1000));
}

/* A fork may come between two stores of another thread: each state in which its memory may be. */
static void test_recount(void **state)
{
    (void)state;
    char *first = cut(1000), *second = cut(2000), *third = cut(3000);
    struct block_nursery before = nursery;

    /* Cut, but not counted. */
    char *fourth = cut(4000);
    nursery = before;
    block_nursery_recount(&nursery);
    assert_int_equal(nursery.live_bytes, before.live_bytes + block_size_for(4000));
    assert_true((char *)cut(600) > fourth);
    /* Room made, but no block cut. */
    before = nursery;
    block_nursery_lower(&nursery, nursery.top + 640);
    block_nursery_recount(&nursery);
    assert_ptr_equal(nursery.top, before.top);
    /* Marked, and nothing else. */
    block_set_tag(block_of(second), block_size(second) | BLOCK_TAG_PREVIOUS_USED);
    block_nursery_recount(&nursery);
    assert_int_equal(nursery.live_bytes, before.live_bytes - block_size_for(2000));
    give(third);
    give(first);
    give(fourth);
    assert_int_equal(nursery.live_bytes, block_size_for(600));
    /* One half of what tells where it is. */
    struct block_nursery begun[2] = {{.start = nursery.start}, {.end = nursery.end}};
    for (int i = 0; i < 2; i++) {
        block_nursery_recount(&begun[i]);
        assert_null(begun[i].start);
        assert_null(begun[i].end);
    }
}

/* The first of two. */
static char *cut_two(void)
{
    char *first = cut(2000);

    (void)cut(3000);
    return first;
}

static void free_twice(void)
{
    char *ptr = cut_two();

    (void)block_nursery_free(&nursery, ptr);
    (void)block_nursery_free(&nursery, ptr);
}

static void free_the_last_twice(void)
{
    (void)cut_two();
    char *last = cut(700);

    (void)block_nursery_free(&nursery, last);
    (void)block_nursery_free(&nursery, last);
}

static void free_inside(void)
{
    char *ptr = cut_two();

    memset(ptr, 0, 2000);
    (void)block_nursery_free(&nursery, ptr + opaque(64));
}

static void others_free_twice(void)
{
    char *ptr = cut_two();

    (void)block_free(&blocks, ptr);
    (void)block_free(&blocks, ptr);
}

static void write_behind_the_end(void)
{
    char *ptr = cut_two();

    memset(ptr, 0, block_usable(ptr) + BLOCK_TAG_BYTES);
    (void)block_nursery_retire(&nursery, &blocks);
}

static void test_mistakes(void **state)
{
    (void)state;
    expect_abort(free_twice, "double free");
    expect_abort(free_the_last_twice, "double free");
    expect_abort(free_inside, "invalid pointer");
    expect_abort(others_free_twice, "double free");
    expect_abort(write_behind_the_end, "heap corrupted");
}

/* --- through the entry points --------------------------------------------------------------- */

enum { BURST = 60 };

/* Bursts of blocks whose sizes hardly ever come again; every seventh one lives through the next
 * ones.  Returns whether the nursery served any. */
static bool run_bursts(struct heap *heap, unsigned rounds, uint64_t random)
{
    static __thread unsigned char *old[BURST];
    bool has_served = false;

    for (unsigned round = 0; round < rounds; round++) {
        unsigned char *fresh[BURST];
        for (int i = 0; i < BURST; i++) {
            size_t bytes = 600 + random_below(&random, 15000);
            fresh[i] = mem_malloc_ts(bytes);
            has_served |= block_nursery_holds(&heap->nursery, fresh[i]);
            memset(fresh[i], i, bytes);
        }
        for (int i = 0; i < BURST; i++) {
            int chosen = round % 2 ? BURST - 1 - i : i;
            if (fresh[chosen][599] != chosen || (old[chosen] && old[chosen][599] != chosen))
                abort();
            mem_free_ts(old[chosen]);
            old[chosen] = chosen % 7 == 0 ? fresh[chosen] : NULL;
            if (!old[chosen])
                mem_free_ts(fresh[chosen]);
        }
    }
    for (int i = 0; i < BURST; i++) {
        mem_free_ts(old[i]);
        old[i] = NULL;
    }
    return has_served;
}

static void *run_thread(void *seed)
{
    mem_free_ts(mem_malloc_ts(1));
    return run_bursts(heaps_current, ROUNDS, (uintptr_t)seed) ? seed : NULL;
}

static void test_bursts(void **state)
{
    (void)state;
    pthread_t threads[2];
    void *result;

    assert_non_null(run_thread((void *)3));
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, (void *)(i + 5)), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    (void)mem_idle();
    assert_null(heaps_current->nursery.start);
}

static atomic_bool stop;

static void *run_until_stopped(void *seed)
{
    mem_free_ts(mem_malloc_ts(1));
    for (uintptr_t random = (uintptr_t)seed; !atomic_load(&stop); random++)
        (void)run_bursts(heaps_current, 3, random);
    return NULL;
}

/* The heaps that threads left in the middle of a call are the child's threads'. */
static void child_of_fork(void)
{
    pthread_t threads[2];

    (void)run_bursts(heaps_current, 10, 41);
    for (uintptr_t i = 0; i < 2 && !IS_THREAD_SANITIZED; i++)
        if (pthread_create(&threads[i], NULL, run_thread, (void *)(i + 43)) != 0)
            _exit(1);
    for (int i = 0; i < 2 && !IS_THREAD_SANITIZED; i++)
        pthread_join(threads[i], NULL);
    (void)mem_idle();
    _exit(0);
}

static void test_fork_amid_bursts(void **state)
{
    (void)state;
    enum { FORKS = 20 };
    pthread_t threads[2];

    mem_free_ts(mem_malloc_ts(1));
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, run_until_stopped, (void *)((i + 1) * 1000)), 0);
    for (int i = 0; i < FORKS; i++) {
        int status = -1;
        (void)run_bursts(heaps_current, 2, 37);
        pid_t child = fork();
        if (child == 0)
            child_of_fork();
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void *free_all(void *objects)
{
    for (void **object = objects; *object; object++)
        mem_free_ts(*object);
    return NULL;
}

/* What one thread's nursery gave away another one frees, while the first goes on. */
static void test_freed_by_another_thread(void **state)
{
    (void)state;
    pthread_t thread;
    void *given[BURST + 1] = {0};
    uint64_t random = 17;
    bool has_served = false;

    for (int round = 0; round < ROUNDS; round++) {
        has_served |= run_bursts(heaps_current, 2, random_next(&random));
        for (int i = 0; i < BURST; i++) {
            given[i] = mem_malloc_ts(600 + random_below(&random, 15000));
            memset(given[i], 1, 600);
        }
        assert_int_equal(pthread_create(&thread, NULL, free_all, given), 0);
        has_served |= run_bursts(heaps_current, 2, random_next(&random));
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_true(has_served);
}

static void test_what_grows_and_shrinks(void **state)
{
    (void)state;
    uint64_t random = 23;

    for (int round = 0; round < ROUNDS; round++) {
        (void)run_bursts(heaps_current, 1, random_next(&random));
        size_t bytes = 600 + random_below(&random, 9000);
        unsigned char *ptr = mem_malloc_ts(bytes);
        memset(ptr, 7, bytes);
        for (int i = 0; i < 20; i++) {
            size_t wanted = 1 + random_below(&random, i % 5 ? 16000 : 300000);
            assert_non_null(ptr = mem_realloc_ts(ptr, wanted));
            assert_true(mem_usable_size(ptr) >= wanted);
            for (size_t at = 0; at < (bytes < wanted ? bytes : wanted); at++)
                assert_int_equal(ptr[at], 7);
            memset(ptr, 7, wanted);
            bytes = wanted;
        }
        mem_free_ts(ptr);
    }
}

/* An instance's lies in its own memory, all of which goes at once. */
static void test_of_an_instance(void **state)
{
    (void)state;
    mem_heap_t *heap = mem_heap_new();
    uint64_t random = 29;

    assert_non_null(heap);
    for (int round = 0; round < ROUNDS; round++) {
        void *fresh[BURST];
        for (int i = 0; i < BURST; i++)
            assert_non_null(fresh[i] = mem_heap_malloc(heap, 600 + random_below(&random, 15000)));
        for (int i = 0; i < BURST; i++)
            if (i % 9 || round % 20)
                mem_heap_free(heap, fresh[i]);
    }
    mem_heap_destroy(heap);
}

int main(int argc, char **argv)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_one_after_the_other),
        CASE(test_until_there_is_no_room),
        CASE(test_what_retires),
        CASE(test_all_of_it_merges),
        CASE(test_begins_where_much_is_free),
        CASE(test_begins_where_little_is_lost),
        CASE(test_others_free),
        CASE(test_resize),
        CASE(test_recount),
        CASE(test_mistakes),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_fork_amid_bursts),
        cmocka_unit_test(test_freed_by_another_thread),
        cmocka_unit_test(test_what_grows_and_shrinks),
        cmocka_unit_test(test_of_an_instance),
    };
    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
