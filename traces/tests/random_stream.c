#include "traces/tests/random_stream.h"

void random_stream_init(struct random_stream *stream, uint64_t seed)
{
    *stream = (struct random_stream){
        .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, .thread_count = 1, .running_count = 1};
}

/* splitmix64 */
static uint64_t next_random(struct random_stream *stream)
{
    uint64_t z = stream->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_stream_number(struct random_stream *stream, uint64_t limit)
{
    return next_random(stream) % limit;
}

static bool one_in(struct random_stream *stream, uint64_t odds)
{
    return random_stream_number(stream, odds) == 0;
}

/* Mostly small, now and then any magnitude that can still be summed up. */
static uint64_t random_size(struct random_stream *stream)
{
    if (one_in(stream, 50))
        return random_stream_number(stream, UINT64_C(1) << random_stream_number(stream, 45));
    return random_stream_number(stream, 300);
}

static void choose_request(struct random_stream *stream, struct trace_event *event)
{
    event->size = random_size(stream);
    if (trace_kind_has_count(event->kind))
        event->count = random_stream_number(stream, 6);
    if (trace_kind_has_alignment(event->kind))
        event->alignment = UINT32_C(1) << random_stream_number(stream, 31);
    if (!one_in(stream, 30))
        return;
    event->flags |= TRACE_FAILED;
    if (one_in(stream, 2))
        event->size = next_random(stream);
    if (trace_kind_has_count(event->kind) && one_in(stream, 2))
        event->count = next_random(stream);
    if (trace_kind_has_alignment(event->kind) && one_in(stream, 2))
        event->alignment = (uint32_t)next_random(stream);
}

static void choose_object(struct random_stream *stream, struct trace_event *event)
{
    if (stream->live_count == 0 || one_in(stream, 20)) {
        event->flags |= TRACE_NULL_ARGUMENT;
        return;
    }
    /* Half the time one of the youngest, as programs do. */
    uint64_t range = one_in(stream, 2) && stream->live_count > 4 ? 4 : stream->live_count;
    stream->victim = stream->live_count - 1 - (uint32_t)random_stream_number(stream, range);
    event->object = stream->live[stream->victim];
}

static void choose_kind(struct random_stream *stream, struct trace_event *event)
{
    if (one_in(stream, 200) && stream->thread_count < RANDOM_STREAM_THREADS) {
        event->kind = TRACE_THREAD_START;
        return;
    }
    if (one_in(stream, 300) && stream->running_count > 1) {
        event->kind = TRACE_THREAD_END;
        return;
    }
    /* Waves, so that tables grow and empty. */
    bool ebbs = stream->time_ns >> 22 & 1;
    if (one_in(stream, ebbs ? 2 : 12) || stream->live_count == RANDOM_STREAM_OBJECTS)
        event->kind = TRACE_FREE;
    else
        event->kind = (uint8_t)(TRACE_MALLOC + random_stream_number(stream, TRACE_PVALLOC));
}

void random_stream_next(struct random_stream *stream, struct trace_event *event)
{
    if (one_in(stream, 3))
        stream->time_ns += random_stream_number(stream, 5000);
    *event = (struct trace_event){.time_ns = stream->time_ns, .count = 1};
    event->object = TRACE_NO_OBJECT;
    event->thread = stream->running[random_stream_number(stream, stream->running_count)];
    choose_kind(stream, event);
    if (trace_kind_has_size(event->kind))
        choose_request(stream, event);
    if (event->kind == TRACE_FREE || trace_kind_resizes(event->kind))
        choose_object(stream, event);
}

void random_stream_accept(struct random_stream *stream, const struct trace_event *event)
{
    if (event->kind == TRACE_THREAD_START) {
        stream->running[stream->running_count++] = event->object;
        stream->thread_count++;
    } else if (event->kind == TRACE_THREAD_END) {
        for (uint32_t i = 0; i < stream->running_count; i++)
            if (stream->running[i] == event->thread)
                stream->running[i] = stream->running[--stream->running_count];
    } else if (trace_event_allocates(event)) {
        stream->live[stream->live_count++] = event->object;
    } else if (trace_event_releases(event)) {
        stream->live[stream->victim] = stream->live[--stream->live_count];
    }
}
