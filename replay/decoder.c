#include "replay/decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Events of one thread stand together in chunks; a JUMP leads from one to the next where they are
 * not neighbours. Large enough that jumps are rare, small enough that 10,000 threads fit a window.
 */
#define CHUNK_EVENTS   256
#define STAGING_EVENTS 4096

/* Calls of a thread that lie closer together are not held apart: a sleep is no more exact than this
 * (prctl(2), PR_SET_TIMERSLACK: 50 us), and no allocator's decay is near it. */
#define PACE_STEP_NS 100000

/* Where a thread's next event goes: below `end`, whose last place is kept for a JUMP. 0 and 0: no
 * chunk yet. */
struct cursor {
    uint64_t next, end;
};

struct decoder {
    struct trace_source *source;
    struct run_window *window;
    struct decoder_plan plan;

    uint64_t *sizes;       /* by object: requested bytes */
    uint16_t *generations; /* by object: of its present or last life */
    uint64_t *waited_ns;   /* by thread: the time of its last wait */
    struct cursor *cursors;
    uint32_t *live_threads;           /* the first live_count are alive */
    uint32_t *live_places;            /* by thread: its place in live_threads */
    uint32_t live_count, ended_count; /* alive; ended since the segment began */

    uint64_t event, live_bytes, next_sample, sample_step;

    struct trace_event staging[STAGING_EVENTS];
    size_t staged, taken;
};

uint64_t decoder_least_events(uint32_t thread_count)
{
    return ((uint64_t)thread_count + 4) * 3 * CHUNK_EVENTS;
}

static void start_over(struct decoder *decoder)
{
    const struct trace_summary *summary = decoder->source->summary;
    memset(decoder->generations, 0, summary->object_count * sizeof *decoder->generations);
    memset(decoder->waited_ns, 0, (summary->thread_count + 1) * sizeof *decoder->waited_ns);
    decoder->live_threads[0] = 0;
    decoder->live_places[0] = 0;
    decoder->live_count = 1;
    decoder->ended_count = 0;
    decoder->event = 0;
    decoder->live_bytes = 0;
    decoder->sample_step = decoder->plan.sample_count
                               ? summary->event_count / decoder->plan.sample_count + 1
                               : UINT64_MAX;
    decoder->next_sample = decoder->sample_step;
    decoder->staged = decoder->taken = 0;
}

struct decoder *decoder_new(struct trace_source *source, struct run_window *window,
                            const struct decoder_plan *plan)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    size_t objects = source->summary->object_count + 1, threads = source->summary->thread_count + 1;
    decoder->source = source;
    decoder->window = window;
    decoder->plan = *plan;
    decoder->sizes = calloc(objects, sizeof *decoder->sizes);
    decoder->generations = calloc(objects, sizeof *decoder->generations);
    decoder->waited_ns = calloc(threads, sizeof *decoder->waited_ns);
    decoder->cursors = calloc(threads, sizeof *decoder->cursors);
    decoder->live_threads = calloc(threads, sizeof *decoder->live_threads);
    decoder->live_places = calloc(threads, sizeof *decoder->live_places);
    if (!decoder->sizes || !decoder->generations || !decoder->waited_ns || !decoder->cursors ||
        !decoder->live_threads || !decoder->live_places) {
        decoder_destroy(decoder);
        errno = ENOMEM;
        return NULL;
    }
    start_over(decoder);
    return decoder;
}

void decoder_destroy(struct decoder *decoder)
{
    if (!decoder)
        return;
    free(decoder->sizes);
    free(decoder->generations);
    free(decoder->waited_ns);
    free(decoder->cursors);
    free(decoder->live_threads);
    free(decoder->live_places);
    free(decoder);
}

int decoder_rewind(struct decoder *decoder)
{
    start_over(decoder);
    return trace_source_rewind(decoder->source);
}

/* Makes room for `count` events of the thread in one piece, and for a JUMP after them. */
static struct replay_event *reserve(struct decoder *decoder, uint32_t thread, uint64_t count)
{
    struct run_window *window = decoder->window;
    struct cursor *cursor = &decoder->cursors[thread];
    struct replay_event *events = run_events(window);

    if (cursor->next + count >= cursor->end) {
        if (cursor->end && cursor->end == window->events_used) {
            cursor->end += CHUNK_EVENTS;
        } else {
            if (cursor->end)
                events[cursor->next] =
                    (struct replay_event){.operation = REPLAY_JUMP, .size = window->events_used};
            else
                run_firsts(window)[thread] = (uint32_t)window->events_used;
            cursor->next = window->events_used;
            cursor->end = cursor->next + CHUNK_EVENTS;
        }
        window->events_used += CHUNK_EVENTS;
    }
    struct replay_event *place = &events[cursor->next];
    cursor->next += count;
    return place;
}

static void emit(struct decoder *decoder, uint32_t thread, struct replay_event event)
{
    *reserve(decoder, thread, 1) = event;
}

/* ---- one recorded call to one or two steps ---- */

static uint8_t alignment_log2_of(const struct trace_event *event)
{
    bool is_page = event->kind == TRACE_VALLOC || event->kind == TRACE_PVALLOC;
    uint32_t alignment = is_page ? 4096 : event->alignment ? event->alignment : 1;
    return (uint8_t)__builtin_ctz(alignment);
}

static enum replay_operation allocation_of(const struct trace_event *event)
{
    switch (event->kind) {
    case TRACE_MALLOC:
        return REPLAY_MALLOC;
    case TRACE_CALLOC:
        return REPLAY_CALLOC;
    case TRACE_REALLOC:
    case TRACE_REALLOCARRAY:
        return REPLAY_REALLOC_NULL;
    default:
        return REPLAY_MEMALIGN;
    }
}

/* Whether a realloc brings bytes that the touch policy wants written. */
static bool grows_visibly(enum run_touch touch, uint64_t old_bytes, uint64_t new_bytes)
{
    const uint64_t page = 4096;
    return (touch == TOUCH_PAGE && (new_bytes + page - 1) / page > (old_bytes + page - 1) / page) ||
           (touch == TOUCH_FULL && new_bytes > old_bytes);
}

static void decode_allocation(struct decoder *decoder, const struct trace_event *event,
                              uint64_t bytes)
{
    uint16_t *generation = &decoder->generations[event->object];
    *generation = replay_next_generation(*generation);
    decoder->sizes[event->object] = bytes;
    decoder->live_bytes += bytes;
    emit(decoder, event->thread,
         (struct replay_event){.operation = (uint8_t)allocation_of(event),
                               .slot = event->object,
                               .generation = *generation,
                               .alignment_log2 = alignment_log2_of(event),
                               .size = bytes});
}

static void decode_realloc(struct decoder *decoder, const struct trace_event *event, uint64_t bytes)
{
    uint16_t *generation = &decoder->generations[event->object];
    uint64_t old_bytes = decoder->sizes[event->object];
    bool is_grown = grows_visibly(decoder->plan.touch, old_bytes, bytes);
    struct replay_event *place = reserve(decoder, event->thread, is_grown ? 2 : 1);

    place[0] = (struct replay_event){
        .operation = (uint8_t)(is_grown ? REPLAY_REALLOC_GROWN : REPLAY_REALLOC),
        .slot = event->object,
        .generation = *generation,
        .size = bytes};
    if (is_grown)
        place[1] = (struct replay_event){.operation = REPLAY_EXTENSION, .size = old_bytes};
    *generation = replay_next_generation(*generation);
    decoder->live_bytes += bytes - old_bytes;
    decoder->sizes[event->object] = bytes;
}

static void decode_release(struct decoder *decoder, const struct trace_event *event)
{
    decoder->live_bytes -= decoder->sizes[event->object];
    emit(decoder, event->thread,
         (struct replay_event){.operation = REPLAY_FREE,
                               .slot = event->object,
                               .generation = decoder->generations[event->object]});
}

static void start_thread(struct decoder *decoder, const struct trace_event *event)
{
    uint32_t child = event->object;
    emit(decoder, event->thread,
         (struct replay_event){.operation = REPLAY_THREAD_START, .slot = child});
    decoder->live_places[child] = decoder->live_count;
    decoder->live_threads[decoder->live_count++] = child;
}

/* The initial thread stays for the meetings, as a process does until its last thread has ended. */
static void end_thread(struct decoder *decoder, const struct trace_event *event)
{
    if (event->thread == 0)
        return;
    emit(decoder, event->thread, (struct replay_event){.operation = REPLAY_THREAD_END});
    uint32_t place = decoder->live_places[event->thread];
    uint32_t moved = decoder->live_threads[--decoder->live_count];
    decoder->live_threads[place] = moved;
    decoder->live_places[moved] = place;
    decoder->ended_count++;
}

static void keep_pace(struct decoder *decoder, const struct trace_event *event)
{
    uint64_t *waited_ns = &decoder->waited_ns[event->thread];
    if (decoder->plan.pace != PACE_RECORDED || event->time_ns < *waited_ns + PACE_STEP_NS)
        return;
    *waited_ns = event->time_ns;
    emit(decoder, event->thread,
         (struct replay_event){.operation = REPLAY_WAIT, .size = event->time_ns});
}

static void decode_event(struct decoder *decoder, const struct trace_event *event)
{
    keep_pace(decoder, event);
    uint64_t bytes = trace_event_bytes(event);
    if (event->kind == TRACE_THREAD_START)
        start_thread(decoder, event);
    else if (event->kind == TRACE_THREAD_END)
        end_thread(decoder, event);
    else if (trace_event_allocates(event))
        decode_allocation(decoder, event, bytes);
    else if (trace_event_releases(event))
        decode_release(decoder, event);
    else if (trace_event_resizes(event))
        decode_realloc(decoder, event, bytes);
    else
        emit(decoder, event->thread,
             (struct replay_event){.operation = event->kind == TRACE_FREE ? REPLAY_FREE_NULL
                                                                          : REPLAY_FAILING,
                                   .size = bytes});
}

/* ---- windows and segments ---- */

static void end_segment(struct decoder *decoder, enum sample_point point)
{
    struct run_window *window = decoder->window;
    run_segments(window)[window->segment_count++] = (struct segment){
        .event = decoder->event,
        .live_bytes = decoder->live_bytes,
        .meeting_threads = decoder->live_count + decoder->ended_count,
        .point = (uint8_t)point,
    };
    decoder->ended_count = 0;
    for (uint32_t i = 0; i < decoder->live_count; i++)
        emit(decoder, decoder->live_threads[i],
             (struct replay_event){.operation = REPLAY_SEGMENT_END});
}

/* Ends a segment after the event just decoded, if the plan has a point there. */
static void sample_if_planned(struct decoder *decoder)
{
    if (!decoder->plan.sample_count || decoder->event == decoder->source->summary->event_count)
        return;
    if (decoder->event == decoder->source->summary->peak_live_event + 1)
        end_segment(decoder, POINT_PEAK_LIVE);
    else if (decoder->event >= decoder->next_sample)
        end_segment(decoder, POINT_SAMPLE);
    else
        return;
    while (decoder->next_sample <= decoder->event)
        decoder->next_sample += decoder->sample_step;
}

static void start_window(struct decoder *decoder)
{
    struct run_window *window = decoder->window;
    window->events_used = 0;
    window->segment_count = 0;
    window->is_last = false;
    for (uint32_t thread = 0; thread < window->thread_count; thread++)
        run_firsts(window)[thread] = RUN_NO_EVENT;
    memset(decoder->cursors, 0, window->thread_count * sizeof *decoder->cursors);
}

static bool has_room(const struct decoder *decoder)
{
    const struct run_window *window = decoder->window;
    /* What one more event, the end of a planned segment and the end of the window may take: a chunk
     * for each live thread at the most, since consecutive ends share one. */
    uint64_t reserve_events = ((uint64_t)decoder->live_count + 4) * CHUNK_EVENTS;
    return window->events_used + reserve_events <= window->event_limit &&
           window->segment_count + 2 <= window->segment_limit;
}

int decoder_fill(struct decoder *decoder)
{
    start_window(decoder);
    while (has_room(decoder)) {
        if (decoder->taken == decoder->staged) {
            decoder->taken = 0;
            int error = trace_source_read(decoder->source, decoder->staging, STAGING_EVENTS,
                                          &decoder->staged);
            if (error)
                return error;
            if (decoder->staged == 0) {
                decoder->window->is_last = true;
                break;
            }
        }
        decode_event(decoder, &decoder->staging[decoder->taken++]);
        decoder->event++;
        sample_if_planned(decoder);
    }
    end_segment(decoder, decoder->window->is_last ? POINT_END : POINT_SAMPLE);
    return 0;
}
