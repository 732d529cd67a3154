#include "replay/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "replay/child.h"
#include "replay/clock.h"
#include "replay/decoder.h"

/* A window of 8 Mi events is 128 MiB: large enough for most traces at once, small enough to stay
 * far below 300 MiB. */
#define WINDOW_EVENT_LIMIT (UINT64_C(8) << 20)

/* Half of the samples that an outcome holds, so that the peak, the end and the drain always find
 * room. */
#define TIMELINE_POINTS (RUN_SAMPLE_LIMIT / 2)

/* How often a silent run is looked at, to see whether it still lives. */
#define POLL_MS 20

struct runner {
    struct trace_source *source;
    struct runner_options options;
    struct run_control *control;
    struct decoder *decoder;
    int descriptor;
    bool is_at_first_window;
};

/* ---- the region ---- */

/* What the events take at the most in a single window: themselves, an extension for each realloc,
 * the ends of segments, jumps and half-filled chunks. */
static uint64_t events_needed(const struct trace_summary *summary, uint32_t sample_count)
{
    uint64_t reallocs =
        summary->call_count[TRACE_REALLOC] + summary->call_count[TRACE_REALLOCARRAY];
    uint64_t ends = ((uint64_t)sample_count + 4) * summary->thread_count;
    uint64_t steps = summary->event_count + reallocs + ends;
    return steps + steps / 100 + 2 * decoder_least_events(summary->thread_count);
}

static uint64_t round_up(uint64_t bytes)
{
    const uint64_t page = 4096;
    return (bytes + page - 1) / page * page;
}

static struct run_control layout(const struct trace_summary *summary, uint32_t sample_count)
{
    struct run_control head = {
        .segment_limit = sample_count + 8,
        .thread_count = summary->thread_count ? summary->thread_count : 1,
        .slot_count = summary->object_count + 1, /* events without an object name slot 0 */
        .event_limit = events_needed(summary, sample_count),
    };
    uint64_t least = 2 * decoder_least_events(head.thread_count);
    uint64_t most = least > WINDOW_EVENT_LIMIT ? least : WINDOW_EVENT_LIMIT;
    if (head.event_limit > most)
        head.event_limit = most;
    head.stack_count =
        head.thread_count - 1 < RUN_STACK_LIMIT ? head.thread_count - 1 : RUN_STACK_LIMIT;

    head.segments_at = round_up(sizeof head);
    head.firsts_at = head.segments_at + round_up(head.segment_limit * sizeof(struct segment));
    head.slots_at = head.firsts_at + round_up(head.thread_count * sizeof(uint32_t));
    head.stacks_at = head.slots_at + round_up(head.slot_count * sizeof(uint64_t));
    head.events_at = head.stacks_at + head.stack_count * RUN_STACK_BYTES;
    head.region_bytes = head.events_at + round_up(head.event_limit * sizeof(struct replay_event));
    return head;
}

static int map_region(struct runner *runner, const struct run_control *head)
{
    runner->descriptor = memfd_create("heaplab-run", 0); /* inherited by the run's process */
    if (runner->descriptor < 0 || ftruncate(runner->descriptor, (off_t)head->region_bytes) != 0)
        return -errno;
    void *region =
        mmap(NULL, head->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, runner->descriptor, 0);
    if (region == MAP_FAILED)
        return -errno;
    runner->control = region;
    *runner->control = *head;
    return 0;
}

static int fill_window(struct runner *runner)
{
    runner->is_at_first_window = false;
    return decoder_fill(runner->decoder);
}

static int fill_first_window(struct runner *runner)
{
    if (runner->is_at_first_window)
        return 0;
    int error = decoder_rewind(runner->decoder);
    if (!error)
        error = decoder_fill(runner->decoder);
    runner->is_at_first_window = error == 0;
    return error;
}

static int no_memory(struct trace_source *source, int error)
{
    source->error.byte_offset = UINT64_MAX;
    snprintf(source->error.message, sizeof source->error.message,
             "no memory for its events (%s); free some and try again", strerror(-error));
    return error;
}

int runner_open(struct runner **result, struct trace_source *source,
                const struct runner_options *options)
{
    struct runner *runner = calloc(1, sizeof *runner);
    if (!runner)
        return no_memory(source, -ENOMEM);
    runner->source = source;
    runner->options = *options;
    runner->descriptor = -1;

    int error = trace_source_summarise(source);
    if (error)
        goto failed;
    struct decoder_plan plan = {
        .sample_count = options->mode == RUN_MEMORY ? TIMELINE_POINTS : 0,
        .touch = options->touch,
    };
    struct run_control head = layout(source->summary, plan.sample_count);
    error = map_region(runner, &head);
    if (!error) {
        runner->decoder = decoder_new(source, runner->control, &plan);
        error = runner->decoder ? 0 : -ENOMEM;
    }
    if (error) {
        no_memory(source, error);
        goto failed;
    }
    error = fill_first_window(runner);
    if (error)
        goto failed;
    *result = runner;
    return 0;

failed:
    runner_close(runner);
    return error;
}

void runner_close(struct runner *runner)
{
    if (!runner)
        return;
    decoder_destroy(runner->decoder);
    if (runner->control)
        munmap(runner->control, runner->control->region_bytes);
    if (runner->descriptor >= 0)
        close(runner->descriptor);
    free(runner);
}

/* ---- one run ---- */

static void reset_region(struct runner *runner, const char *target_name, bool is_preloaded)
{
    struct run_control *control = runner->control;
    memset(run_slots(control), 0, control->slot_count * sizeof(uint64_t));
    memset(&control->outcome, 0, sizeof control->outcome);
    atomic_store(&control->windows_offered, 1);
    atomic_store(&control->windows_played, 0);
    control->request = (struct run_request){
        .mode = (uint8_t)runner->options.mode,
        .touch = (uint8_t)(runner->options.mode == RUN_CHECK ? TOUCH_NONE : runner->options.touch),
        .is_multi_threaded = control->thread_count > 1,
        .is_preloaded = is_preloaded,
        .waits_for_drain =
            runner->options.waits_for_drain && target_find(target_name) != &target_null,
        .processor = control->thread_count > 1 ? -1 : runner->options.processor,
        .largest_bytes = runner->source->summary->peak_live_bytes,
    };
    snprintf(control->request.target_name, sizeof control->request.target_name, "%s", target_name);
}

static pid_t start_child(struct runner *runner, const char *preload)
{
    char descriptor[16];
    snprintf(descriptor, sizeof descriptor, "%d", runner->descriptor);
    pid_t child = fork();
    if (child != 0)
        return child;
    if (preload)
        setenv("LD_PRELOAD", preload, 1);
    int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is for results alone */
    execl("/proc/self/exe", "heaplab", CHILD_COMMAND, descriptor, (char *)NULL);
    _exit(3);
}

static void describe_end(struct run_outcome *outcome, int status)
{
    if (outcome->error[0] || outcome->needs_preload)
        return;
    if (WIFSIGNALED(status))
        snprintf(outcome->error, sizeof outcome->error, "the run was ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(outcome->error, sizeof outcome->error, "the run ended early with exit status %d",
                 WEXITSTATUS(status));
}

/* Waits until the window is played or the process is gone. Returns whether it lives on; else
 * *status is its own. */
static bool wait_for_window(struct runner *runner, pid_t child, uint32_t window, int *status)
{
    struct run_control *control = runner->control;
    uint64_t deadline_ns = clock_now_ns() + runner->options.limit_s * UINT64_C(1000000000);
    for (;;) {
        uint32_t played = atomic_load(&control->windows_played);
        if (played == window)
            return true;
        run_futex_wait(&control->windows_played, played, POLL_MS);
        if (waitpid(child, status, WNOHANG) == child)
            return false;
        if (runner->options.limit_s && clock_now_ns() > deadline_ns) {
            snprintf(control->outcome.error, sizeof control->outcome.error,
                     "no end after %u s; given up", runner->options.limit_s);
            kill(child, SIGKILL);
        }
    }
}

/* Hands the child one window after another until it ends. Returns 0 or -errno where the source
 * could not be read. */
static int attend_child(struct runner *runner, pid_t child, int *status)
{
    struct run_control *control = runner->control;
    for (uint32_t window = 1; wait_for_window(runner, child, window, status); window++) {
        if (control->is_last_window) {
            waitpid(child, status, 0);
            return 0;
        }
        int error = fill_window(runner);
        if (error) {
            kill(child, SIGKILL);
            waitpid(child, status, 0);
            return error;
        }
        atomic_fetch_add(&control->windows_offered, 1);
        run_futex_wake(&control->windows_offered);
    }
    return 0;
}

static int run_once(struct runner *runner, const char *target_name, const char *preload)
{
    int status = 0;
    int error = fill_first_window(runner);
    if (error)
        return error;
    reset_region(runner, target_name, preload != NULL);
    pid_t child = start_child(runner, preload);
    if (child < 0)
        return -errno;
    error = attend_child(runner, child, &status);
    if (!error && !runner->control->outcome.is_complete)
        describe_end(&runner->control->outcome, status);
    return error;
}

const struct run_outcome *runner_run(struct runner *runner, const char *target_name)
{
    struct run_outcome *outcome = &runner->control->outcome;
    int error = run_once(runner, target_name, NULL);
    if (!error && outcome->needs_preload)
        error =
            run_once(runner, target_name, target_library(target_find(target_name), target_name));
    if (error) {
        errno = -error;
        return NULL;
    }
    return outcome;
}
