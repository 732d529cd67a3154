/* Every workload of the table is legal, repeatable and as large as its parameters say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traces/object_ids.h"
#include "workloads/prng.h"
#include "workloads/workload.h"
#include "workloads/zipf.h"

#define BATCH 512

static struct trace_source *open_workload(const char *specification)
{
    struct trace_source *source;
    struct trace_error error;
    if (workload_open(&source, specification, &error)) {
        print_error("%s: %s\n", specification, error.message);
        fail();
    }
    assert_string_equal(source->name, specification);
    return source;
}

/* FNV-1a over what a replay sees of the events, and how many there are. */
struct fingerprint {
    uint64_t hash, events;
};

static void add(struct fingerprint *print, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        print->hash = (print->hash ^ (value & 255)) * UINT64_C(0x100000001b3);
}

static struct fingerprint read_all(struct trace_source *source)
{
    struct fingerprint print = {.hash = UINT64_C(0xcbf29ce484222325)};
    struct trace_event events[BATCH];
    size_t count;
    do {
        assert_int_equal(trace_source_read(source, events, BATCH, &count), 0);
        for (size_t i = 0; i < count; i++) {
            add(&print, events[i].kind);
            add(&print, events[i].size);
            add(&print, events[i].count);
            add(&print, events[i].object);
            add(&print, events[i].thread);
        }
        print.events += count;
    } while (count);
    return print;
}

static struct fingerprint fingerprint_of(const char *specification)
{
    struct trace_source *source = open_workload(specification);
    struct fingerprint print = read_all(source);
    trace_source_close(source);
    return print;
}

static struct trace_summary summary_of(const char *specification)
{
    struct trace_source *source = open_workload(specification);
    if (trace_source_summarise(source)) {
        print_error("%s: %s\n", specification, source->error.message);
        fail();
    }
    struct trace_summary summary = *source->summary;
    trace_source_close(source);
    return summary;
}

static void test_defaults_are_legal(void **state)
{
    (void)state;
    for (const struct workload *const *entry = workload_registry; *entry; entry++) {
        struct trace_summary summary = summary_of((*entry)->name);
        /* Few events where each costs page faults, as in large-churn. */
        uint64_t least = summary.allocated_bytes > 1 << 30 ? 1000 : 300000;
        assert_in_range(summary.event_count, least, 1000000);
        assert_in_range(summary.peak_live_bytes, 32 << 10, 64 << 20);
        /* Dense ids: beyond the live objects, only those on the threads' private stacks. */
        assert_in_range(summary.object_count, summary.peak_live_objects,
                        summary.peak_live_objects +
                            (summary.thread_count - 1) * OBJECT_IDS_PRIVATE);
        assert_int_equal(summary.failed_count, 0);
    }
}

static void check_set(const char *const *set)
{
    for (const char *const *entry = set; *entry; entry++) {
        struct trace_summary summary = summary_of(*entry);
        assert_true(summary.event_count > 0);
        assert_in_range(summary.peak_live_bytes, 1, 64 << 20);
    }
}

static void test_bench_sets_are_legal(void **state)
{
    (void)state;
    check_set(workload_bench_set);
    check_set(workload_full_set);
}

static void test_descriptions_are_complete(void **state)
{
    (void)state;
    for (const struct workload *const *entry = workload_registry; *entry; entry++) {
        const struct workload *workload = *entry;
        assert_non_null(workload->summary);
        assert_non_null(workload->shows);
        assert_non_null(workload->origin);
        assert_ptr_equal(workload_find(workload->name), workload);
        struct trace_source *source = open_workload(workload->name);
        for (const struct workload_parameter *p = workload->parameters; p->name; p++) {
            assert_non_null(p->summary);
            assert_in_range(p->default_value, p->minimum, p->maximum);
            assert_non_null(strstr(source->description, p->name));
        }
        trace_source_close(source);
    }
}

static void compare_twice(const char *const *set)
{
    for (const char *const *entry = set; *entry; entry++) {
        struct fingerprint once = fingerprint_of(*entry), again = fingerprint_of(*entry);
        assert_int_equal(once.events, again.events);
        assert_int_equal(once.hash, again.hash);
    }
}

static void test_same_parameters_same_events(void **state)
{
    (void)state;
    compare_twice(workload_bench_set);
    compare_twice(workload_full_set);
}

static void test_rewind_repeats(void **state)
{
    (void)state;
    for (const struct workload *const *entry = workload_registry; *entry; entry++) {
        struct trace_source *source = open_workload((*entry)->name);
        struct trace_event events[BATCH];
        size_t count;
        assert_int_equal(trace_source_read(source, events, BATCH, &count), 0);
        assert_int_equal(count, BATCH);
        assert_int_equal(trace_source_rewind(source), 0);
        struct fingerprint once = read_all(source);
        assert_int_equal(trace_source_rewind(source), 0);
        struct fingerprint again = read_all(source);
        assert_int_equal(once.events, again.events);
        assert_int_equal(once.hash, again.hash);
        trace_source_close(source);
    }
}

static void test_seed_matters(void **state)
{
    (void)state;
    for (const struct workload *const *entry = workload_registry; *entry; entry++) {
        const struct workload_parameter *p = (*entry)->parameters;
        while (p->name && strcmp(p->name, "seed"))
            p++;
        if (!p->name)
            continue;
        /* `fixed` draws nothing unless asked for a random order. */
        const char *order = *entry == workload_find("fixed") ? "order=random," : "";
        char one[64], other[64];
        snprintf(one, sizeof one, "%s:%sseed=11", (*entry)->name, order);
        snprintf(other, sizeof other, "%s:%sseed=12", (*entry)->name, order);
        assert_true(fingerprint_of(one).hash != fingerprint_of(other).hash);
    }
}

struct known {
    const char *specification;
    uint64_t events, peak_bytes, peak_objects, final_bytes, allocated_bytes;
};

/* Worked out by hand. */
static const struct known known[] = {
    /* Two rounds of 5 kept (10 B) and 5 freed (100 B), then 500 B / 250 = 2 wanted ones. The second
     * board stands beside 5 kept ones of the first: 50 + 50 + 500 = 600, and 50 + 50 + 2 * 250 is
     * as much, but not more. */
    {"checkerboard:objects=10,kept=10,freed=100,wanted=250,rounds=2", 38, 600, 15, 100, 2100},
    {"fixed:size=100,objects=3,rounds=2,order=lifo", 12, 300, 3, 0, 600},
    {"fixed:size=100,objects=3,rounds=2,order=fifo", 12, 300, 3, 0, 600},
    {"fixed:size=1k,objects=7,rounds=3,order=random", 42, 7168, 7, 0, 21504},
    /* One vector: 8, 16, 32, freed, 8, 16; a resize counts as a request. */
    {"realloc-grow:vectors=1,first=8,limit=32,growth=200,reallocs=3", 6, 32, 1, 16, 80},
    {"realloc-append:strings=1,first=8,limit=20,step=6,reallocs=2", 3, 20, 1, 20, 42},
    /* Lives of one allocation: each object dies before the next one is born. */
    {"random:allocations=5,lifetime=1,largest=1", 10, 1, 1, 0, 5},
    {"calloc:objects=2,allocations=5,largest=16", 8, 32, 2, 32, 80},
    {"large-churn:objects=2,allocations=3,smallest=1k,largest=1k", 4, 2048, 2, 2048, 3072},
    /* 2 lanes of 3 objects and 2 generations of 5 replacements: 6 allocations, 4 thread starts and
     * ends, 20 replacements of two calls. */
    {"larson:threads=2,objects=3,generations=2,replacements=5,smallest=10,largest=10", 6 + 8 + 40,
     60, 6, 60, 260},
    /* A queue of one: every object is freed before the next one is made. */
    {"producer-consumer:allocations=10,queue=1,largest=1", 2 + 20 + 2, 1, 1, 0, 10},
    /* Sizes of 1 byte: 1024 up, 524 down to 50 x 10 and back up and down once more. */
    {"sawtooth:peak=1024,size=1,octaves=1,residue=50,teeth=2", 1024 + 3 * 524, 1024, 1024, 500,
     1024 + 524},
    /* Units at 0 to 3; those at 0 and 2 pin, 1 and 3 go, and the one object of 2 units that 4 units
     * of live bytes leave room for fits nowhere between. */
    {"robson:unit=256,live=1k,largest=512", 4 + 2 + 1, 1024, 4, 1024, 1536},
    {"robson:unit=256,live=1k,largest=512,header=6", 4 + 2 + 1, 1006, 4, 1006, 1506},
    {"aged:litter=0,objects=3,allocations=5,largest=1", 7, 3, 3, 3, 5},
    {"aged:litter=10,survivors=100,long=0,objects=2,allocations=3,largest=1", 14, 12, 12, 12, 13},
    {"aged:litter=10,survivors=0,long=100,objects=2,allocations=3,largest=1", 24, 10, 10, 2, 13},
    {"aged:litter=300,survivors=0,long=0,objects=1,allocations=1,largest=1", 601, 257, 257, 1, 301},
    /* Objects of one byte that all stay: from the 4097th on, each makes another one go. */
    {"server:allocations=5000,live=4k,old=100,small=1,large=1", 5000 + 904, 4097, 4097, 4096, 5000},
    /* 2 generations of 2 threads: a start and an end each, 5 allocations each, all freed. */
    {"churn:threads=2,generations=2,allocations=1,left=0,largest=1", 8 + 8, 1, 1, 0, 4},
    /* 2 threads: a start and an end each, 32 spacers each of 1 KiB and 3 rounds of 2 objects. */
    {"false-sharing-active:objects=2,rounds=3,size=8", 4 + 128 + 24, 32 << 10, 32, 0,
     (64 << 10) + 96},
    /* The same, and 2 objects each from the first thread. */
    {"false-sharing-passive:objects=2,rounds=3,size=8", 4 + 128 + 24 + 8, (32 << 10) + 32, 36, 0,
     (64 << 10) + 128},
};

static void test_known_figures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct trace_summary summary = summary_of(known[i].specification);
        print_message("%s\n", known[i].specification);
        assert_int_equal(summary.event_count, known[i].events);
        assert_int_equal(summary.peak_live_bytes, known[i].peak_bytes);
        assert_int_equal(summary.peak_live_objects, known[i].peak_objects);
        assert_int_equal(summary.final_live_bytes, known[i].final_bytes);
        assert_int_equal(summary.allocated_bytes, known[i].allocated_bytes);
    }
}

static void test_threads_free_for_each_other(void **state)
{
    (void)state;
    struct trace_summary larson = summary_of("larson:threads=3,generations=2");
    assert_int_equal(larson.thread_count, 1 + 3 * 2);
    assert_in_range(larson.foreign_release_count, 3 * 5000, larson.call_count[TRACE_FREE] / 2);
    struct trace_summary pairs = summary_of("producer-consumer:pairs=2,queue=100");
    assert_int_equal(pairs.thread_count, 5);
    assert_int_equal(pairs.foreign_release_count, pairs.call_count[TRACE_FREE]);
    assert_int_equal(pairs.call_count[TRACE_FREE], 400000);
    assert_in_range(pairs.peak_live_objects, 100, 200);
}

/* What the allocating events ask for, from the event `skipped` on. */
static struct fingerprint sizes_of(const char *specification, uint64_t skipped)
{
    struct fingerprint print = {.hash = UINT64_C(0xcbf29ce484222325)};
    struct trace_source *source = open_workload(specification);
    struct trace_event event;
    size_t count;
    for (uint64_t i = 0; !trace_source_read(source, &event, 1, &count) && count; i++) {
        if (i >= skipped && event.kind == TRACE_MALLOC) {
            add(&print, event.size);
            print.events++;
        }
    }
    trace_source_close(source);
    return print;
}

static void test_age_leaves_the_measured_phase_alone(void **state)
{
    (void)state;
    /* All litter dies, so that two events each come before the measured phase. */
    struct fingerprint fresh = sizes_of("aged:litter=0", 0);
    struct fingerprint aged = sizes_of("aged:litter=1000,survivors=0", 2000);
    assert_int_equal(fresh.events, 200000);
    assert_int_equal(aged.events, fresh.events);
    assert_int_equal(aged.hash, fresh.hash);
    struct trace_summary littered = summary_of("aged:litter=100000,survivors=10");
    assert_in_range(littered.final_live_objects, 20000 + 9500, 20000 + 10500);
}

static void test_objects_survive_their_threads(void **state)
{
    (void)state;
    struct trace_summary churn = summary_of("churn:threads=2,generations=50,left=300");
    assert_int_equal(churn.thread_count, 1 + 2 * 50);
    assert_int_equal(churn.call_count[TRACE_THREAD_START], churn.call_count[TRACE_THREAD_END]);
    assert_int_equal(churn.final_live_objects, 0);
    /* What is left is freed by another, some of it after it was left a second or third time. */
    assert_in_range(churn.foreign_release_count, 100 * 300 * 7 / 10, 100 * 300);
}

/* Threads whose objects have neighbouring ids would share lines of the replay's table. */
static void test_sharers_share_no_ids(void **state)
{
    (void)state;
    enum { LINE_IDS = 64 / 8 };
    uint32_t lowest[5], highest[5] = {0};
    memset(lowest, 255, sizeof lowest);
    struct trace_source *source = open_workload("false-sharing-passive:threads=4,rounds=1000");
    struct trace_event event;
    size_t count;
    while (!trace_source_read(source, &event, 1, &count) && count) {
        if (event.kind != TRACE_MALLOC || event.size != 8 || event.thread == 0)
            continue;
        lowest[event.thread] =
            event.object < lowest[event.thread] ? event.object : lowest[event.thread];
        highest[event.thread] =
            event.object > highest[event.thread] ? event.object : highest[event.thread];
    }
    trace_source_close(source);
    for (int one = 1; one <= 4; one++)
        for (int other = 1; other <= 4; other++)
            assert_true(one == other || lowest[one] > highest[other] + 2 * LINE_IDS ||
                        lowest[other] > highest[one] + 2 * LINE_IDS);
}

static void test_plateau_stands_still(void **state)
{
    (void)state;
    struct trace_summary summary = summary_of("size-shift:live=1M,phases=5");
    /* No more than the plateau, and less by not much more than one object. */
    assert_in_range(summary.peak_live_bytes, (1 << 20) - 4096, 1 << 20);
    assert_in_range(summary.final_live_bytes, (1 << 20) - 4096, 1 << 20);
}

/* First fit on a map of units, with nothing of the generator's in it. Returns the units of the heap
 * it needs for a stream of objects of 16 bytes and more. */
static size_t first_fit_units(const char *specification)
{
    enum { UNITS = 1 << 16, OBJECTS = 1 << 13 };
    char *is_taken = calloc(UNITS, 1);
    size_t *addresses = calloc(OBJECTS, sizeof *addresses), *sizes = calloc(OBJECTS, sizeof *sizes);
    size_t highest = 0, count;
    struct trace_source *source = open_workload(specification);
    struct trace_event event;
    while (!trace_source_read(source, &event, 1, &count) && count) {
        assert_in_range(event.object, 0, OBJECTS - 1);
        size_t units = event.size / 16, at = 0, hole = 0;
        if (event.kind == TRACE_FREE) {
            memset(is_taken + addresses[event.object], 0, sizes[event.object]);
            continue;
        }
        for (; hole < units; at++) {
            assert_in_range(at, 0, UNITS - 1);
            hole = is_taken[at] ? 0 : hole + 1;
        }
        memset(is_taken + at - units, 1, units);
        addresses[event.object] = at - units;
        sizes[event.object] = units;
        highest = at > highest ? at : highest;
    }
    trace_source_close(source);
    free(is_taken);
    free(addresses);
    free(sizes);
    return highest;
}

static void test_robson_reaches_his_bound(void **state)
{
    (void)state;
    /* M (log2(n) / 2 + 1) - n + 1, in units */
    assert_in_range(first_fit_units("robson:live=16k,largest=32"), 1024 * 3 / 2 - 1, SIZE_MAX);
    assert_in_range(first_fit_units("robson:live=16k,largest=256"), 1024 * 3 - 15, 1024 * 4);
    assert_in_range(first_fit_units("robson:live=128k,largest=1k"), 8192 * 4 - 63, 8192 * 5);
}

struct refusal {
    const char *specification;
    int status;
    const char *message; /* the start of it */
};

static const struct refusal refusals[] = {
    {"nothing", -ENOENT, "no workload is called 'nothing'"},
    {"", -ENOENT, "no workload is called ''"},
    {"fixed:", -EINVAL, "'' has no value; write key=value"},
    {"fixed:size", -EINVAL, "'size' has no value; write key=value"},
    {"fixed:colour=3", -EINVAL, "fixed has no parameter 'colour'; give size, order,"},
    {"fixed:size=64,size=32", -EINVAL, "size is given twice"},
    {"fixed:size=", -EINVAL, "size= is not a number"},
    {"fixed:size=-1", -EINVAL, "size=-1 is not a number"},
    {"fixed:size=3T", -EINVAL, "size=3T is not a number"},
    {"fixed:size=3kk", -EINVAL, "size=3kk is not a number"},
    {"fixed:size=99999999999999999999", -EINVAL, "size=99999999999999999999 is not a number"},
    {"fixed:seed=99999999999G", -EINVAL, "seed=99999999999G is not a number"},
    {"fixed:size=8G", -EINVAL, "size=8G is out of range; give 0 to 1073741824"},
    {"fixed:objects=0", -EINVAL, "objects=0 is out of range; give 1 to 16777216"},
    {"fixed:order=up", -EINVAL, "order=up is not known; give lifo, fifo or random"},
    {"checkerboard:freed=100,wanted=100", -EINVAL, "wanted must be larger than freed"},
    {"realloc-grow:first=16,limit=16", -EINVAL, "limit leaves no room for a single step"},
    {"larson:smallest=11,largest=10", -EINVAL, "smallest=11 must not be larger than largest=10"},
    {"large-churn:smallest=3M", -EINVAL, "smallest=3145728 must not be larger than"},
    {"aged:survivors=60,long=41", -EINVAL, "survivors and long come to more than 100 per cent"},
    {"false-sharing-active:objects=9", -EINVAL, "objects=9 is out of range; give 1 to 8"},
    {"robson:largest=40", -EINVAL, "largest=40 must be unit=16 times 2, 4, 8"},
    {"robson:largest=16", -EINVAL, "largest=16 must be unit=16 times 2, 4, 8"},
    {"robson:largest=48", -EINVAL, "largest=48 must be unit=16 times 2, 4, 8"},
    {"robson:header=16", -EINVAL, "header must be smaller than unit"},
    {"robson:live=8k", -EINVAL, "largest must not be larger than live"},
    {"size-shift:growth=1000,phases=9", -EINVAL, "in phase 6 size and growth come to 4800000"},
};

static void test_impossible_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct trace_source *source = NULL;
        struct trace_error error;
        const struct refusal *refusal = &refusals[i];
        assert_int_equal(workload_open(&source, refusal->specification, &error), refusal->status);
        assert_null(source);
        assert_int_equal(strncmp(error.message, refusal->message, strlen(refusal->message)), 0);
        assert_int_equal(error.byte_offset, UINT64_MAX);
    }
}

/* The reference values of xoshiro256** for the state 1, 2, 3, 4, as in the Rust crate rand_xoshiro,
 * which took them from the authors' C code. */
static void test_prng_is_xoshiro(void **state)
{
    (void)state;
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    struct prng prng = {.state = {1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(prng_next(&prng), expected[i]);
}

static void test_draws_follow_their_law(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    struct prng prng;
    prng_seed(&prng, 5);
    unsigned doublings[10] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t value = prng_log_uniform(&prng, 1023);
        assert_in_range(value, 1, 1023);
        doublings[63 - __builtin_clzll(value)]++;
    }
    for (int i = 0; i < 10; i++) /* five standard deviations */
        assert_in_range(doublings[i], DRAWS / 10 - 675, DRAWS / 10 + 675);

    struct zipf zipf;
    unsigned ranks[5] = {0};
    assert_int_equal(zipf_init(&zipf, 4), 0);
    for (int i = 0; i < DRAWS; i++)
        ranks[zipf_draw(&zipf, &prng)]++;
    zipf_clean_up(&zipf);
    for (unsigned k = 1; k <= 4; k++) /* 1 + 1/2 + 1/3 + 1/4 = 25/12 */
        assert_in_range(ranks[k], DRAWS * 12 / 25 / k - 1200, DRAWS * 12 / 25 / k + 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_legal),
        cmocka_unit_test(test_bench_sets_are_legal),
        cmocka_unit_test(test_descriptions_are_complete),
        cmocka_unit_test(test_same_parameters_same_events),
        cmocka_unit_test(test_rewind_repeats),
        cmocka_unit_test(test_seed_matters),
        cmocka_unit_test(test_known_figures),
        cmocka_unit_test(test_threads_free_for_each_other),
        cmocka_unit_test(test_age_leaves_the_measured_phase_alone),
        cmocka_unit_test(test_objects_survive_their_threads),
        cmocka_unit_test(test_sharers_share_no_ids),
        cmocka_unit_test(test_plateau_stands_still),
        cmocka_unit_test(test_robson_reaches_his_bound),
        cmocka_unit_test(test_impossible_is_refused),
        cmocka_unit_test(test_prng_is_xoshiro),
        cmocka_unit_test(test_draws_follow_their_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
