#include "replay/child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "replay/check.h"
#include "replay/engine.h"
#include "replay/observe.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older headers lack the name */
#define MADV_POPULATE_WRITE 23
#endif

static struct run_control *map_region(int descriptor)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct run_control *head = mmap(NULL, page, PROT_READ, MAP_SHARED, descriptor, 0);
    if (head == MAP_FAILED)
        return NULL;
    size_t bytes = head->region_bytes;
    munmap(head, page);
    struct run_control *control =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return control == MAP_FAILED ? NULL : control;
}

/* Brings pages in now, so that neither a fault nor a page of the harness falls into the run. */
static void prefault(void *start, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *from = (char *)((uintptr_t)start & ~(page - 1));
    size_t reach = (size_t)((char *)start + bytes - from);
    if (madvise(from, reach, MADV_POPULATE_WRITE) == 0)
        return;
    for (size_t at = 0; at < reach; at += page)
        __atomic_fetch_add(from + at, 0, __ATOMIC_RELAXED);
}

static void prefault_region(struct run_control *control)
{
    uint64_t events = control->is_last_window ? control->events_used : control->event_limit;
    prefault(control, control->stacks_at);
    for (uint32_t i = 0; i < control->stack_count; i++)
        prefault(run_stack(control, i) + RUN_STACK_BYTES - RUN_STACK_TOUCHED, RUN_STACK_TOUCHED);
    prefault(run_events(control), events * sizeof(struct replay_event));
}

static void pin_to(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (processor >= 0) {
        CPU_SET((size_t)processor, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
}

static bool load_target(struct run_control *control, struct target *target)
{
    const struct run_request *request = &control->request;
    struct run_outcome *outcome = &control->outcome;
    const struct target_adapter *adapter = target_find(request->target_name);
    struct target_request wanted = {
        .library = target_library(adapter, request->target_name),
        .largest_bytes = request->largest_bytes,
    };
    char error[TARGET_TEXT_BYTES] = "";
    enum target_load load = adapter->load(target, &wanted, error);
    outcome->is_missing = load == TARGET_MISSING;
    outcome->needs_preload = load == TARGET_NEEDS_PRELOAD;
    snprintf(outcome->error, sizeof outcome->error, "%s", error);
    memcpy(outcome->version, target->version, sizeof outcome->version);
    return load == TARGET_LOADED;
}

/* ---- the three modes ---- */

static void measure_throughput(struct run_control *control, const struct target *target)
{
    engine_play(control, target, NULL, NULL);
}

static void measure_memory(struct run_control *control, const struct target *target)
{
    struct memory_probe probe;
    struct target observer;
    int error = memory_probe_open(&probe);
    if (!error)
        error = memory_probe_set_baseline(&probe);
    if (error) {
        snprintf(control->outcome.error, sizeof control->outcome.error, "/proc/self/status: %s",
                 strerror(-error));
        exit(1);
    }
    if (target->usable_size) {
        observe_target(&observer, target);
        engine_play(control, &observer, &probe, observe_usable_bytes);
    } else {
        engine_play(control, target, &probe, NULL);
    }
    memory_probe_close(&probe);
}

static void check_promises(struct run_control *control, const struct target *target)
{
    struct run_outcome *outcome = &control->outcome;
    struct target checker;
    if (check_target(&checker, target) != 0) {
        snprintf(outcome->error, sizeof outcome->error,
                 "no address space for the shadow map; raise the limit (ulimit -v)");
        exit(1);
    }
    engine_play(control, &checker, NULL, NULL);
    outcome->defect_count = check_defects(outcome->error, sizeof outcome->error);
}

static void (*const measure[RUN_MODE_COUNT])(struct run_control *, const struct target *) = {
    [RUN_THROUGHPUT] = measure_throughput,
    [RUN_MEMORY] = measure_memory,
    [RUN_CHECK] = check_promises,
};

int child_main(int argc, char **argv)
{
    /* A run whose parent is gone has nobody to give its outcome to. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct run_control *control = argc == 2 ? map_region(atoi(argv[1])) : NULL;
    if (!control)
        return 3;
    pin_to(control->request.processor);
    static struct target target; /* outlives exit handlers of preloaded libraries */
    if (!load_target(control, &target))
        return 1;
    prefault_region(control);
    measure[control->request.mode](control, &target);
    control->outcome.is_complete = true;
    atomic_fetch_add(&control->windows_played, 1);
    run_futex_wake(&control->windows_played);
    /* Exit handlers of the measured library are no part of the run, and a broken one must not spoil
     * it. */
    _exit(0);
}
