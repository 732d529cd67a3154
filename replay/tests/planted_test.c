/* The planted effects are there, are of the size that is claimed, and nowhere else: by bytes and by
 * counted instructions, not by time. This program is its own run process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/child.h"
#include "replay/runner.h"
#include "workloads/workload.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_UNDER_SANITIZER()                                        \
    skip() /* its allocator is not the one the effects are planted in \
            */
#else
#define SKIP_UNDER_SANITIZER() (void)0
#endif

/* ---- memory ---- */

/* 256 objects of 256 KiB, freed in the order of allocation: each is a mapping of its own in glibc,
 * so what is freed has gone back at once. Small ones share pages, so that what is asked for beyond
 * what is written takes memory too. */
#define LARGE_BYTES (256 * (double)(256 << 10))
#define LARGE       "fixed:size=256k,objects=256,rounds=1,order=fifo"
#define SMALL_BYTES (8192 * 4000.0)
#define SMALL       "fixed:size=4000,objects=8192,rounds=1,order=fifo"

enum { SYSTEM, SLOW, FAT, LEAKY, TARGET_COUNT };
static const char *const target_names[TARGET_COUNT] = {"system", "slow", "fat", "leaky"};

struct reading {
    double peak_bytes, drained_bytes;
};

static struct reading read_outcome(const struct run_outcome *outcome)
{
    if (!outcome->is_complete || outcome->error[0])
        fail_msg("the run failed: %s", outcome->error);
    assert_true(outcome->resident_known);
    const struct sample *last = &outcome->samples[outcome->sample_count - 1];
    assert_int_equal(last->point, POINT_DRAIN_1S);
    return (struct reading){.peak_bytes = (double)outcome->peak_resident_bytes,
                            .drained_bytes = (double)last->resident_bytes};
}

/* The share by which a is above b, in percent. */
static double percent_above(double a, double b)
{
    return 100 * (a / b - 1);
}

static void read_all(struct reading readings[TARGET_COUNT], const char *specification)
{
    const struct runner_options options = {.mode = RUN_MEMORY,
                                           .touch = TOUCH_FULL,
                                           .waits_for_drain = true,
                                           .processor = -1,
                                           .limit_s = 60};
    struct trace_source *source;
    struct trace_error error;
    struct runner *runner;
    unsigned lanes[TARGET_COUNT];
    if (workload_open(&source, specification, &error) || runner_open(&runner, source, &options))
        fail_msg("%s can't be opened", specification);
    for (unsigned i = 0; i < TARGET_COUNT; i++)
        assert_int_equal(runner_start(runner, &target_names[i], 1, &lanes[i]), 0);
    for (unsigned i = 0; i < TARGET_COUNT; i++)
        readings[i] = read_outcome(runner_finish(runner, lanes[i]));
    runner_close(runner);
    trace_source_close(source);
}

static void test_large_objects(void **state)
{
    struct reading readings[TARGET_COUNT];
    const double little = 0.01 * LARGE_BYTES;
    (void)state;
    SKIP_UNDER_SANITIZER();
    read_all(readings, LARGE);
    assert_true(readings[SYSTEM].peak_bytes > LARGE_BYTES);
    for (unsigned i = 0; i < TARGET_COUNT; i++) {
        /* Nobody writes to fat's further pages. */
        assert_true(fabs(percent_above(readings[i].peak_bytes, readings[SYSTEM].peak_bytes)) < 1);
        assert_true(fabs(readings[i].drained_bytes - (i == LEAKY ? 0.1 * LARGE_BYTES : 0)) <
                    little);
    }
}

static void test_small_objects(void **state)
{
    struct reading readings[TARGET_COUNT];
    const struct reading *system = &readings[SYSTEM];
    (void)state;
    SKIP_UNDER_SANITIZER();
    read_all(readings, SMALL);
    assert_true(system->peak_bytes > SMALL_BYTES);
    double fatter = percent_above(readings[FAT].peak_bytes, system->peak_bytes);
    assert_true(fatter > 9 && fatter < 11);
    assert_true(fabs(percent_above(readings[SLOW].peak_bytes, system->peak_bytes)) < 1);
    assert_true(fabs(percent_above(readings[LEAKY].peak_bytes, system->peak_bytes)) < 1);
    for (unsigned i = 0; i < LEAKY; i++)
        assert_true(readings[i].drained_bytes < 0.01 * SMALL_BYTES);
    assert_true(readings[LEAKY].drained_bytes > 0.1 * SMALL_BYTES);
}

/* ---- instructions ---- */

#define PAIRS 50

/* What is counted: pairs of malloc and free, after one that warms up. Never returns. */
static void play_pairs(const struct target *target)
{
    target->free(target->malloc(64));
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(2);
    raise(SIGSTOP);
    for (unsigned i = 0; i < PAIRS; i++)
        target->free(target->malloc(64));
    _exit(0);
}

/* The instructions that the pairs take in a process of their own; -1 where it can't be traced. */
static long count_instructions(const struct target_adapter *adapter)
{
    const struct target_request request = {.largest_bytes = 64};
    struct target target;
    char error[TARGET_TEXT_BYTES];
    assert_int_equal(adapter->load(&target, &request, error), TARGET_LOADED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        play_pairs(&target);
    long count = 0;
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    while (WIFSTOPPED(status)) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
            waitpid(child, &status, 0) != child)
            fail_msg("the traced process is lost");
        count++;
    }
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) ? -1 : count;
}

/* Seven multiplications (SLOW_STEPS) for each malloc and each free, and no more than a compiler
 * that does not optimise makes of the loop around them. */
static void test_slow_works_more(void **state)
{
    (void)state;
    SKIP_UNDER_SANITIZER();
    long plain = count_instructions(&target_system), again = count_instructions(&target_system),
         slow = count_instructions(&target_slow), fat = count_instructions(&target_fat);
    if (plain < 0)
        skip();
    double more = (double)(slow - plain) / (2 * PAIRS),
           noise = (double)labs(again - plain) / (2 * PAIRS);
    assert_true(noise < 1);
    assert_true(more >= 7 && more <= 7 * 12 + 20);
    assert_true(fat - plain < (slow - plain) / 2);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], CHILD_COMMAND))
        return child_main(argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_objects),
        cmocka_unit_test(test_small_objects),
        cmocka_unit_test(test_slow_works_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
