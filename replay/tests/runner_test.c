/* Whole runs, each in its own process, on traces whose figures are known: this program is its own
 * run process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/child.h"
#include "replay/metrics.h"
#include "replay/runner.h"
#include "workloads/workload.h"

#define STRICT BROKEN_FOLDER "/libstrict.so"

static char trace_path[] = "/tmp/heaplab-runner-test-XXXXXX";

/* A sanitizer's own memory is resident too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESIDENT_LIMIT_BYTES   UINT64_MAX
#define SKIP_UNDER_SANITIZER() skip()
#define NULL_LIMIT_BYTES       UINT64_MAX
#else
#define RESIDENT_LIMIT_BYTES   ((uint64_t)9 << 20)
#define SKIP_UNDER_SANITIZER() (void)0
#define NULL_LIMIT_BYTES       ((uint64_t)64 << 10)
#endif

/* ---- traces ---- */

static struct trace_writer *open_writer(void)
{
    struct trace_writer *writer;
    struct trace_error error;
    if (trace_writer_open(&writer, trace_path, NULL, &error))
        fail_msg("%s", error.message);
    return writer;
}

static uint32_t append(struct trace_writer *writer, struct trace_event event)
{
    if (trace_writer_append(writer, &event))
        fail_msg("%s", trace_writer_error(writer)->message);
    return event.object;
}

static uint32_t allocate(struct trace_writer *writer, uint32_t thread, uint64_t size)
{
    return append(writer, (struct trace_event){.kind = TRACE_MALLOC,
                                               .thread = thread,
                                               .size = size,
                                               .count = 1,
                                               .object = TRACE_NO_OBJECT});
}

static void release(struct trace_writer *writer, uint32_t thread, uint32_t object)
{
    append(writer, (struct trace_event){
                       .kind = TRACE_FREE, .thread = thread, .object = object, .count = 1});
}

static void control(struct trace_writer *writer, enum trace_kind kind, uint32_t thread,
                    uint32_t child)
{
    append(writer, (struct trace_event){
                       .kind = (uint8_t)kind, .thread = thread, .object = child, .count = 1});
}

static struct trace_source *commit(struct trace_writer *writer)
{
    struct trace_source *source = NULL;
    struct trace_error error;
    if (trace_writer_commit(writer, &error) || trace_open(&source, trace_path, &error))
        fail_msg("%s", error.message);
    return source;
}

/* Eight objects of 1 MiB, then all but one freed: the peak of L is 8 MiB after 8 events. */
static struct trace_source *hill(void)
{
    struct trace_writer *writer = open_writer();
    uint32_t objects[8];
    for (size_t i = 0; i < 8; i++)
        objects[i] = allocate(writer, 0, 1 << 20);
    for (size_t i = 0; i < 7; i++)
        release(writer, 0, objects[i]);
    return commit(writer);
}

#define RELAY_THREADS 4
#define RELAY_OBJECTS 64

/* Rounds in which each object is allocated by one thread and freed by another, while threads come
 * and go. */
static struct trace_source *relay(unsigned rounds)
{
    struct trace_writer *writer = open_writer();
    uint32_t objects[RELAY_OBJECTS], threads = 1;
    for (unsigned round = 0; round < rounds; round++) {
        uint32_t first = threads;
        for (uint32_t i = 0; i < RELAY_THREADS; i++)
            control(writer, TRACE_THREAD_START, 0, threads++);
        for (uint32_t i = 0; i < RELAY_OBJECTS; i++)
            objects[i] = allocate(writer, first + i % RELAY_THREADS, 16 + i * 40);
        for (uint32_t i = 0; i < RELAY_OBJECTS; i++)
            release(writer, i % 7 ? first + (i + 1) % RELAY_THREADS : 0, objects[i]);
        for (uint32_t i = 0; i < RELAY_THREADS; i++)
            control(writer, TRACE_THREAD_END, first + i, TRACE_NO_OBJECT);
    }
    return commit(writer);
}

/* Threads free what others allocated, in such numbers that ids wander between them: the turns of a
 * slot are then taken by threads that nothing else keeps in order. */
static struct trace_source *exchange(unsigned rounds)
{
    enum { COUNT = 100 };
    struct trace_writer *writer = open_writer();
    uint32_t objects[RELAY_THREADS][COUNT];
    for (uint32_t i = 1; i < RELAY_THREADS; i++)
        control(writer, TRACE_THREAD_START, 0, i);
    for (unsigned round = 0; round < rounds; round++)
        for (uint32_t i = 0; i < RELAY_THREADS; i++)
            for (uint32_t j = 0; j < COUNT; j++) {
                if (round)
                    release(writer, (i + round) % RELAY_THREADS, objects[i][j]);
                objects[i][j] = allocate(writer, i, 16 + j);
            }
    return commit(writer);
}

/* Threads resize what others allocated or resized, and others again free it. */
static struct trace_source *handover(unsigned rounds)
{
    enum { COUNT = 50 };
    struct trace_writer *writer = open_writer();
    uint32_t objects[COUNT];
    for (uint32_t i = 1; i < RELAY_THREADS; i++)
        control(writer, TRACE_THREAD_START, 0, i);
    for (unsigned round = 0; round < rounds; round++) {
        for (uint32_t j = 0; j < COUNT; j++)
            objects[j] = allocate(writer, j % RELAY_THREADS, 16 + j);
        for (uint32_t step = 1; step < RELAY_THREADS; step++)
            for (uint32_t j = 0; j < COUNT; j++)
                append(writer, (struct trace_event){.kind = TRACE_REALLOC,
                                                    .thread = (j + step) % RELAY_THREADS,
                                                    .size = 16 + (uint64_t)j * step,
                                                    .count = 1,
                                                    .object = objects[j]});
        for (uint32_t j = 0; j < COUNT; j++)
            release(writer, (j + round) % RELAY_THREADS, objects[j]);
    }
    return commit(writer);
}

static struct trace_source *workload(const char *specification)
{
    struct trace_source *source = NULL;
    struct trace_error error;
    if (workload_open(&source, specification, &error))
        fail_msg("%s", error.message);
    return source;
}

/* ---- runs ---- */

static struct runner *runner_for(struct trace_source *source, enum run_mode mode,
                                 uint64_t window_events)
{
    struct runner *runner;
    struct runner_options options = {.mode = mode,
                                     .touch = TOUCH_PAGE,
                                     .processor = -1,
                                     .limit_s = 60,
                                     .window_events = window_events};
    if (runner_open(&runner, source, &options))
        fail_msg("%s", source->error.message);
    return runner;
}

static const struct run_outcome *run(struct runner *runner, const char *target)
{
    unsigned lane;
    assert_int_equal(runner_start(runner, &target, 1, &lane), 0);
    return runner_finish(runner, lane);
}

static void assert_complete(const struct run_outcome *outcome)
{
    if (!outcome->is_complete || outcome->error[0])
        fail_msg("the run failed: %s", outcome->error);
}

static const struct sample *sample_at(const struct run_outcome *outcome, enum sample_point point)
{
    for (uint32_t i = 0; i < outcome->sample_count; i++)
        if (outcome->samples[i].point == point)
            return &outcome->samples[i];
    fail_msg("no sample %s", sample_point_names[point]);
    return NULL;
}

static void test_memory_of_hill(void **state)
{
    struct trace_source *source = hill();
    struct runner *runner = runner_for(source, RUN_MEMORY, 0);
    const struct run_outcome *outcome = run(runner, "system");
    (void)state;
    assert_complete(outcome);
    const struct sample *peak = sample_at(outcome, POINT_PEAK_LIVE),
                        *end = sample_at(outcome, POINT_END);
    assert_int_equal(peak->event, 8);
    assert_int_equal(peak->live_bytes, 8 << 20);
    assert_true(peak->usable_bytes >= 8 << 20 && peak->usable_bytes < 9 << 20);
    assert_true(peak->resident_bytes >= 8 << 20 && peak->resident_bytes < RESIDENT_LIMIT_BYTES);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* Eight mapped objects: hardly a page without a live byte, and less than a page pinned for
     * each. A sanitizer reserves too much address space to look through. */
    assert_true(outcome->occupancy_known);
    assert_true(outcome->occupancy.retained_bytes < RESIDENT_LIMIT_BYTES - (8 << 20));
    assert_true(outcome->occupancy.pinned_bytes <= 8 * 4096);
#endif
    assert_int_equal(end->event, 15);
    assert_int_equal(end->live_bytes, 1 << 20);
    assert_true(outcome->peak_resident_bytes >= 8 << 20 &&
                outcome->peak_resident_bytes < RESIDENT_LIMIT_BYTES);
    runner_close(runner);
    trace_source_close(source);
}

static void test_null_reads_about_zero(void **state)
{
    struct trace_source *source = hill();
    struct runner *runner = runner_for(source, RUN_MEMORY, 0);
    const struct run_outcome *outcome = run(runner, "null");
    (void)state;
    assert_complete(outcome);
    assert_true(outcome->peak_resident_bytes <= NULL_LIMIT_BYTES);
    runner_close(runner);
    trace_source_close(source);
}

static double slope_on(struct runner *runner, const char *target)
{
    const struct run_outcome *outcome = run(runner, target);
    struct fragmentation metrics;
    assert_complete(outcome);
    metrics_of_samples(&metrics, outcome->samples, outcome->sample_count, 1, 1);
    return metrics.rss_slope;
}

/* `leaky` loses every tenth free, so a tenth of what is freed stays resident. */
static void test_slope_of_leak(void **state)
{
    SKIP_UNDER_SANITIZER();
    struct trace_source *source = workload("server:allocations=300000,live=1M,period=10000");
    struct runner *runner = runner_for(source, RUN_MEMORY, 0);
    const struct trace_summary *summary = source->summary;
    double freed_bytes = (double)(summary->allocated_bytes - summary->final_live_bytes),
           leak = freed_bytes / 10 / (double)summary->event_count * 1e6;
    (void)state;
    assert_true(fabs(slope_on(runner, "system")) < leak / 50);
    double found = slope_on(runner, "leaky");
    if (!(fabs(found / leak - 1) < 0.1))
        fail_msg("a leak of %g bytes per million events reads as %g", leak, found);
    runner_close(runner);
    trace_source_close(source);
}

/* The last sample's L says that every event came through, whatever the size of the windows. */
static void play_in_windows(struct trace_source *source, uint64_t window_events,
                            uint64_t final_live_bytes)
{
    struct runner *runner = runner_for(source, RUN_MEMORY, window_events);
    for (unsigned i = 0; i < 2; i++) {
        const struct run_outcome *outcome = run(runner, "system");
        assert_complete(outcome);
        const struct sample *end = sample_at(outcome, POINT_END);
        assert_int_equal(end->event, source->summary->event_count);
        assert_int_equal(end->live_bytes, final_live_bytes);
        assert_true(end->usable_bytes >= final_live_bytes);
        assert_true(end->usable_bytes <= 3 * final_live_bytes + 4096);
    }
    runner_close(runner);
}

static void test_windows_alone(void **state)
{
    struct trace_source *source = workload("random:allocations=60000");
    (void)state;
    assert_int_equal(trace_source_summarise(source), 0);
    play_in_windows(source, 0, source->summary->final_live_bytes);
    play_in_windows(source, 8192, source->summary->final_live_bytes);
    trace_source_close(source);
}

static void test_windows_of_threads(void **state)
{
    struct trace_source *source = relay(100);
    (void)state;
    play_in_windows(source, 0, 0);
    play_in_windows(source, 1, 0); /* raised to the least that its threads need */
    trace_source_close(source);
}

/* Under thread sanitizer the address space has no room for the shadow map; it looks for races in
 * the plain replay instead. */
#ifdef __SANITIZE_THREAD__
#define ORDER_MODE RUN_THROUGHPUT
#else
#define ORDER_MODE RUN_CHECK
#endif

static void check_relay(const char *target)
{
    struct trace_source *source = relay(60);
    struct runner *runner = runner_for(source, ORDER_MODE, 0);
    const struct run_outcome *outcome = run(runner, target);
    assert_complete(outcome);
    assert_int_equal(outcome->defect_count, 0);
    runner_close(runner);
    trace_source_close(source);
}

/* Free before malloc, or a free of the slot's earlier object, would be a defect or a crash. */
static void test_order_of_threads(void **state)
{
    (void)state;
    check_relay("system");
    check_relay("mem_ts");
}

/* On an allocator that ends the process at the first call on what is not live. */
static void check_strictly(struct trace_source *source)
{
    struct runner *runner = runner_for(source, RUN_THROUGHPUT, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_complete(run(runner, STRICT));
    runner_close(runner);
    trace_source_close(source);
}

static void test_legal_order(void **state)
{
    (void)state;
    check_strictly(relay(60));
    check_strictly(exchange(100));
    check_strictly(handover(60));
}

/* How the process ends that makes the calls in this order: m, r and f on the latest object. */
static int end_of(const char *calls)
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        void *library = dlopen(STRICT, RTLD_NOW | RTLD_LOCAL), *object = NULL, *kept = NULL;
        void *(*allocate_one)(size_t) = (void *(*)(size_t))dlsym(library, "malloc");
        void *(*resize)(void *, size_t) = (void *(*)(void *, size_t))dlsym(library, "realloc");
        void (*release_one)(void *) = (void (*)(void *))dlsym(library, "free");
        signal(SIGABRT, SIG_DFL);
        for (; *calls; calls++)
            if (*calls == 'm')
                object = allocate_one(10);
            else if (*calls == 'r')
                kept = resize(object, 20);
            else
                release_one(object);
        _exit(kept && kept == object);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_strict_is_strict(void **state)
{
    (void)state;
    assert_int_equal(end_of("mfmr"), 0);
    assert_int_equal(end_of("f"), SIGABRT);
    assert_int_equal(end_of("mff"), SIGABRT);
    assert_int_equal(end_of("mfr"), SIGABRT);
    assert_int_equal(end_of("mrf"), SIGABRT); /* the object has moved */
}

/* The faster the target, the further threads run ahead; but `null` lets them share what they touch,
 * which is a race to a sanitizer. */
#ifdef __SANITIZE_THREAD__
#define FASTEST "system"
#else
#define FASTEST "null"
#endif

static void test_wandering_ids(void **state)
{
    struct trace_source *source = exchange(200);
    struct runner *runner = runner_for(source, RUN_THROUGHPUT, 0);
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        assert_complete(run(runner, i % 2 ? "system" : FASTEST));
    runner_close(runner);
    trace_source_close(source);
}

static void test_several_lanes(void **state)
{
    struct trace_source *source = workload("fixed:size=64,rounds=2");
    struct runner *runner = runner_for(source, RUN_MEMORY, 0);
    const char *const names[3] = {"system", "mem", "system"};
    unsigned lanes[3];
    (void)state;
    assert_false(runner_plays_abreast(runner)); /* one window */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(runner_start(runner, &names[i], 1, &lanes[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(i == 0 || lanes[i] != lanes[i - 1]);
        assert_complete(runner_finish(runner, lanes[i]));
    }
    runner_close(runner);
    trace_source_close(source);
}

/* All play every window, whether or not one of them breaks down in the middle. */
static void test_runs_abreast(void **state)
{
    struct trace_source *source = workload("random:allocations=60000");
    struct runner *runner = runner_for(source, RUN_MEMORY, 8192);
    const char *const names[3] = {"mem", BROKEN_FOLDER "/libbroken-crash.so", "system"};
    unsigned lanes[3];
    (void)state;
    assert_true(runner_plays_abreast(runner));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(runner_start(runner, names, 3, lanes), 0);
        for (unsigned i = 0; i < 3; i++) {
            const struct run_outcome *outcome = runner_finish(runner, lanes[i]);
            assert_int_equal(outcome->is_complete, i != 1);
            if (i == 1)
                continue;
            const struct sample *end = sample_at(outcome, POINT_END);
            assert_int_equal(end->event, source->summary->event_count);
            assert_int_equal(end->live_bytes, source->summary->final_live_bytes);
        }
    }
    runner_close(runner);
    trace_source_close(source);
}

static void assert_fails(const char *target, const char *words)
{
    struct trace_source *source = workload("fixed:size=200,rounds=1");
    struct runner_options options = {
        .mode = RUN_THROUGHPUT, .touch = TOUCH_PAGE, .processor = -1, .limit_s = 1};
    struct runner *runner;
    assert_int_equal(runner_open(&runner, source, &options), 0);
    const struct run_outcome *outcome = run(runner, target);
    assert_false(outcome->is_complete);
    if (!strstr(outcome->error, words))
        fail_msg("'%s' does not say '%s'", outcome->error, words);
    runner_close(runner);
    trace_source_close(source);
}

static void test_failures_are_told(void **state)
{
    (void)state;
    assert_fails(BROKEN_FOLDER "/libbroken-crash.so", "signal 11");
    assert_fails(BROKEN_FOLDER "/libbroken-hang.so", "no end after 1 s");
    assert_fails(BROKEN_FOLDER "/libbroken-refusal.so", "returned NULL; bytes asked for (200)");
    assert_fails("/nowhere/libnone.so", "/nowhere/libnone.so");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* Under a sanitizer the C library's malloc is not the process's own, and passes for the
     * library's. */
    assert_fails("libm.so.6", "no malloc, calloc, realloc and free of its own");
#endif
}

static int make_path(void **state)
{
    int descriptor = mkstemp(trace_path);
    (void)state;
    close(descriptor);
    return descriptor < 0 ? -1 : 0;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(trace_path);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], CHILD_COMMAND))
        return child_main(argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_of_hill),     cmocka_unit_test(test_null_reads_about_zero),
        cmocka_unit_test(test_slope_of_leak),      cmocka_unit_test(test_windows_alone),
        cmocka_unit_test(test_windows_of_threads), cmocka_unit_test(test_legal_order),
        cmocka_unit_test(test_strict_is_strict),   cmocka_unit_test(test_order_of_threads),
        cmocka_unit_test(test_wandering_ids),      cmocka_unit_test(test_several_lanes),
        cmocka_unit_test(test_runs_abreast),       cmocka_unit_test(test_failures_are_told),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
