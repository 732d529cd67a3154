/* Random calls of both families against a shadow model: alignment, no two objects overlap,
 * contents survive, statistics agree.  `test_random [--seed N] [--steps N]` runs one other
 * sequence, or shorter ones. */
#include "allocator/tests/test_common.h"

enum { SLOTS = 1500 };

struct object {
    unsigned char *start;
    size_t bytes; /* as asked for */
    size_t usable;
    unsigned char fill;
};

struct model {
    uint64_t random;
    struct object objects[SLOTS];
    size_t usable_total, allocations, frees;
};

static uint64_t seeds[] = {1, 20240229, 0x9E3779B97F4A7C15};
static size_t seed_count = sizeof seeds / sizeof *seeds;
static size_t steps = 60000;

static size_t random_size(struct model *model)
{
    switch (random_below(&model->random, 16)) {
    case 0:
        return random_below(&model->random, 400000);
    case 1:
    case 2:
        return random_below(&model->random, 20000);
    case 3:
        return 0;
    default:
        return random_below(&model->random, 700);
    }
}

static int by_start(const void *a, const void *b)
{
    const struct object *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

static void check_no_overlap(const struct model *model)
{
    static struct object sorted[SLOTS];

    memcpy(sorted, model->objects, sizeof sorted);
    qsort(sorted, SLOTS, sizeof *sorted, by_start);
    for (size_t i = 1; i < SLOTS; i++)
        if (sorted[i - 1].start)
            assert_true(sorted[i - 1].start + sorted[i - 1].usable <= sorted[i].start);
}

static void check_contents(const struct object *object, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (object->start[i] != object->fill)
            fail_msg("byte %zu of an object of %zu bytes changed", i, object->bytes);
}

static void own(struct model *model, struct object *object, size_t bytes)
{
    assert_true(is_aligned(object->start, ALIGNMENT));
    object->bytes = bytes;
    object->usable = mem_usable_size(object->start);
    assert_true(object->usable >= bytes);
    object->fill = (unsigned char)random_below(&model->random, 256);
    memset(object->start, object->fill, bytes);
    model->usable_total += object->usable;
}

static void allocate(struct model *model, struct object *object)
{
    size_t bytes = random_size(model);
    size_t alignment = ALIGNMENT;

    switch (random_below(&model->random, 8)) {
    case 0:
        object->start = mem_calloc(1, bytes);
        object->fill = 0;
        check_contents(object, bytes);
        break;
    case 1:
        alignment = (size_t)1 << random_below(&model->random, 17);
        object->start = mem_aligned_alloc_ts(alignment, bytes);
        break;
    case 2:
        object->start = mem_malloc_ts(bytes);
        break;
    default:
        object->start = mem_malloc(bytes);
    }
    assert_non_null(object->start);
    assert_true(is_aligned(object->start, alignment));
    own(model, object, bytes);
    model->allocations++;
}

static void release(struct model *model, struct object *object)
{
    check_contents(object, object->bytes);
    model->usable_total -= object->usable;
    if (random_below(&model->random, 4) == 0)
        mem_free_ts(object->start);
    else
        mem_free(object->start);
    model->frees++;
    memset(object, 0, sizeof *object);
}

static void resize(struct model *model, struct object *object)
{
    size_t bytes = random_size(model) + 1;
    size_t kept = bytes < object->bytes ? bytes : object->bytes;

    model->usable_total -= object->usable;
    object->start = random_below(&model->random, 2) ? mem_realloc(object->start, bytes)
                                                    : mem_realloc_ts(object->start, bytes);
    assert_non_null(object->start);
    check_contents(object, kept);
    own(model, object, bytes);
}

static void run(uint64_t seed)
{
    static struct model model;
    mem_stats_t before = mem_get_stats();

    printf("seed %llu\n", (unsigned long long)seed);
    memset(&model, 0, sizeof model);
    model.random = seed;
    for (size_t step = 0; step < steps; step++) {
        struct object *object = &model.objects[random_below(&model.random, SLOTS)];
        if (!object->start)
            allocate(&model, object);
        else if (random_below(&model.random, 4) == 0)
            resize(&model, object);
        else
            release(&model, object);
        if (step % 4096 == 0) {
            check_no_overlap(&model);
            assert_int_equal(mem_get_stats().current_usage - before.current_usage,
                             model.usable_total);
        }
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (model.objects[i].start)
            release(&model, &model.objects[i]);

    mem_stats_t after = mem_get_stats();
    assert_int_equal(after.current_usage, before.current_usage);
    /* A resize that moved counts as one of each. */
    assert_true(after.num_allocations - before.num_allocations >= model.allocations);
    assert_int_equal(after.num_allocations - before.num_allocations,
                     after.num_frees - before.num_frees);
    assert_int_equal(after.total_allocated - before.total_allocated,
                     after.total_freed - before.total_freed);
}

static void test_random_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < seed_count; i++)
        run(seeds[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_calls)};

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) {
            seeds[0] = strtoull(argv[i + 1], NULL, 0);
            seed_count = 1;
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps = strtoull(argv[i + 1], NULL, 0);
        }
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
