#include "replay/child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/check.h"
#include "replay/engine.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older headers lack the name */
#define MADV_POPULATE_WRITE 23
#endif

/* Maps all that is behind the descriptor. Returns NULL with errno. */
static void *map_shared(const char *descriptor)
{
    struct stat status;
    if (fstat(atoi(descriptor), &status) != 0)
        return NULL;
    void *start =
        mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(descriptor), 0);
    return start == MAP_FAILED ? NULL : start;
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

static void prefault_shared(struct run_control *control, struct run_window *window)
{
    uint64_t events = window->is_last ? window->events_used : window->event_limit;
    prefault(control, control->stacks_at);
    for (uint32_t i = 0; i < control->stack_count; i++)
        prefault(run_stack(control, i) + RUN_STACK_BYTES - RUN_STACK_TOUCHED, RUN_STACK_TOUCHED);
    prefault(window, window->events_at + events * sizeof(struct replay_event));
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

/* ---- the modes ---- */

static void measure_throughput(struct run_control *control, struct run_window *window,
                               const struct target *target)
{
    engine_play(control, window, target, NULL);
}

static int open_observer(struct engine_observer *observer, struct memory_probe *probe,
                         struct occupancy *occupancy, uint32_t slot_count, bool knows_sizes)
{
    int error = memory_probe_open(probe);
    *observer = (struct engine_observer){.probe = probe};
    if (!error && knows_sizes) {
        error = occupancy_open(occupancy, slot_count);
        /* Where it can't be read it stays unknown; the rest of the run is as good. */
        if (!error && occupancy_set_baseline(occupancy) == 0)
            observer->occupancy = occupancy;
    }
    return error ? error : memory_probe_set_baseline(probe);
}

static void measure_memory(struct run_control *control, struct run_window *window,
                           const struct target *target)
{
    static struct memory_probe probe;
    static struct occupancy occupancy;
    struct engine_observer observer;
    int error = open_observer(&observer, &probe, &occupancy, control->slot_count,
                              target->usable_size != NULL);
    if (error) {
        snprintf(control->outcome.error, sizeof control->outcome.error,
                 "/proc/self can't be read: %s", strerror(-error));
        exit(1);
    }
    engine_play(control, window, target, &observer);
    memory_probe_close(&probe);
}

static void measure_latency(struct run_control *control, struct run_window *window,
                            const struct target *target)
{
    struct target timed;
    latency_time_target(&timed, target);
    engine_play(control, window, &timed, NULL);
    latency_read(&control->outcome.latency);
}

static void check_promises(struct run_control *control, struct run_window *window,
                           const struct target *target)
{
    struct run_outcome *outcome = &control->outcome;
    struct target checker;
    if (check_target(&checker, target) != 0) {
        snprintf(outcome->error, sizeof outcome->error,
                 "no address space for the shadow map; raise the limit (ulimit -v)");
        exit(1);
    }
    engine_play(control, window, &checker, NULL);
    outcome->defect_count = check_defects(outcome->error, sizeof outcome->error);
}

static void (*const measure[RUN_MODE_COUNT])(struct run_control *, struct run_window *,
                                             const struct target *) = {
    [RUN_THROUGHPUT] = measure_throughput,
    [RUN_LATENCY] = measure_latency,
    [RUN_MEMORY] = measure_memory,
    [RUN_CHECK] = check_promises,
};

int child_main(int argc, char **argv)
{
    /* A run whose parent is gone has nobody to give its outcome to. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct run_control *control = argc == 3 ? map_shared(argv[1]) : NULL;
    struct run_window *window = argc == 3 ? map_shared(argv[2]) : NULL;
    if (!control || !window)
        return 3;
    pin_to(control->request.processor);
    static struct target target; /* outlives exit handlers of preloaded libraries */
    if (!load_target(control, &target))
        return 1;
    prefault_shared(control, window);
    measure[control->request.mode](control, window, &target);
    control->outcome.is_complete = true;
    /* Exit handlers of the measured library are no part of the run, and a broken one must not spoil
     * it. */
    _exit(0);
}
