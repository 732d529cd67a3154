/* The front for blocks; this test looks inside the library. */
#include "allocator/block_front.h"
#include "allocator/heaps.h"
#include "allocator/tests/test_common.h"

static struct block_heap blocks;
static struct block_front front;

static void *fresh(size_t bytes)
{
    void *ptr = block_alloc(&blocks, bytes, ALIGNMENT, true);

    assert_non_null(ptr);
    return ptr;
}

/* As heap.c does; returns whether the front took it. */
static bool give(void *ptr)
{
    size_t size = block_front_takes(&front, ptr);

    if (size == 0)
        (void)block_front_pass(&front, &blocks, ptr);
    else if (block_front_refuses(&front, size))
        (void)block_free(&blocks, ptr);
    else if (block_front_has_room(&front, size))
        block_front_hold(&front, ptr, size);
    else
        block_front_hold_in_place(&front, &blocks, ptr, size);
    return size != 0;
}

static void *pop(size_t bytes, size_t align)
{
    size_t usable = 0;
    void *ptr = block_front_pop(&front, bytes, align, &usable);

    if (ptr)
        assert_int_equal(usable, block_usable(ptr));
    return ptr;
}

static bool is_held(const void *ptr)
{
    for (unsigned place = 0; place < BLOCK_FRONT_PLACES; place++)
        if ((front.held >> place & 1) && front.blocks[place] == ptr)
            return true;
    return false;
}

static void verify(void)
{
    size_t held_bytes = 0;

    for (unsigned place = 0; place < BLOCK_FRONT_PLACES; place++) {
        bool has_block = front.held >> place & 1;
        assert_int_equal(has_block, front.sizes[place] != 0);
        if (has_block)
            assert_int_equal(front.sizes[place] * ALIGNMENT, block_size(front.blocks[place]));
        held_bytes += (size_t)front.sizes[place] * ALIGNMENT;
    }
    assert_int_equal(front.held_bytes, held_bytes);
    assert_true(held_bytes <= front.most_bytes);
}

static int set_up(void **state)
{
    (void)state;
    front = (struct block_front){.most_bytes = 64 * 1024};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)block_front_flush(&front, &blocks);
    verify();
    (void)block_trim(&blocks);
    return zone.owned_units == zone.free_units ? 0 : -1;
}

/* The search by vectors, on every place, against one by one. */
static void test_match_is_a_range_of_sizes(void **state)
{
    (void)state;
    static const uint16_t edges[] = {0, 1, 32, 33, 34, 4095, 4096, 8193, 32767, 32768, 65535};
    struct block_front some = {0};
    uint64_t random = 5;

    for (int round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < BLOCK_FRONT_PLACES; i++)
            some.sizes[i] = edges[random_below(&random, sizeof edges / sizeof *edges)];
        uint16_t least = edges[random_below(&random, sizeof edges / sizeof *edges)];
        uint16_t more = edges[random_below(&random, sizeof edges / sizeof *edges)];
        uint32_t match = block_front_match(&some, least, more);
        for (unsigned i = 0; i < BLOCK_FRONT_PLACES; i++)
            assert_int_equal(match >> i & 1, (uint16_t)(some.sizes[i] - least) <= more);
    }
}

static void test_the_last_held_that_fits(void **state)
{
    (void)state;
    char *first = fresh(4000), *second = fresh(4000), *larger = fresh(4200), *small = fresh(1000);

    assert_true(give(first) && give(second) && give(larger) && give(small));
    verify();
    assert_null(pop(5000, ALIGNMENT));
    /* A sixteenth larger at most. */
    assert_null(pop(3000, ALIGNMENT));
    assert_ptr_equal(pop(3970, ALIGNMENT), larger);
    /* One of just that size before those that were held later. */
    assert_true(give(larger));
    assert_ptr_equal(pop(4000, ALIGNMENT), second);
    assert_ptr_equal(pop(4000, ALIGNMENT), larger);
    assert_ptr_equal(pop(4000, ALIGNMENT), first);
    assert_null(pop(4000, ALIGNMENT));
    verify();
    (void)block_free(&blocks, first);
    (void)block_free(&blocks, second);
    (void)block_free(&blocks, larger);
}

/* What is held may be larger than asked for by a sixteenth: 4016 bytes with the tag, so 4267. */
static void test_how_much_larger(void **state)
{
    (void)state;
    char *fits = fresh(4256 - BLOCK_TAG_BYTES), *too_large = fresh(4272 - BLOCK_TAG_BYTES);

    assert_true(give(fits) && give(too_large));
    assert_ptr_equal(pop(4000, ALIGNMENT), fits);
    assert_null(pop(4000, ALIGNMENT));
    (void)block_free(&blocks, fits);
}

/* A spill for each round; `bytes` are asked for again, or not. */
static void spill(int rounds, size_t bytes, bool is_wanted)
{
    for (int i = 0; i < rounds; i++) {
        void *others[4];
        for (int k = 0; k < 4; k++)
            others[k] = fresh(bytes);
        for (int k = 0; k < 4; k++)
            (void)give(others[k]);
        if (is_wanted)
            (void)block_free(&blocks, pop(bytes, ALIGNMENT));
    }
}

static void test_the_bound_follows_use(void **state)
{
    (void)state;
    front.most_bytes = 0;
    assert_false(give(fresh(1000)));
    size_t first = front.most_bytes;
    assert_true(first > 0);
    spill(200, 6000, true);
    verify();
    assert_true(front.most_bytes >= 4 * first && front.held_bytes > first);
    /* Nothing is asked for again, and what comes is too large to be held. */
    spill(40, 100000, false);
    verify();
    assert_int_equal(front.most_bytes, first);
}

/* A program that uses one buffer at a time, larger than what may be held at first. */
static void test_the_bound_follows_what_it_refused(void **state)
{
    (void)state;
    enum { BYTES = 40000, ROUNDS = 100 };
    int served = 0;

    front.most_bytes = 0;
    assert_false(give(fresh(1000)));
    size_t first = front.most_bytes;
    assert_true(first < BYTES);
    for (int i = 0; i < ROUNDS; i++) {
        void *ptr = pop(BYTES, ALIGNMENT);
        served += ptr != NULL;
        if (!ptr) {
            block_front_miss(&front, BYTES);
            ptr = fresh(BYTES);
        }
        assert_true(give(ptr));
    }
    verify();
    assert_true(served > ROUNDS / 2);

    /* Other sizes are no reason. */
    (void)block_front_flush(&front, &blocks);
    front.most_bytes = first;
    for (int i = 0; i < ROUNDS; i++) {
        block_front_miss(&front, BYTES / 2);
        block_front_miss(&front, BYTES + 100);
        assert_true(give(fresh(BYTES)));
    }
    assert_int_equal(front.most_bytes, first);
}

static void test_alignment(void **state)
{
    (void)state;
    char *aligned = block_alloc(&blocks, 2000, 1024, true), *other = fresh(2000);

    if (((uintptr_t)other & 1023) == 0)
        fail_msg("the test needs a block that is not aligned");
    assert_true(give(aligned) && give(other));
    assert_ptr_equal(pop(2000, 1024), aligned);
    assert_null(pop(2000, 1024));
    assert_ptr_equal(pop(2000, ALIGNMENT), other);
    (void)block_free(&blocks, aligned);
    (void)block_free(&blocks, other);
}

/* Blocks go in the order in which they came, by their number or by their bytes. */
static void test_the_oldest_make_room(void **state)
{
    (void)state;
    enum { COUNT = BLOCK_FRONT_PLACES + 8 };
    char *held[COUNT];

    for (unsigned i = 0; i < COUNT; i++)
        held[i] = fresh(600 + 40 * i);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(give(held[i]));
        verify();
    }
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(is_held(held[i]), i >= COUNT - BLOCK_FRONT_PLACES);
    char *large = fresh(60000);
    assert_true(give(large));
    verify();
    assert_ptr_equal(pop(600 + 40 * (COUNT - 1), ALIGNMENT), held[COUNT - 1]);
    assert_null(pop(600 + 40 * (COUNT - BLOCK_FRONT_PLACES), ALIGNMENT));
    assert_ptr_equal(pop(60000, ALIGNMENT), large);
    (void)block_free(&blocks, held[COUNT - 1]);
    (void)block_free(&blocks, large);
}

static void test_what_is_too_large_goes_back(void **state)
{
    (void)state;
    char *small = fresh(1000), *large = fresh(100000);

    assert_true(give(small) && give(large));
    assert_int_equal(block_size_if_used(large), 0);
    assert_ptr_equal(pop(1000, ALIGNMENT), small);
    verify();
    (void)block_free(&blocks, small);
}

/* Frees `count` blocks; returns how many of them the front held at first. */
static int give_fresh(int count, size_t bytes)
{
    int held = 0;

    for (int i = 0; i < count; i++) {
        void *ptr = fresh(bytes);
        assert_true(give(ptr));
        held += is_held(ptr);
    }
    verify();
    return held;
}

/* Sizes that nobody asks for again take no place from those that are, until they are. */
static void test_what_goes_unused_is_held_no_longer(void **state)
{
    (void)state;
    enum { PLACES_BYTES = 60000, SIZE = 2000, OTHER = 2 * SIZE, ROUNDS = 3 * BLOCK_FRONT_TRIAL };
    const int most = PLACES_BYTES / SIZE + BLOCK_FRONT_MOST_DEBT;

    front.most_bytes = PLACES_BYTES;
    assert_ptr_not_equal(block_front_debt(&front, block_size_for(SIZE)),
                         block_front_debt(&front, block_size_for(OTHER)));
    assert_in_range(give_fresh(most + ROUNDS, SIZE), most - 2, most + ROUNDS / BLOCK_FRONT_TRIAL);
    /* Refused ones are free. */
    void *refused = fresh(SIZE);
    assert_true(give(refused) && !is_held(refused));
    assert_int_equal(block_size_if_used(refused), 0);
    /* Others are held all the same. */
    assert_int_equal(give_fresh(1, OTHER), 1);
    (void)block_front_flush(&front, &blocks);

    /* One of so many is held, and where it serves a request the next one is, too. */
    assert_int_equal(give_fresh(BLOCK_FRONT_TRIAL, SIZE), 1);
    void *held = pop(SIZE, ALIGNMENT);
    assert_non_null(held);
    assert_true(give(held) && is_held(held));
    assert_int_equal(give_fresh(4, SIZE), 4);
}

/* A size that owes gets its trial also where its blocks are cut elsewhere meanwhile. */
static void test_what_is_yet_to_be_cut(void **state)
{
    (void)state;
    enum { SIZE = 2000 };
    size_t size = block_size_for(SIZE);

    assert_false(block_front_will_refuse(&front, size));
    *block_front_debt(&front, size) = BLOCK_FRONT_MOST_DEBT;
    int refused = 0;
    while (block_front_will_refuse(&front, size))
        refused++;
    assert_int_equal(refused, BLOCK_FRONT_TRIAL - 1);
    /* The one that was not refused is held, and serves the next request, and so on. */
    assert_int_equal(give_fresh(1, SIZE), 1);
    void *held = pop(SIZE, ALIGNMENT);
    assert_non_null(held);
    assert_false(block_front_will_refuse(&front, size));
    assert_true(give(held) && is_held(held));
}

/* Sizes share accounts, about as many each one. */
static void test_accounts_are_shared_evenly(void **state)
{
    (void)state;
    enum { ACCOUNTS = sizeof front.accounts / sizeof *front.accounts };
    const size_t sizes = (BLOCK_FRONT_LIMIT_BYTES - BLOCK_FRONT_LEAST_BYTES) / ALIGNMENT;
    size_t counts[ACCOUNTS] = {0};

    for (size_t size = BLOCK_FRONT_LEAST_BYTES; block_front_serves(size); size += ALIGNMENT) {
        size_t account = (size_t)(block_front_account(&front, size) - front.accounts);
        assert_in_range(account, 0, ACCOUNTS - 1);
        counts[account]++;
    }
    for (size_t account = 0; account < ACCOUNTS; account++)
        assert_in_range(counts[account], sizes / ACCOUNTS / 2, 2 * sizes / ACCOUNTS);
}

/* Data that looks like the front's mark does not keep a block from being freed. */
static void test_the_mark_proves_nothing(void **state)
{
    (void)state;
    void **ptr = fresh(1000);

    *block_front_mark(ptr) = &front;
    assert_false(give(ptr));
    assert_int_equal(block_size_if_used(ptr), 0);
}

static void test_a_fork_finds_held_or_not(void **state)
{
    (void)state;
    char *one = fresh(1000), *other = fresh(3000);

    assert_true(give(one) && give(other));
    /* As if the owner had been cut off right after the store that ends a pop, or begins a push. */
    front.sizes[0] = 0;
    front.held |= 4;
    front.held_bytes = 77;
    block_front_recount(&front);
    verify();
    assert_int_equal(front.held, 2);
    (void)block_free(&blocks, one);
}

/* Of a size just above what slabs serve, as of a power of two and one. */
static void test_next_to_slabs(void **state)
{
    (void)state;
    enum { ROUNDS = 10 };

    for (size_t bytes = 513; bytes <= 520; bytes++) {
        unsigned before = 0;
        for (int i = 0; i < ROUNDS; i++) {
            mem_free(mem_malloc(bytes));
            if (i == 1)
                before = heap_plain.slow_calls;
        }
        assert_int_equal(heap_plain.slow_calls, before);
    }
    (void)mem_idle();
}

/* Idle memory ages by slow calls: one that puts others back is one. */
static void test_frees_alone_let_memory_age(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static void *live[COUNT];

    for (int i = 0; i < COUNT; i++)
        assert_non_null(live[i] = mem_malloc(3000));
    unsigned before = heap_plain.slow_calls;
    for (int i = 0; i < COUNT; i++)
        mem_free(live[i]);
    assert_true(heap_plain.slow_calls - before >= COUNT / 2);
    (void)mem_idle();
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_match_is_a_range_of_sizes),
        CASE(test_the_last_held_that_fits),
        CASE(test_alignment),
        CASE(test_how_much_larger),
        CASE(test_the_bound_follows_use),
        CASE(test_the_bound_follows_what_it_refused),
        CASE(test_the_oldest_make_room),
        CASE(test_what_goes_unused_is_held_no_longer),
        CASE(test_what_is_yet_to_be_cut),
        CASE(test_accounts_are_shared_evenly),
        CASE(test_what_is_too_large_goes_back),
        CASE(test_the_mark_proves_nothing),
        CASE(test_a_fork_finds_held_or_not),
        CASE(test_next_to_slabs),
        CASE(test_frees_alone_let_memory_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
