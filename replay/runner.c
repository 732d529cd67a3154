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
#include "replay/sources.h"

/* A window of 8 Mi events is 128 MiB: large enough for most traces at once, small enough to stay
 * far below 300 MiB. */
#define WINDOW_EVENT_LIMIT (UINT64_C(8) << 20)

/* Enough for a chart twice as wide as a README shows it, and far below what an outcome holds. */
#define TIMELINE_POINTS 256

/* How often a silent run is looked at, to see whether it still lives. */
#define POLL_MS 20

struct lane {
    struct run_control *control; /* NULL until first used */
    int descriptor;
    pid_t child; /* 0: no run */
    int status;  /* of waitpid(2), once is_over */
    bool is_over;
};

struct runner {
    struct trace_source *source;
    struct runner_options options;
    struct run_window *window;
    struct decoder *decoder;
    char *program;  /* started anew for each run */
    int descriptor; /* of the window */
    bool is_at_first_window;
    struct lane lanes[RUNNER_LANES];
};

/* ---- shared memory ---- */

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

static struct run_window window_layout(const struct trace_summary *summary, uint32_t sample_count,
                                       uint64_t most)
{
    struct run_window head = {
        .segment_limit = sample_count + 8,
        .thread_count = summary->thread_count ? summary->thread_count : 1,
        .event_limit = events_needed(summary, sample_count),
    };
    uint64_t least = 2 * decoder_least_events(head.thread_count);
    if (most < least)
        most = least;
    if (head.event_limit > most)
        head.event_limit = most;
    head.segments_at = round_up(sizeof head);
    head.firsts_at = head.segments_at + round_up(head.segment_limit * sizeof(struct segment));
    head.events_at = head.firsts_at + round_up(head.thread_count * sizeof(uint32_t));
    head.mapped_bytes = head.events_at + round_up(head.event_limit * sizeof(struct replay_event));
    return head;
}

static struct run_control lane_layout(const struct trace_summary *summary)
{
    uint32_t others = summary->thread_count > 1 ? summary->thread_count - 1 : 0;
    struct run_control head = {
        .slot_count = summary->object_count + 1, /* events without an object name slot 0 */
        .stack_count = others < RUN_STACK_LIMIT ? others : RUN_STACK_LIMIT,
    };
    head.slots_at = round_up(sizeof head);
    head.stacks_at = head.slots_at + round_up(head.slot_count * sizeof(uint64_t));
    head.mapped_bytes = head.stacks_at + head.stack_count * RUN_STACK_BYTES;
    return head;
}

/* Makes shared memory that a run's process can map too. Returns NULL with errno. */
static void *new_shared(uint64_t bytes, int *descriptor)
{
    *descriptor = memfd_create("heaplab-run", 0); /* inherited by the run's process */
    if (*descriptor < 0 || ftruncate(*descriptor, (off_t)bytes) != 0)
        return NULL;
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *descriptor, 0);
    return start == MAP_FAILED ? NULL : start;
}

static int make_window(struct runner *runner, uint32_t sample_count)
{
    uint64_t most =
        runner->options.window_events ? runner->options.window_events : WINDOW_EVENT_LIMIT;
    struct run_window head = window_layout(runner->source->summary, sample_count, most);
    runner->window = new_shared(head.mapped_bytes, &runner->descriptor);
    if (!runner->window)
        return -errno;
    *runner->window = head;
    return 0;
}

static int make_lane(const struct runner *runner, struct lane *lane)
{
    struct run_control head = lane_layout(runner->source->summary);
    lane->control = new_shared(head.mapped_bytes, &lane->descriptor);
    if (!lane->control)
        return -errno;
    *lane->control = head;
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
    runner->program = source_program_path();

    int error = runner->program ? trace_source_summarise(source) : no_memory(source, -errno);
    if (error)
        goto failed;
    struct decoder_plan plan = {
        .sample_count = options->mode == RUN_MEMORY ? TIMELINE_POINTS : 0,
        .touch = options->touch,
        .pace = options->pace,
    };
    error = make_window(runner, plan.sample_count);
    if (!error) {
        runner->decoder = decoder_new(source, runner->window, &plan);
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

static void kill_run(struct lane *lane)
{
    kill(lane->child, SIGKILL);
    waitpid(lane->child, &lane->status, 0);
    lane->is_over = true;
}

static void release_lane(struct lane *lane)
{
    if (lane->child && !lane->is_over)
        kill_run(lane);
    if (lane->control)
        munmap(lane->control, lane->control->mapped_bytes);
    if (lane->descriptor > 0)
        close(lane->descriptor);
}

void runner_close(struct runner *runner)
{
    if (!runner)
        return;
    for (unsigned i = 0; i < RUNNER_LANES; i++)
        release_lane(&runner->lanes[i]);
    decoder_destroy(runner->decoder);
    if (runner->window)
        munmap(runner->window, runner->window->mapped_bytes);
    if (runner->descriptor >= 0)
        close(runner->descriptor);
    free(runner->program);
    free(runner);
}

/* ---- one run ---- */

static void prepare_lane(const struct runner *runner, struct lane *lane, const char *target_name)
{
    struct run_control *control = lane->control;
    bool is_multi_threaded = runner->window->thread_count > 1;
    for (uint32_t i = 0; i < control->slot_count; i++)
        atomic_store_explicit(&run_slots(control)[i], is_multi_threaded ? slot_vacant(0) : 0,
                              memory_order_relaxed);
    memset(&control->outcome, 0, sizeof control->outcome);
    atomic_store(&control->windows_offered, 1);
    atomic_store(&control->windows_played, 0);
    control->request = (struct run_request){
        .mode = (uint8_t)runner->options.mode,
        .touch = (uint8_t)(runner->options.mode == RUN_CHECK ? TOUCH_NONE : runner->options.touch),
        .is_multi_threaded = is_multi_threaded,
        .waits_for_drain =
            runner->options.waits_for_drain && target_find(target_name) != &target_null,
        .processor =
            is_multi_threaded || runner_plays_abreast(runner) ? -1 : runner->options.processor,
        .largest_bytes = runner->source->summary->peak_live_bytes,
    };
    snprintf(control->request.target_name, sizeof control->request.target_name, "%s", target_name);
}

/* Only calls what is safe between fork(2) and exec: the parent has no other threads. */
static pid_t start_child(const struct runner *runner, const struct lane *lane, const char *preload)
{
    char lane_text[16], window_text[16];
    snprintf(lane_text, sizeof lane_text, "%d", lane->descriptor);
    snprintf(window_text, sizeof window_text, "%d", runner->descriptor);
    pid_t child = fork();
    if (child != 0)
        return child;
    if (preload)
        setenv("LD_PRELOAD", preload, 1);
    int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is for results alone */
    execl(runner->program, "heaplab", CHILD_COMMAND, lane_text, window_text, (char *)NULL);
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
        snprintf(outcome->error, sizeof outcome->error, "the run ended with exit status %d",
                 WEXITSTATUS(status));
}

/* Waits until the window is played or the process is gone. */
static void wait_for_window(const struct runner *runner, struct lane *lane, uint32_t window)
{
    struct run_control *control = lane->control;
    unsigned limit_s = runner->options.limit_s;
    uint64_t deadline_ns = clock_now_ns() + limit_s * UINT64_C(1000000000);
    uint32_t played;
    while ((played = atomic_load(&control->windows_played)) != window && !lane->is_over) {
        run_futex_wait(&control->windows_played, played, POLL_MS);
        lane->is_over = waitpid(lane->child, &lane->status, WNOHANG) == lane->child;
        if (!lane->is_over && limit_s && clock_now_ns() > deadline_ns) {
            snprintf(control->outcome.error, sizeof control->outcome.error,
                     "no end after %u s; given up", limit_s);
            kill_run(lane);
        }
    }
}

/* ---- runs abreast ---- */

static int begin_run(struct runner *runner, struct lane *lane, const char *target_name,
                     const char *preload)
{
    int error = lane->control ? 0 : make_lane(runner, lane);
    if (error)
        return error;
    prepare_lane(runner, lane, target_name);
    lane->is_over = false;
    lane->child = start_child(runner, lane, preload);
    if (lane->child > 0)
        return 0;
    lane->child = 0;
    return -errno;
}

/* Waits for the first window; a target that can't be loaded late gets another start. */
static int see_through_start(struct runner *runner, struct lane *lane, const char *target_name)
{
    wait_for_window(runner, lane, 1);
    if (!lane->is_over || !lane->control->outcome.needs_preload)
        return 0;
    int error =
        begin_run(runner, lane, target_name, target_library(target_find(target_name), target_name));
    if (!error)
        wait_for_window(runner, lane, 1);
    return error;
}

static int play_first_window(struct runner *runner, const char *const *names, unsigned count,
                             const unsigned *lanes)
{
    int error = fill_first_window(runner);
    for (unsigned i = 0; i < count && !error; i++)
        error = begin_run(runner, &runner->lanes[lanes[i]], names[i], NULL);
    for (unsigned i = 0; i < count && !error; i++)
        error = see_through_start(runner, &runner->lanes[lanes[i]], names[i]);
    return error;
}

static bool is_any_left(const struct runner *runner, unsigned count, const unsigned *lanes)
{
    for (unsigned i = 0; i < count; i++)
        if (!runner->lanes[lanes[i]].is_over)
            return true;
    return false;
}

/* Hands the runs one window after another until they have played the last or are gone. Returns 0,
 * or -errno where the source could not be read. */
static int play_further_windows(struct runner *runner, unsigned count, const unsigned *lanes)
{
    for (uint32_t window = 2; !runner->window->is_last && is_any_left(runner, count, lanes);
         window++) {
        int error = fill_window(runner);
        if (error)
            return error;
        for (unsigned i = 0; i < count; i++) {
            struct run_control *control = runner->lanes[lanes[i]].control;
            atomic_fetch_add(&control->windows_offered, 1);
            run_futex_wake(&control->windows_offered);
        }
        for (unsigned i = 0; i < count; i++)
            wait_for_window(runner, &runner->lanes[lanes[i]], window);
    }
    return 0;
}

static void give_up(struct lane *lane)
{
    if (lane->child && !lane->is_over)
        kill_run(lane);
    lane->child = 0;
}

bool runner_plays_abreast(const struct runner *runner)
{
    return runner->options.mode == RUN_MEMORY && runner->options.pace == PACE_FULL &&
           runner->window->thread_count == 1 &&
           !(runner->is_at_first_window && runner->window->is_last);
}

int runner_start(struct runner *runner, const char *const *names, unsigned count, unsigned *lanes)
{
    unsigned number = 0;
    for (unsigned i = 0; i < count; i++, number++) {
        while (number < RUNNER_LANES && runner->lanes[number].child)
            number++;
        if (number >= RUNNER_LANES)
            return -EBUSY;
        lanes[i] = number;
    }
    int error = play_first_window(runner, names, count, lanes);
    if (!error)
        error = play_further_windows(runner, count, lanes);
    for (unsigned i = 0; i < count && error; i++)
        give_up(&runner->lanes[lanes[i]]);
    return error;
}

const struct run_outcome *runner_finish(struct runner *runner, unsigned lane_number)
{
    struct lane *lane = &runner->lanes[lane_number];
    struct run_outcome *outcome = &lane->control->outcome;
    if (!lane->is_over)
        waitpid(lane->child, &lane->status, 0);
    lane->child = 0;
    /* A checker such as Valgrind speaks up through the exit status of a run that went through. */
    if (lane->status != 0)
        outcome->is_complete = false;
    if (!outcome->is_complete)
        describe_end(outcome, lane->status);
    return outcome;
}
