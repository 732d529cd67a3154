/* What is kept of freed mappings, and for how long; this test looks inside the library. */
#include <limits.h>

#include "allocator/kept_bounds.h"
#include "allocator/large.h"
#include "allocator/tests/test_process.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t SIZE = (size_t)200 * 1024;

/* Sources that the kernel must refuse to move because they are more than so many bytes; as before
 * Linux 6.17, it unmaps the target first.  0 means none. */
static size_t refuse_from;
static unsigned refused;
/* Somebody else maps something where the target was. */
static bool is_hole_taken;

void *mremap(void *start, size_t old_bytes, size_t new_bytes, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *target = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
    va_end(more);

    if (target && refuse_from && old_bytes >= refuse_from) {
        refused++;
        assert_int_equal(munmap(target, old_bytes), 0);
        if (is_hole_taken)
            assert_ptr_equal(mmap(target, old_bytes, PROT_READ,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
                             target);
        errno = EFAULT;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mremap, start, old_bytes, new_bytes, flags, target);
}

static void map_and_free(size_t bytes)
{
    void *object = large_alloc(NULL, bytes, ALIGNMENT, false, NULL);

    assert_non_null(object);
    assert_true(large_free(NULL, object, NULL) >= bytes);
}

static void test_freed_mapping_is_taken_again(void **state)
{
    (void)state;
    void *first = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
    (void)large_free(NULL, first, NULL);
    assert_int_equal(first_large_set.kept.bytes, SIZE);

    void *second = large_alloc(NULL, SIZE / 2, ALIGNMENT, false, NULL);
    assert_ptr_equal(second, first);
    assert_int_equal(first_large_set.kept.bytes, SIZE / 2);
    (void)large_free(NULL, second, NULL);
    assert_int_equal(large_decay(true), SIZE);
}

static void test_nobody_took_it_for_an_interval(void **state)
{
    (void)state;
    map_and_free(SIZE);
    assert_int_equal(large_decay(false), 0);
    assert_int_equal(large_decay(false), SIZE);
    assert_int_equal(first_large_set.kept.bytes, 0);
}

/* Some of what was kept at the last call goes, and nothing of what came since. */
static void test_gives_some(void **state)
{
    (void)state;
    void *live = large_alloc(NULL, 8 * SIZE, ALIGNMENT, false, NULL);
    void *objects[4], *between[4];

    for (int i = 0; i < 4; i++) {
        objects[i] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
        between[i] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
    }
    for (int i = 0; i < 3; i++)
        (void)large_free(NULL, objects[i], NULL);
    assert_int_equal(first_large_set.kept.bytes, 3 * SIZE);
    kept_give_some(&first_large_set.kept, 8 * SIZE);
    assert_int_equal(first_large_set.kept.bytes, 3 * SIZE);
    (void)large_free(NULL, objects[3], NULL);
    kept_give_some(&first_large_set.kept, SIZE / 2);
    assert_int_equal(first_large_set.kept.bytes, 4 * SIZE - SIZE / 2);
    /* All are old by now. */
    kept_give_some(&first_large_set.kept, 2 * SIZE);
    assert_int_equal(first_large_set.kept.bytes, 2 * SIZE - SIZE / 2);
    kept_give_some(&first_large_set.kept, 2 * SIZE);
    assert_int_equal(first_large_set.kept.bytes, 0);
    for (int i = 0; i < 4; i++)
        (void)large_free(NULL, between[i], NULL);
    (void)large_free(NULL, live, NULL);
    (void)large_decay(true);
}

static void test_makes_way_for_growth(void **state)
{
    (void)state;
    const size_t step = (size_t)64 * 1024;
    map_and_free(SIZE);
    /* Not while it is young. */
    kept_make_way(&first_large_set.kept, SIZE);
    assert_int_equal(first_large_set.kept.bytes, SIZE);
    assert_int_equal(large_decay(false), 0);
    kept_make_way(&first_large_set.kept, 0);
    assert_int_equal(first_large_set.kept.bytes, SIZE % step);
    assert_int_equal(large_decay(true), SIZE % step);

    /* Growth while nothing is kept does not count later. */
    kept_make_way(&first_large_set.kept, 10 * SIZE);
    map_and_free(SIZE);
    assert_int_equal(large_decay(false), 0);
    kept_make_way(&first_large_set.kept, step - 1);
    assert_int_equal(first_large_set.kept.bytes, SIZE);
    kept_make_way(&first_large_set.kept, 1);
    assert_int_equal(first_large_set.kept.bytes, SIZE - step);
    (void)large_decay(true);
}

/* What is too large to be kept stays for a moment, and for longer if it is taken in that; what may
 * be kept stays when that is over. */
static void test_kept_for_a_moment(void **state)
{
    (void)state;
    void *small = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
    void *large = large_alloc(NULL, 2 * SIZE, ALIGNMENT, false, NULL);
    assert_true(small && large);
    (void)large_free(NULL, small, NULL);
    (void)large_free(NULL, large, NULL);
    assert_int_equal(first_large_set.kept.bytes, 3 * SIZE);
    large_look(NULL, UINT_MAX);
    assert_int_equal(first_large_set.kept.bytes, SIZE);
    assert_int_equal(large_decay(true), SIZE);

    map_and_free(2 * SIZE);
    map_and_free(2 * SIZE);
    assert_int_equal(first_large_set.kept.bytes, 2 * SIZE);
    large_look(NULL, UINT_MAX);
    assert_int_equal(large_decay(true), 2 * SIZE);
}

/* A program that has less and less learns nothing from objects that would have been kept anyway. */
static void test_shrinking_is_no_reuse(void **state)
{
    (void)state;
    enum { FIRST = 300, LAST = 10 };
    static void *objects[FIRST];
    int live = 0;

    for (; live < FIRST; live++)
        assert_non_null(objects[live] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL));
    while (live > LAST) {
        (void)large_free(NULL, objects[--live], NULL);
        (void)large_free(NULL, objects[--live], NULL);
        assert_non_null(objects[live++] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL));
    }
    large_look(NULL, UINT_MAX);
    assert_true(first_large_set.kept.most < SIZE);
    assert_true(first_large_set.kept.bytes <= first_large_set.live_bytes);
    while (live > 0)
        (void)large_free(NULL, objects[--live], NULL);
    (void)large_decay(true);
}

/* A mapping that is larger than may be kept, again and again, is kept from then on, also while the
 * heap grows. */
static void test_what_is_wanted_back_stays(void **state)
{
    (void)state;
    const size_t size = 5 * SIZE;
    map_and_free(size);
    assert_int_equal(first_large_set.kept.bytes, 0);
    map_and_free(size);
    assert_int_equal(first_large_set.kept.bytes, size);
    kept_make_way(&first_large_set.kept, 2 * size);
    assert_int_equal(first_large_set.kept.bytes, size);
    assert_int_equal(large_decay(true), size);
}

enum { PIECES = 3 };

/* Objects of SIZE, full of ones, between which others live that free_others ends. */
static void alloc_apart(void *objects[PIECES], void *others[PIECES])
{
    for (int i = 0; i < PIECES; i++) {
        objects[i] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
        others[i] = large_alloc(NULL, SIZE, ALIGNMENT, true, NULL);
        assert_true(objects[i] && others[i]);
        memset(objects[i], 1, SIZE);
    }
}

static void free_objects(void *objects[PIECES])
{
    for (int i = 0; i < PIECES; i++)
        (void)large_free(NULL, objects[i], NULL);
    assert_int_equal(first_large_set.kept.bytes, PIECES * SIZE);
    assert_int_equal(first_large_set.kept.count, PIECES);
}

static void free_apart(void *others[PIECES])
{
    void *objects[PIECES];

    alloc_apart(objects, others);
    free_objects(objects);
}

static void free_others(void *others[PIECES])
{
    for (int i = 0; i < PIECES; i++)
        (void)large_free(NULL, others[i], NULL);
    (void)large_decay(true);
}

static size_t count_ones(const char *object, size_t bytes)
{
    size_t ones = 0;

    for (size_t i = 0; i < bytes; i++) {
        assert_true(object[i] == 0 || object[i] == 1);
        ones += object[i] == 1;
    }
    return ones;
}

static void test_pieces_make_a_larger_one(void **state)
{
    (void)state;
    const size_t size = PIECES * SIZE - SIZE / 5;
    void *others[PIECES];
    free_apart(others);

    char *object = large_alloc(NULL, size, ALIGNMENT, false, NULL);
    assert_int_equal(first_large_set.kept.bytes, SIZE / 5);
    /* Their pages, not new ones. */
    assert_int_equal(count_ones(object, size), size);

    /* It is resized like any other. */
    object[size - 1] = 0;
    char *grown = large_resize(NULL, object, 20 * SIZE);
    if (grown)
        object = grown;
    assert_int_equal(count_ones(object, size), size - 1);
    assert_true(large_free(NULL, object, NULL) >= size);
    free_others(others);
}

/* Where much is live new memory costs less than moves. */
/* What the system was told of huge pages goes along where pages move. */
static void test_pieces_stay_huge(void **state)
{
    (void)state;
    const size_t live = 4 * SIZE;

    for (int is_huge = 0; is_huge < 2; is_huge++) {
        struct kept_pieces pieces;
        char *start = os_map(SIZE, 0);
        kept_put(&first_large_set.kept,
                 (struct kept_range){(uintptr_t)start, SIZE,
                                     kept_new_id(&first_large_set.kept, is_huge)},
                 SIZE, live);
        char *larger = kept_take(&first_large_set.kept, 2 * SIZE, KEPT_PIECES_MOST, live, &pieces);
        assert_non_null(larger);
        assert_int_equal(pieces.count, 2);
        assert_int_equal(kept_is_huge(pieces.ranges[0].id), is_huge);
        assert_false(kept_is_huge(pieces.ranges[1].id));
        os_unmap(larger, 2 * SIZE);
    }

    /* And it is no place for what is to be new where it is written. */
    struct kept_pieces pieces;
    bool is_fresh;
    char *start = os_map(SIZE, 0);
    kept_put(&first_large_set.kept,
             (struct kept_range){(uintptr_t)start, SIZE, kept_new_id(&first_large_set.kept, true)},
             SIZE, live);
    assert_null(kept_take_empty(&first_large_set.kept, SIZE / 2, &pieces, &is_fresh));
    (void)kept_decay(&first_large_set.kept, true);
    start = os_map(SIZE, 0);
    memset(start, 1, SIZE);
    kept_put(&first_large_set.kept,
             (struct kept_range){(uintptr_t)start, SIZE, kept_new_id(&first_large_set.kept, false)},
             SIZE, live);
    assert_ptr_equal(kept_take_empty(&first_large_set.kept, SIZE / 2, &pieces, &is_fresh), start);
    for (size_t i = 0; i < SIZE / 2; i++)
        assert_int_equal(start[i], is_fresh ? 0 : 1);
    os_unmap(start, SIZE / 2);
    (void)kept_decay(&first_large_set.kept, true);
}

static void test_little_does_not_move(void **state)
{
    (void)state;
    const size_t much = (size_t)32 << 20;
    void *objects[PIECES], *others[PIECES];
    alloc_apart(objects, others);
    void *live = large_alloc(NULL, much, ALIGNMENT, false, NULL);
    assert_non_null(live);
    free_objects(objects);

    char *object = large_alloc(NULL, 2 * SIZE, ALIGNMENT, true, NULL);
    assert_non_null(object);
    assert_int_equal(first_large_set.kept.bytes, PIECES * SIZE);
    /* No more is kept beside it than a quarter. */
    char *whole = large_alloc(NULL, much / 4, ALIGNMENT, false, NULL);
    assert_non_null(whole);
    assert_true(first_large_set.kept.bytes < SIZE);

    (void)large_free(NULL, whole, NULL);
    (void)large_free(NULL, object, NULL);
    (void)large_free(NULL, live, NULL);
    free_others(others);
}

static void test_what_is_missing_is_new(void **state)
{
    (void)state;
    void *others[PIECES];
    free_apart(others);

    char *object = large_alloc(NULL, 4 * SIZE, ALIGNMENT, false, NULL);
    assert_int_equal(first_large_set.kept.bytes, 0);
    assert_int_equal(count_ones(object, 4 * SIZE), PIECES * SIZE);
    (void)large_free(NULL, object, NULL);
    free_others(others);
}

static void test_zeroed_is_zero(void **state)
{
    (void)state;
    void *others[PIECES];
    free_apart(others);

    char *object = large_alloc(NULL, 2 * SIZE, ALIGNMENT, true, NULL);
    assert_int_equal(count_ones(object, 2 * SIZE), 0);
    (void)large_free(NULL, object, NULL);
    free_others(others);
}

static void test_neighbours_become_one(void **state)
{
    (void)state;
    void *other = large_alloc(NULL, 8 * SIZE, ALIGNMENT, true, NULL);
    char *object = large_alloc(NULL, 4 * SIZE, ALIGNMENT, false, NULL);
    memset(object, 1, 4 * SIZE);
    (void)large_free(NULL, object, NULL);

    char *parts[4];
    for (int i = 0; i < 4; i++)
        parts[i] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
    assert_int_equal(first_large_set.kept.bytes, 0);
    for (int i = 0; i < 4; i++)
        (void)large_free(NULL, parts[(i * 3 + 1) % 4], NULL);
    assert_int_equal(first_large_set.kept.count, 1);
    assert_ptr_equal(large_alloc(NULL, 4 * SIZE, ALIGNMENT, false, NULL), object);
    (void)large_free(NULL, object, NULL);
    (void)large_free(NULL, other, NULL);
    (void)large_decay(true);
}

/* A row of vectors, each grown step by step: the first one's memory serves the others in place. */
static void test_grows_into_what_is_kept_behind_it(void **state)
{
    (void)state;
    void *other = large_alloc(NULL, 8 * SIZE, ALIGNMENT, true, NULL);
    char *first = large_alloc(NULL, 8 * SIZE, ALIGNMENT, false, NULL);
    memset(first, 1, 8 * SIZE);
    (void)large_free(NULL, first, NULL);

    char *vector = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
    assert_ptr_equal(vector, first);
    for (size_t parts = 2; parts <= 8; parts++) {
        assert_ptr_equal(large_resize(NULL, vector, parts * SIZE), first);
        assert_int_equal(first_large_set.kept.bytes, (8 - parts) * SIZE);
    }
    assert_int_equal(count_ones(vector, 8 * SIZE), 8 * SIZE);
    /* Behind what is kept there is something else, or nothing. */
    vector = large_resize(NULL, vector, 9 * SIZE);
    assert_non_null(vector);
    assert_int_equal(count_ones(vector, 8 * SIZE), 8 * SIZE);
    (void)large_free(NULL, vector, NULL);
    (void)large_free(NULL, other, NULL);
    (void)large_decay(true);
}

/* Growth takes new memory, too, right after as much was unmapped. */
static void test_grown_back_is_wanted_back(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        void *vector = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
        vector = large_resize(NULL, vector, 10 * SIZE);
        assert_non_null(vector);
        assert_true(large_free(NULL, vector, NULL) >= 10 * SIZE);
    }
    assert_true(first_large_set.kept.bytes >= 10 * SIZE);
    (void)large_decay(true);
}

static void test_aligned_ones_are_taken_again(void **state)
{
    (void)state;
    const size_t align = (size_t)1 << 20;
    char *object = large_alloc(NULL, 3 * align, ALIGNMENT, false, NULL);
    memset(object, 1, 3 * align);
    void *other = large_alloc(NULL, 3 * align, ALIGNMENT, true, NULL);
    (void)large_free(NULL, object, NULL);

    char *aligned = large_alloc(NULL, align, align, false, NULL);
    assert_true(is_aligned(aligned, align));
    assert_int_equal(count_ones(aligned, align), align);
    assert_int_equal(first_large_set.kept.bytes, 2 * align);
    assert_int_equal(first_large_set.kept.count,
                     1 + (aligned > object && aligned < object + 2 * align));
    /* There is no second one. */
    char *second = large_alloc(NULL, 2 * align, 2 * align, false, NULL);
    assert_true(is_aligned(second, 2 * align));
    (void)large_free(NULL, second, NULL);
    (void)large_free(NULL, aligned, NULL);
    (void)large_free(NULL, other, NULL);
    (void)large_decay(true);
    assert_int_equal(first_large_set.kept.bytes, 0);
}

/* A buffer that shrinks and grows stays where it is and keeps its pages. */
static void test_to_and_fro(void **state)
{
    (void)state;
    void *other = large_alloc(NULL, 8 * SIZE, ALIGNMENT, true, NULL);
    char *object = large_alloc(NULL, 4 * SIZE, ALIGNMENT, false, NULL);

    memset(object, 1, 4 * SIZE);
    assert_ptr_equal(large_resize(NULL, object, SIZE), object);
    assert_int_equal(first_large_set.kept.bytes, 3 * SIZE);
    assert_ptr_equal(large_resize(NULL, object, 4 * SIZE), object);
    assert_int_equal(first_large_set.kept.bytes, 0);
    assert_int_equal(count_ones(object, 4 * SIZE), 4 * SIZE);
    (void)large_free(NULL, object, NULL);
    (void)large_free(NULL, other, NULL);
    (void)large_decay(true);
}

/* An object that was put together grows like any other: it moves a few times, not at each step. */
static void test_pieces_grow(void **state)
{
    (void)state;
    const size_t step = 4096;
    void *others[PIECES];
    free_apart(others);

    char *object = large_alloc(NULL, 2 * SIZE, ALIGNMENT, false, NULL);
    memset(object, 1, 2 * SIZE);
    unsigned moves = 0;
    for (size_t bytes = 2 * SIZE + step; bytes <= 40 * SIZE; bytes += step) {
        char *grown = large_resize(NULL, object, bytes);
        assert_non_null(grown);
        moves += grown != object;
        object = grown;
    }
    assert_in_range(moves, 1, 20);
    assert_int_equal(count_ones(object, 2 * SIZE), 2 * SIZE);
    /* And it shrinks: what it leaves is kept up to the bound of what is live then. */
    (void)large_decay(true);
    assert_ptr_equal(large_resize(NULL, object, SIZE), object);
    assert_in_range(first_large_set.kept.bytes, 0,
                    first_large_set.kept.most > 16 * SIZE ? first_large_set.kept.most : 16 * SIZE);
    assert_int_equal(count_ones(object, SIZE), SIZE);
    (void)large_free(NULL, object, NULL);
    free_others(others);
}

/* The ranges that are known: live ones and kept ones. */
static size_t count_ranges(void)
{
    size_t ranges = first_large_set.kept.count;

    for (size_t slot = 0; slot < first_large_set.slots; slot++) {
        const struct large_record *record = &first_large_set.table[slot];
        if (record->start)
            ranges += record->pieced ? first_large_set.pieced[record->pieced - 1].count : 1;
    }
    return ranges;
}

/* What is put together of pieces that were put together does not become ever more mappings. */
static void test_mappings_are_few(void **state)
{
    (void)state;
    enum { OBJECTS = 40, REPLACED = 8000, OTHERS = 4 };
    static void *objects[OBJECTS];
    uint64_t random = 1;
    size_t before = process_mappings(NULL, SIZE_MAX);

    for (int i = 0; i < REPLACED; i++) {
        size_t at = random_below(&random, OBJECTS);
        if (objects[at])
            assert_true(large_free(NULL, objects[at], NULL) > 0);
        size_t bytes = SIZE + random_below(&random, 8 * SIZE);
        char *object = large_alloc(NULL, bytes, ALIGNMENT, false, NULL);
        assert_non_null(object);
        object[0] = object[bytes - 1] = 1;
        objects[at] = object;
    }
    size_t mappings = process_mappings(NULL, SIZE_MAX) - before;
    print_message("%d objects are %zu mappings\n", OBJECTS, mappings);
    /* A sanitizer has mappings of its own for ours. */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    assert_in_range(mappings, 1, count_ranges() + OTHERS);
#endif
    assert_in_range(count_ranges(), OBJECTS, OBJECTS * KEPT_PIECES_MOST + KEPT_MAPPINGS);
    for (int i = 0; i < OBJECTS; i++)
        assert_true(large_free(NULL, objects[i], NULL) > 0);
    (void)large_decay(true);
    assert_int_equal(first_large_set.kept.bytes, 0);
}

/* A little that is freed beside what is old does not make all of it young. */
static void test_old_memory_stays_old(void **state)
{
    (void)state;
    void *other = large_alloc(NULL, 8 * SIZE, ALIGNMENT, true, NULL);
    char *object = large_alloc(NULL, 4 * SIZE, ALIGNMENT, false, NULL);

    assert_ptr_equal(large_resize(NULL, object, SIZE), object);
    assert_int_equal(first_large_set.kept.bytes, 3 * SIZE);
    assert_int_equal(large_decay(false), 0);
    (void)large_free(NULL, object, NULL);
    assert_int_equal(first_large_set.kept.count, 1);
    assert_int_equal(large_decay(false), 4 * SIZE);
    (void)large_free(NULL, other, NULL);
    (void)large_decay(true);
}

/* As where a kept mapping is several to a kernel that moves only one. */
static void test_moves_are_refused(void **state)
{
    (void)state;
    void *others[PIECES];
    free_apart(others);

    refuse_from = SIZE / 2 + 1;
    refused = 0;
    char *object = large_alloc(NULL, 5 * SIZE / 2, ALIGNMENT, false, NULL);
    assert_true(refused > 0);
    memset(object, 1, 5 * SIZE / 2);
    assert_int_equal(count_ones(object, 5 * SIZE / 2), 5 * SIZE / 2);
    (void)large_free(NULL, object, NULL);
    free_others(others);

    free_apart(others);
    refuse_from = 1;
    object = large_alloc(NULL, 5 * SIZE / 2, ALIGNMENT, false, NULL);
    assert_int_equal(count_ones(object, 5 * SIZE / 2), 0);
    (void)large_free(NULL, object, NULL);
    refuse_from = 0;
    free_others(others);
}

static void test_another_thread_takes_the_hole(void **state)
{
    (void)state;
    void *others[PIECES];
    free_apart(others);

    is_hole_taken = true;
    refuse_from = 1;
    char *object = large_alloc(NULL, 5 * SIZE / 2, ALIGNMENT, false, NULL);
    refuse_from = 0;
    is_hole_taken = false;
    assert_int_equal(count_ones(object, 5 * SIZE / 2), 0);
    memset(object, 1, 5 * SIZE / 2);
    (void)large_free(NULL, object, NULL);
    free_others(others);
}

/* What was moved lately need not move again. */
static void test_moves_make_slack(void **state)
{
    (void)state;
    const size_t mib = 1 << 20, live = 8 * mib;
    struct kept kept = {0};

    assert_false(kept_is_slack(&kept, 1, live));
    kept.moved_bytes = mib;
    assert_true(kept_is_slack(&kept, mib, live));
    assert_false(kept_is_slack(&kept, mib + 1, live));
    /* But no more than a quarter of what is live. */
    kept.moved_bytes = 100 * mib;
    assert_true(kept_is_slack(&kept, live / 4, live));
    assert_false(kept_is_slack(&kept, live / 4 + 1, live));

    /* Pages of objects that are put together count, until a while has passed. */
    void *other = large_alloc(NULL, 8 * SIZE, ALIGNMENT, true, NULL);
    void *pieces[2], *between = NULL;
    first_large_set.kept.moved_bytes = 0;
    pieces[0] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
    between = large_alloc(NULL, SIZE, ALIGNMENT, true, NULL);
    pieces[1] = large_alloc(NULL, SIZE, ALIGNMENT, false, NULL);
    (void)large_free(NULL, pieces[0], NULL);
    (void)large_free(NULL, pieces[1], NULL);
    void *whole = large_alloc(NULL, 2 * SIZE, ALIGNMENT, false, NULL);
    size_t moved = first_large_set.kept.moved_bytes;
    assert_in_range(moved, 1, 2 * SIZE);
    (void)large_decay(false);
    assert_int_equal(first_large_set.kept.moved_bytes, moved / 2);
    (void)large_free(NULL, whole, NULL);
    (void)large_free(NULL, between, NULL);
    (void)large_free(NULL, other, NULL);
    (void)large_decay(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freed_mapping_is_taken_again),
        cmocka_unit_test(test_nobody_took_it_for_an_interval),
        cmocka_unit_test(test_gives_some),
        cmocka_unit_test(test_makes_way_for_growth),
        /* Before the next one, which makes it worth to keep more. */
        cmocka_unit_test(test_shrinking_is_no_reuse),
        cmocka_unit_test(test_kept_for_a_moment),
        cmocka_unit_test(test_what_is_wanted_back_stays),
        cmocka_unit_test(test_pieces_make_a_larger_one),
        cmocka_unit_test(test_pieces_stay_huge),
        cmocka_unit_test(test_little_does_not_move),
        cmocka_unit_test(test_what_is_missing_is_new),
        cmocka_unit_test(test_zeroed_is_zero),
        cmocka_unit_test(test_neighbours_become_one),
        cmocka_unit_test(test_grows_into_what_is_kept_behind_it),
        cmocka_unit_test(test_grown_back_is_wanted_back),
        cmocka_unit_test(test_aligned_ones_are_taken_again),
        cmocka_unit_test(test_to_and_fro),
        cmocka_unit_test(test_pieces_grow),
        cmocka_unit_test(test_mappings_are_few),
        cmocka_unit_test(test_old_memory_stays_old),
        cmocka_unit_test(test_moves_make_slack),
        cmocka_unit_test(test_moves_are_refused),
        cmocka_unit_test(test_another_thread_takes_the_hole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
