/* Order. The lanes hand out calls by stamp. A release is stamped before the real call and an
 * allocation after it, so what happens to one address is handed out in the order in which it
 * happened. A realloc that moves its object does two things at two times: the old address falls
 * free when it begins, and the new one is taken when it ends. In between other threads may get the
 * old address and may release what lay at the new one. The event stands where the call began; it
 * names its object, not the addresses, so the time in between is legal: the object has no address
 * then.
 *
 * Where a call does not fit (the new address is still taken, the old one unknown), its lane waits a
 * little for another lane to make it fit: that bridges stamps that were read early and clocks that
 * are not quite together. After that the record is incomplete there, for example because the object
 * came from before a fork: the release of an unknown object is dropped, and an object whose address
 * was given out again is released first. */
#include "traces/spool_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/address_map.h"
#include "traces/error.h"
#include "traces/spool_lanes.h"

/* Far above the difference between two processors' clocks, and above a time slice lost inside the
 * recorder. */
#define PATIENCE_NS 1000000u

struct merge {
    struct spool_lanes lanes;
    struct address_map *live;
    struct trace_writer *writer;
    struct spool_clock_rate rate;
    uint64_t start_ticks;
    uint64_t patience_ticks;
    uint64_t time_ns;       /* of the latest event */
    uint32_t *trace_thread; /* by number in the spool; TRACE_NO_OBJECT: not started yet */
    uint32_t thread_capacity;
    int initial_exited;
    struct trace_error error;
};

enum outcome {
    OUTCOME_DONE,
    OUTCOME_WAIT, /* the lane was put off; its call comes again */
};

struct spool_clock_rate spool_clock_rate(uint64_t ticks_from, uint64_t ns_from, uint64_t ticks_to,
                                         uint64_t ns_to)
{
    struct spool_clock_rate rate = {UINT64_C(1) << 32};
    if (ticks_to > ticks_from && ns_to > ns_from) {
        double ns_per_tick = (double)(ns_to - ns_from) / (double)(ticks_to - ticks_from);
        /* Outside of 10 MHz to 100 GHz the two moments do not belong together. */
        if (ns_per_tick > 0.01 && ns_per_tick < 100)
            rate.multiplier = (uint64_t)(ns_per_tick * 4294967296.0);
    }
    return rate;
}

/* ---- events ---- */

static int append(struct merge *merge, struct trace_event *event)
{
    event->time_ns = merge->time_ns;
    int status = trace_writer_append(merge->writer, event);
    if (status)
        merge->error = *trace_writer_error(merge->writer);
    return status;
}

static void advance_time(struct merge *merge, uint64_t ticks)
{
    if (ticks < merge->start_ticks)
        return;
    unsigned __int128 product =
        (unsigned __int128)(ticks - merge->start_ticks) * merge->rate.multiplier;
    uint64_t time_ns = (uint64_t)(product >> 32);
    if (time_ns > merge->time_ns)
        merge->time_ns = time_ns;
}

static int reserve_thread(struct merge *merge, uint32_t number)
{
    if (number < merge->thread_capacity)
        return 0;
    uint32_t capacity = merge->thread_capacity ? merge->thread_capacity : 64;
    while (capacity <= number)
        capacity = capacity > UINT32_MAX / 2 ? UINT32_MAX : capacity * 2;
    uint32_t *table = reallocarray(merge->trace_thread, capacity, sizeof *table);
    if (!table)
        return -ENOMEM;
    for (uint32_t i = merge->thread_capacity; i < capacity; i++)
        table[i] = TRACE_NO_OBJECT;
    merge->trace_thread = table;
    merge->thread_capacity = capacity;
    return 0;
}

/* `creator` is a thread of the trace. */
static int start_thread(struct merge *merge, uint32_t creator, uint32_t number)
{
    int status = reserve_thread(merge, number);
    if (status || merge->trace_thread[number] != TRACE_NO_OBJECT)
        return status;
    struct trace_event event = {.kind = TRACE_THREAD_START, .thread = creator, .count = 1};
    status = append(merge, &event);
    merge->trace_thread[number] = event.object;
    return status;
}

static int end_thread(struct merge *merge, uint32_t thread)
{
    struct trace_event event = {
        .kind = TRACE_THREAD_END, .thread = thread, .count = 1, .object = TRACE_NO_OBJECT};
    return append(merge, &event);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* What the C library does with an alignment that is not a power of two. */
static uint32_t round_alignment(uint64_t alignment)
{
    uint32_t power = 1;
    while (power < alignment && power < TRACE_ALIGNMENT_MAX)
        power *= 2;
    return power;
}

static struct trace_event make_event(const struct merge *merge, const struct spool_lane *lane)
{
    const struct spool_call *call = &lane->call;
    struct trace_event event = {
        .kind = (uint8_t)call->kind,
        .thread = merge->trace_thread[lane->thread],
        .object = TRACE_NO_OBJECT,
        .size = at_most(call->size, TRACE_SIZE_MAX),
        .count = 1,
    };
    int is_failed = !call->address && call->kind != TRACE_FREE;
    if (trace_kind_has_count(call->kind))
        event.count = at_most(call->extra, TRACE_SIZE_MAX);
    if (trace_kind_has_alignment(call->kind))
        event.alignment = is_failed ? (uint32_t)at_most(call->extra, TRACE_ALIGNMENT_MAX)
                                    : round_alignment(call->extra);
    if (is_failed)
        event.flags |= TRACE_FAILED;
    if (call->kind == TRACE_FREE ? !call->address : trace_kind_resizes(call->kind) && !call->old)
        event.flags |= TRACE_NULL_ARGUMENT;
    return event;
}

/* ---- calls ---- */

/* Puts the lane off, unless it has waited already. */
static int may_wait(struct merge *merge, struct spool_lane *lane, uint64_t address)
{
    if (lane->awaited_address)
        return 0;
    spool_lanes_wait(&merge->lanes, lane, address, merge->patience_ticks);
    return 1;
}

/* Makes `address` free to be taken. Returns an outcome or -errno. */
static int claim(struct merge *merge, struct spool_lane *lane, uint64_t address)
{
    struct mapped_object stale;
    if (!address_map_find(merge->live, address, &stale))
        return OUTCOME_DONE;
    if (may_wait(merge, lane, address))
        return OUTCOME_WAIT;
    address_map_remove(merge->live, address, &stale);
    struct trace_event release = {.kind = TRACE_FREE,
                                  .count = 1,
                                  .object = stale.object,
                                  .thread = merge->trace_thread[lane->thread]};
    trace_writer_drop(merge->writer, 1);
    return append(merge, &release);
}

static int settle(struct merge *merge, uint64_t address, struct mapped_object object)
{
    int status = address_map_add(merge->live, address, object);
    spool_lanes_wake(&merge->lanes, address);
    return status;
}

static int apply_allocation(struct merge *merge, struct spool_lane *lane, struct trace_event *event)
{
    int outcome = claim(merge, lane, lane->call.address);
    if (outcome != OUTCOME_DONE)
        return outcome;
    int status = append(merge, event);
    if (status)
        return status;
    struct mapped_object object = {.bytes = trace_event_bytes(event), .object = event->object};
    return settle(merge, lane->call.address, object);
}

/* free, or realloc of an object. Returns an outcome or -errno. */
static int apply_to_object(struct merge *merge, struct spool_lane *lane, struct trace_event *event)
{
    const struct spool_call *call = &lane->call;
    int is_free = call->kind == TRACE_FREE;
    uint64_t address = is_free ? call->address : call->old;
    struct mapped_object object;
    if (!(is_free ? address_map_remove(merge->live, address, &object)
                  : address_map_find(merge->live, address, &object))) {
        if (may_wait(merge, lane, address))
            return OUTCOME_WAIT;
        trace_writer_drop(merge->writer, 1);
        return OUTCOME_DONE;
    }
    event->object = object.object;
    int moves = trace_event_resizes(event) && call->address != call->old;
    if (moves) {
        lane->moved = object;
        lane->is_moving = 1;
    }
    if (moves || (!is_free && trace_event_releases(event)))
        address_map_remove(merge->live, address, &object);
    if (is_free || moves || trace_event_releases(event))
        spool_lanes_wake(&merge->lanes, address);
    return append(merge, event);
}

static int apply_call(struct merge *merge, struct spool_lane *lane)
{
    int status = 0;
    if (merge->thread_capacity <= lane->thread ||
        merge->trace_thread[lane->thread] == TRACE_NO_OBJECT)
        status = start_thread(merge, 0, lane->thread);
    if (status)
        return status;
    uint32_t thread = merge->trace_thread[lane->thread];
    uint32_t other = (uint32_t)lane->call.address;
    if (lane->call.kind == SPOOL_THREAD_EXIT) {
        lane->has_exited = 1;
        return OUTCOME_DONE;
    }
    if (lane->call.kind == TRACE_THREAD_START)
        return start_thread(merge, thread, other);
    if (lane->call.kind == SPOOL_THREAD_FAILED)
        return other < merge->thread_capacity && merge->trace_thread[other] != TRACE_NO_OBJECT
                   ? end_thread(merge, merge->trace_thread[other])
                   : OUTCOME_DONE;

    struct trace_event event = make_event(merge, lane);
    if (trace_event_names_object(&event))
        return apply_to_object(merge, lane, &event);
    if (trace_event_allocates(&event))
        return apply_allocation(merge, lane, &event);
    return append(merge, &event);
}

/* The second half of a realloc: its object arrives at its new address. */
static int apply_arrival(struct merge *merge, struct spool_lane *lane)
{
    int outcome = claim(merge, lane, lane->call.address);
    return outcome == OUTCOME_DONE ? settle(merge, lane->call.address, lane->moved) : outcome;
}

/* ---- the whole ---- */

static int finish_lane(struct merge *merge, struct spool_lane *lane)
{
    int status = 0;
    if (lane->has_exited && lane->thread == 0)
        merge->initial_exited =
            1; /* threads of unknown origin are put down to it, so it ends last */
    else if (lane->has_exited)
        status = end_thread(merge, merge->trace_thread[lane->thread]);
    spool_lanes_remove(&merge->lanes, lane);
    return status;
}

static int step(struct merge *merge, struct spool_lane *lane)
{
    advance_time(merge, lane->due);
    int was_moving = lane->is_moving;
    int outcome = was_moving ? apply_arrival(merge, lane) : apply_call(merge, lane);
    if (outcome < 0 || outcome == OUTCOME_WAIT)
        return outcome < 0 ? outcome : 0;
    if (!was_moving && lane->is_moving) {
        spool_lanes_reschedule(&merge->lanes, lane, lane->call.ticks);
        return 0;
    }
    int status = spool_lanes_advance(&merge->lanes, lane);
    if (status == 0)
        status = finish_lane(merge, lane);
    return status < 0 ? status : 0;
}

static int merge_lanes(struct merge *merge)
{
    int status = reserve_thread(merge, 0);
    if (status)
        return status;
    merge->trace_thread[0] = 0;
    for (;;) {
        struct spool_lane *lane;
        status = spool_lanes_first(&merge->lanes, &lane);
        if (!status && lane)
            status = step(merge, lane);
        if (status || !lane)
            break;
    }
    if (!status && merge->initial_exited)
        status = end_thread(merge, 0);
    return status;
}

int spool_write_trace(struct spool_reader *reader, struct spool_clock_rate rate, const char *path,
                      const struct trace_writer_options *options, struct trace_summary *summary,
                      struct trace_error *error)
{
    struct merge merge = {
        .rate = rate,
        .start_ticks = spool_reader_header(reader)->start_ticks,
        .patience_ticks = ((uint64_t)PATIENCE_NS << 32) / rate.multiplier,
    };
    *summary = (struct trace_summary){0};
    int status = trace_writer_open(&merge.writer, path, options, error);
    if (status)
        return status;
    spool_lanes_init(&merge.lanes, reader);
    merge.live = address_map_new();
    status = merge.live ? merge_lanes(&merge) : -ENOMEM;
    spool_lanes_clean_up(&merge.lanes);
    address_map_destroy(merge.live);
    free(merge.trace_thread);

    if (status) {
        if (!merge.error.message[0])
            trace_fail(&merge.error, -status, TRACE_NO_OFFSET, "%s", strerrordesc_np(-status));
        *error = merge.error;
        trace_writer_abandon(merge.writer);
        return status;
    }
    *summary = *trace_writer_summary(merge.writer);
    if (summary->event_count)
        return trace_writer_commit(merge.writer, error);
    trace_writer_abandon(merge.writer);
    return 0;
}
