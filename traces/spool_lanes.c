#include "traces/spool_lanes.h"

#include <errno.h>
#include <stdlib.h>

static int is_before(const struct spool_lane *a, const struct spool_lane *b)
{
    return a->due != b->due ? a->due < b->due : a->thread < b->thread;
}

static void place(struct spool_lanes *lanes, struct spool_lane *lane, uint32_t index)
{
    lanes->heap[index] = lane;
    lane->heap_index = index;
}

static void sift_up(struct spool_lanes *lanes, struct spool_lane *lane)
{
    uint32_t index = lane->heap_index;
    while (index > 0 && is_before(lane, lanes->heap[(index - 1) / 2])) {
        place(lanes, lanes->heap[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    place(lanes, lane, index);
}

static void sift_down(struct spool_lanes *lanes, struct spool_lane *lane)
{
    uint32_t index = lane->heap_index;
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= lanes->count)
            break;
        if (child + 1 < lanes->count && is_before(lanes->heap[child + 1], lanes->heap[child]))
            child++;
        if (!is_before(lanes->heap[child], lane))
            break;
        place(lanes, lanes->heap[child], index);
        index = child;
    }
    place(lanes, lane, index);
}

void spool_lanes_init(struct spool_lanes *lanes, struct spool_reader *reader)
{
    *lanes = (struct spool_lanes){.reader = reader};
    lanes->threads = spool_reader_threads(reader, &lanes->thread_count);
    uint64_t stop = spool_reader_header(reader)->stop_ticks;
    lanes->stop_ticks = stop ? stop : UINT64_MAX;
}

static void destroy_lane(struct spool_lane *lane)
{
    spool_stream_close(lane->stream);
    free(lane);
}

void spool_lanes_clean_up(struct spool_lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->count; i++)
        destroy_lane(lanes->heap[i]);
    free(lanes->heap);
    *lanes = (struct spool_lanes){0};
}

static int reserve_lane(struct spool_lanes *lanes)
{
    if (lanes->count < lanes->capacity)
        return 0;
    uint32_t capacity = lanes->capacity ? lanes->capacity * 2 : 16;
    struct spool_lane **heap = reallocarray(lanes->heap, capacity, sizeof(struct spool_lane *));
    if (!heap)
        return -ENOMEM;
    lanes->heap = heap;
    lanes->capacity = capacity;
    return 0;
}

static int read_call(struct spool_lanes *lanes, struct spool_lane *lane)
{
    int status = spool_stream_next(lane->stream, &lane->call);
    return status > 0 && lane->call.before_ticks >= lanes->stop_ticks ? 0 : status;
}

/* Where the call happens: a release before the real call, an allocation after it. */
static uint64_t call_due(const struct spool_call *call)
{
    return call->before_ticks;
}

/* Returns 0 or -errno. A thread that has a chunk but no complete call opens no lane. */
static int open_lane(struct spool_lanes *lanes, const struct spool_thread *thread)
{
    struct spool_lane *lane = calloc(1, sizeof *lane);
    if (!lane || reserve_lane(lanes)) {
        free(lane);
        return -ENOMEM;
    }
    lane->thread = thread->number;
    lane->stream = spool_stream_open(lanes->reader, thread);
    int status = lane->stream ? read_call(lanes, lane) : -ENOMEM;
    if (status <= 0) {
        destroy_lane(lane);
        return status;
    }
    lane->due = call_due(&lane->call);
    lane->heap_index = lanes->count++;
    sift_up(lanes, lane);
    return 0;
}

int spool_lanes_first(struct spool_lanes *lanes, struct spool_lane **lane)
{
    while (lanes->thread_count &&
           (!lanes->count || lanes->threads[0].first_ticks <= lanes->heap[0]->due)) {
        lanes->thread_count--;
        int status = open_lane(lanes, lanes->threads++);
        if (status)
            return status;
    }
    *lane = lanes->count ? lanes->heap[0] : NULL;
    return 0;
}

int spool_lanes_advance(struct spool_lanes *lanes, struct spool_lane *lane)
{
    lane->is_moving = 0;
    int status = read_call(lanes, lane);
    if (status > 0)
        spool_lanes_reschedule(lanes, lane, call_due(&lane->call));
    return status;
}

void spool_lanes_remove(struct spool_lanes *lanes, struct spool_lane *lane)
{
    struct spool_lane *last = lanes->heap[--lanes->count];
    if (last != lane) {
        place(lanes, last, lane->heap_index);
        sift_up(lanes, last);
        sift_down(lanes, last);
    }
    destroy_lane(lane);
}

void spool_lanes_reschedule(struct spool_lanes *lanes, struct spool_lane *lane, uint64_t due)
{
    if (lane->awaited_address) {
        lane->awaited_address = 0;
        lanes->waiting_count--;
    }
    lane->due = due;
    sift_up(lanes, lane);
    sift_down(lanes, lane);
}

void spool_lanes_wait(struct spool_lanes *lanes, struct spool_lane *lane, uint64_t address,
                      uint64_t patience)
{
    uint64_t due = lane->due;
    spool_lanes_reschedule(lanes, lane, due + patience);
    lane->resume_due = due;
    lane->awaited_address = address;
    lanes->waiting_count++;
}

static struct spool_lane *find_waiting(struct spool_lanes *lanes, uint64_t address)
{
    for (uint32_t i = 0; i < lanes->count; i++)
        if (lanes->heap[i]->awaited_address == address)
            return lanes->heap[i];
    return NULL;
}

void spool_lanes_wake(struct spool_lanes *lanes, uint64_t address)
{
    /* Hardly any lane ever waits, so they are looked for in the heap itself. */
    struct spool_lane *lane;
    while (lanes->waiting_count && (lane = find_waiting(lanes, address)))
        spool_lanes_reschedule(lanes, lane, lane->resume_due);
}
