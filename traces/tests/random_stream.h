/* Random legal event streams for the tests: every kind, flag and thread case, deterministic by the
 * seed. */
#ifndef TRACES_TESTS_RANDOM_STREAM_H
#define TRACES_TESTS_RANDOM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/trace.h"

#define RANDOM_STREAM_THREADS 40
#define RANDOM_STREAM_OBJECTS 4096

struct random_stream {
    uint64_t state;
    uint64_t time_ns;
    uint32_t thread_count;
    uint32_t running[RANDOM_STREAM_THREADS]; /* threads that may act */
    uint32_t running_count;
    uint32_t live[RANDOM_STREAM_OBJECTS]; /* ids, in no order */
    uint32_t live_count;
    uint32_t victim; /* index in live of the object that the latest event names */
};

void random_stream_init(struct random_stream *stream, uint64_t seed);

/* Makes an event; `object` is left to the writer where the event allocates. */
void random_stream_next(struct random_stream *stream, struct trace_event *event);

/* Takes note of the event once its object is known. */
void random_stream_accept(struct random_stream *stream, const struct trace_event *event);

/* 0 to limit - 1. */
uint64_t random_stream_number(struct random_stream *stream, uint64_t limit);

#endif
