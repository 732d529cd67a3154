#include "replay/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "replay/clock.h"
#include "replay/engine_loop.h"
#include "replay/engine_thread.h"

/* Spins before a waiting thread yields its processor: about a microsecond, the cost of a context
 * switch. */
#define WAIT_SPINS 200

/* Usable bytes are read at every so many samples, since that takes a look at each live object. */
#define USABLE_STRIDE 16

/* While memory drains, the target is called this often, so that an allocator paced by its callers
 * is paced. */
#define DRAIN_STEP_US 1000

/* Threads take turns in three roles: all play events; the last to arrive at a segment's end samples
 * and fetches the next window while the others sleep on `epoch`; the initial thread sets up, and
 * stays to the end. */
struct engine {
    struct run_control *control;
    struct run_window *window;
    const struct target *target;
    const struct engine_observer *observer; /* NULL: no sampling */
    const struct replay_event *(*play)(struct engine_thread *self,
                                       const struct replay_event *event);

    struct engine_thread *threads; /* by index */
    _Atomic uint32_t arrived, epoch;
    uint32_t segment;    /* written while all others wait */
    uint64_t started_ns; /* of the stretch of time that is being measured */
    uint64_t first_ns;   /* of the first of these stretches: where recorded times count from */
    bool is_finished;

    pthread_mutex_t stack_lock; /* guards what follows */
    uint32_t stacks_used;
    int free_stacks[RUN_STACK_LIMIT];
    uint32_t free_stack_count;
    struct engine_thread **ended; /* to be joined before their stacks are used again */
    uint32_t ended_count;
    uint32_t running_count; /* started and not joined */
    _Atomic uint64_t stall_ns, unsupported_count;
};

/* ---- the loop's variants ---- */

#define DEFINE_PLAY(name, is_shared, touch)                                  \
    static const struct replay_event *name(struct engine_thread *self,       \
                                           const struct replay_event *event) \
    {                                                                        \
        return play_events(self, event, is_shared, touch);                   \
    }

DEFINE_PLAY(play_alone_none, false, TOUCH_NONE)
DEFINE_PLAY(play_alone_first, false, TOUCH_FIRST)
DEFINE_PLAY(play_alone_page, false, TOUCH_PAGE)
DEFINE_PLAY(play_alone_full, false, TOUCH_FULL)
DEFINE_PLAY(play_shared_none, true, TOUCH_NONE)
DEFINE_PLAY(play_shared_first, true, TOUCH_FIRST)
DEFINE_PLAY(play_shared_page, true, TOUCH_PAGE)
DEFINE_PLAY(play_shared_full, true, TOUCH_FULL)

static const struct replay_event *(*const play_variants[2][TOUCH_COUNT])(
    struct engine_thread *, const struct replay_event *) = {
    {play_alone_none, play_alone_first, play_alone_page, play_alone_full},
    {play_shared_none, play_shared_first, play_shared_page, play_shared_full},
};

/* ---- the loop's rare paths ---- */

static inline void processor_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void pause_or_yield(uint32_t round)
{
    if (round < WAIT_SPINS)
        processor_pause();
    else
        sched_yield();
}

uint64_t engine_wait_for_object(struct engine_thread *self, _Atomic uint64_t *slot,
                                uint16_t generation)
{
    uint64_t start = clock_now_ns(), value;
    for (uint32_t round = 0;
         !slot_holds(value = atomic_load_explicit(slot, memory_order_acquire), generation); round++)
        pause_or_yield(round);
    self->stall_ns += clock_now_ns() - start;
    return value;
}

void engine_wait_for_vacancy(struct engine_thread *self, _Atomic uint64_t *slot, uint64_t vacant)
{
    uint64_t start = clock_now_ns();
    for (uint32_t round = 0; atomic_load_explicit(slot, memory_order_acquire) != vacant; round++)
        pause_or_yield(round);
    self->stall_ns += clock_now_ns() - start;
}

void engine_wait_for_time(struct engine_thread *self, uint64_t since_start_ns)
{
    uint64_t until = self->engine->first_ns + since_start_ns;
    for (uint64_t now; (now = clock_now_ns()) < until;) {
        struct timespec rest = {.tv_sec = (time_t)((until - now) / 1000000000u),
                                .tv_nsec = (long)((until - now) % 1000000000u)};
        nanosleep(&rest, NULL);
    }
}

static _Noreturn void fail(struct engine *engine, const char *what, uint64_t number)
{
    char *error = engine->control->outcome.error;
    snprintf(error, sizeof engine->control->outcome.error, "%s (%" PRIu64 ")", what, number);
    _exit(1);
}

void engine_out_of_memory(struct engine_thread *self, const struct replay_event *event)
{
    fail(self->engine, "the allocator returned NULL; bytes asked for", event->size);
}

/* ---- measuring ---- */

static void start_clock(struct engine *engine)
{
    engine->started_ns = clock_now_ns();
}

static void stop_clock(struct engine *engine)
{
    engine->control->outcome.wall_ns += clock_now_ns() - engine->started_ns;
}

/* The object in a slot while no thread plays, or NULL. */
static void *object_in(const struct engine *engine, uint32_t slot)
{
    uint64_t value = atomic_load_explicit(&run_slots(engine->control)[slot], memory_order_relaxed);
    if (engine->control->request.is_multi_threaded)
        value = value & SLOT_VACANT ? 0 : value & ADDRESS_MASK;
    return (void *)(uintptr_t)value;
}

static void read_occupancy(struct engine *engine)
{
    struct run_outcome *outcome = &engine->control->outcome;
    struct occupancy *occupancy = engine->observer->occupancy;
    if (!occupancy)
        return;
    occupancy_clear(occupancy);
    for (uint32_t i = 0; i < engine->control->slot_count; i++) {
        void *object = object_in(engine, i);
        if (object)
            occupancy_add(occupancy, object, engine->target->usable_size(object));
    }
    outcome->occupancy_known = occupancy_read(occupancy, &outcome->occupancy) == 0;
}

/* U(t): asked of every live object at some of the points, rather than of every object that comes
 * and goes, which would slow the run by a third. */
static void read_usable(struct engine *engine, struct sample *sample)
{
    bool is_wanted =
        sample->point != POINT_SAMPLE || engine->control->outcome.sample_count % USABLE_STRIDE == 0;
    sample->usable_known = is_wanted && engine->target->usable_size;
    for (uint32_t i = 0; sample->usable_known && i < engine->control->slot_count; i++) {
        void *object = object_in(engine, i);
        if (object)
            sample->usable_bytes += engine->target->usable_size(object);
    }
}

static void take_sample(struct engine *engine, uint64_t event, uint64_t live_bytes,
                        enum sample_point point)
{
    struct run_outcome *outcome = &engine->control->outcome;
    const struct engine_observer *observer = engine->observer;
    if (!observer || outcome->sample_count == RUN_SAMPLE_LIMIT)
        return;
    struct sample *sample = &outcome->samples[outcome->sample_count++];
    *sample = (struct sample){.event = event, .live_bytes = live_bytes, .point = (uint8_t)point};
    outcome->resident_known = memory_probe_read(observer->probe, &sample->resident_bytes) == 0;
    read_usable(engine, sample);
    if (sample->resident_bytes > outcome->peak_resident_bytes)
        outcome->peak_resident_bytes = sample->resident_bytes;
    if (point == POINT_PEAK_LIVE)
        read_occupancy(engine);
}

/* The kernel's high-water mark also saw what came between two samples. */
static void read_peak(struct engine *engine)
{
    uint64_t peak;
    struct run_outcome *outcome = &engine->control->outcome;
    if (engine->observer && memory_probe_peak(engine->observer->probe, &peak) == 0 &&
        peak > outcome->peak_resident_bytes)
        outcome->peak_resident_bytes = peak;
}

/* ---- segments and windows ---- */

/* Tells the parent that the window is played and waits for the next one. */
static void fetch_window(struct engine *engine)
{
    struct run_control *control = engine->control;
    uint32_t played = atomic_fetch_add(&control->windows_played, 1) + 1;
    run_futex_wake(&control->windows_played);
    while (atomic_load(&control->windows_offered) == played)
        run_futex_wait(&control->windows_offered, played, 1000);
    engine->segment = 0;
}

/* What the last thread to arrive does while the others sleep. */
static void finish_segment(struct engine *engine)
{
    const struct segment *segment = &run_segments(engine->window)[engine->segment++];
    stop_clock(engine);
    take_sample(engine, segment->event, segment->live_bytes, segment->point);
    if (engine->segment == engine->window->segment_count) {
        if (engine->window->is_last)
            engine->is_finished = true;
        else
            fetch_window(engine);
    }
    atomic_store(&engine->arrived, 0);
    start_clock(engine);
    atomic_fetch_add(&engine->epoch, 1);
    run_futex_wake(&engine->epoch);
}

/* A thread that is leaving is counted but does not wait. */
static void meet_others(struct engine_thread *self, bool is_leaving)
{
    struct engine *engine = self->engine;
    uint32_t epoch = atomic_load(&engine->epoch);
    uint32_t expected = run_segments(engine->window)[engine->segment].meeting_threads;
    atomic_fetch_add(&engine->stall_ns, self->stall_ns);
    atomic_fetch_add(&engine->unsupported_count, self->unsupported_count);
    self->stall_ns = self->unsupported_count = 0;
    if (atomic_fetch_add(&engine->arrived, 1) + 1 == expected) {
        finish_segment(engine);
        return;
    }
    while (!is_leaving && atomic_load(&engine->epoch) == epoch)
        run_futex_wait(&engine->epoch, epoch, 1000);
}

/* Where the thread goes on after a meeting: behind the segment's end, or at the start of a new
 * window. */
static const struct replay_event *next_event(struct engine_thread *self,
                                             const struct replay_event *end)
{
    struct engine *engine = self->engine;
    return engine->segment ? end + 1 : self->events + run_firsts(engine->window)[self->index];
}

static void play_thread(struct engine_thread *self)
{
    struct engine *engine = self->engine;
    const struct replay_event *event = self->events + run_firsts(engine->window)[self->index];
    for (;;) {
        event = engine->play(self, event);
        bool is_leaving = event->operation == REPLAY_THREAD_END;
        meet_others(self, is_leaving);
        if (is_leaving || engine->is_finished)
            return;
        event = next_event(self, event);
    }
}

/* ---- threads ---- */

static void *thread_main(void *argument)
{
    struct engine_thread *self = argument;
    struct engine *engine = self->engine;
    play_thread(self);
    pthread_mutex_lock(&engine->stack_lock);
    engine->ended[engine->ended_count++] = self;
    pthread_mutex_unlock(&engine->stack_lock);
    return NULL;
}

/* Joins the threads that have ended, which sets their stacks free. The caller holds stack_lock. */
static void reap_ended(struct engine *engine)
{
    while (engine->ended_count) {
        struct engine_thread *ended = engine->ended[--engine->ended_count];
        pthread_join(ended->handle, NULL);
        engine->running_count--;
        if (ended->stack >= 0)
            engine->free_stacks[engine->free_stack_count++] = ended->stack;
    }
}

static int take_stack(struct engine *engine)
{
    if (engine->free_stack_count)
        return engine->free_stacks[--engine->free_stack_count];
    return engine->stacks_used < engine->control->stack_count ? (int)engine->stacks_used++ : -1;
}

void engine_start_thread(struct engine *engine, uint32_t index)
{
    struct engine_thread *thread = &engine->threads[index];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_mutex_lock(&engine->stack_lock);
    reap_ended(engine);
    thread->stack = take_stack(engine);
    if (thread->stack >= 0)
        pthread_attr_setstack(&attributes, run_stack(engine->control, (uint32_t)thread->stack),
                              RUN_STACK_BYTES);
    else
        pthread_attr_setstacksize(&attributes, RUN_STACK_BYTES);
    int error = pthread_create(&thread->handle, &attributes, thread_main, thread);
    engine->running_count += error == 0;
    pthread_mutex_unlock(&engine->stack_lock);
    pthread_attr_destroy(&attributes);
    if (error)
        fail(engine, "no thread could be started; its index", index);
}

static void join_rest(struct engine *engine)
{
    bool is_done = false;
    while (!is_done) {
        pthread_mutex_lock(&engine->stack_lock);
        reap_ended(engine);
        is_done = engine->running_count == 0;
        pthread_mutex_unlock(&engine->stack_lock);
        sched_yield();
    }
}

static void set_up_threads(struct engine *engine)
{
    engine->threads = calloc(engine->window->thread_count, sizeof *engine->threads);
    engine->ended = calloc(engine->window->thread_count, sizeof(struct engine_thread *));
    if (!engine->threads || !engine->ended)
        fail(engine, "no memory for the state of threads; threads", engine->window->thread_count);
    for (uint32_t i = 0; i < engine->window->thread_count; i++)
        engine->threads[i] = (struct engine_thread){
            .target = engine->target,
            .slots = run_slots(engine->control),
            .events = run_events(engine->window),
            .engine = engine,
            .index = i,
            .stack = -1,
        };
}

/* ---- the drain ---- */

static void free_everything(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->control->slot_count; i++) {
        void *object = object_in(engine, i);
        if (object)
            engine->target->free(object);
    }
    memset(run_slots(engine->control), 0, engine->control->slot_count * sizeof(uint64_t));
}

/* Waits like a program that goes on with a little work, so that a target paced by its callers gets
 * its turns. */
static void idle_until(struct engine *engine, uint64_t deadline_ns)
{
    while (clock_now_ns() < deadline_ns) {
        usleep(DRAIN_STEP_US);
        engine->target->free(engine->target->malloc(64));
    }
}

static void drain(struct engine *engine, uint64_t last_event)
{
    free_everything(engine);
    uint64_t start = clock_now_ns();
    take_sample(engine, last_event, 0, POINT_DRAIN_0);
    idle_until(engine, start + 100000000);
    take_sample(engine, last_event, 0, POINT_DRAIN_100MS);
    idle_until(engine, start + 1000000000);
    take_sample(engine, last_event, 0, POINT_DRAIN_1S);
}

/* ---- a whole run ---- */

static void note_usage(struct run_outcome *outcome, const struct rusage *before,
                       const struct rusage *after)
{
    outcome->user_ns = clock_timeval_ns(after->ru_utime) - clock_timeval_ns(before->ru_utime);
    outcome->system_ns = clock_timeval_ns(after->ru_stime) - clock_timeval_ns(before->ru_stime);
    outcome->minor_faults = (uint64_t)(after->ru_minflt - before->ru_minflt);
    outcome->major_faults = (uint64_t)(after->ru_majflt - before->ru_majflt);
}

void engine_play(struct run_control *control, struct run_window *window,
                 const struct target *target, const struct engine_observer *observer)
{
    static struct engine engine; /* one per process */
    struct rusage before, after;
    engine = (struct engine){
        .control = control,
        .window = window,
        .target = target,
        .observer = observer,
        .play = play_variants[control->request.is_multi_threaded][control->request.touch],
        .stack_lock = PTHREAD_MUTEX_INITIALIZER,
    };
    set_up_threads(&engine);

    getrusage(RUSAGE_SELF, &before);
    start_clock(&engine);
    engine.first_ns = engine.started_ns;
    play_thread(&engine.threads[0]);
    getrusage(RUSAGE_SELF, &after);

    note_usage(&control->outcome, &before, &after);
    read_peak(&engine);
    control->outcome.stall_ns = engine.stall_ns;
    control->outcome.unsupported_count = engine.unsupported_count;
    uint64_t last_event = run_segments(window)[window->segment_count - 1].event;

    /* From here on the window may be filled anew for another run. */
    atomic_fetch_add(&control->windows_played, 1);
    run_futex_wake(&control->windows_played);
    if (observer && control->request.waits_for_drain)
        drain(&engine, last_event);
    join_rest(&engine);
}
