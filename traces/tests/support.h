/* What the trace tests share: cmocka with what it needs, a folder of their own, events by hand,
 * whole traces in memory. */
#ifndef TRACES_TESTS_SUPPORT_H
#define TRACES_TESTS_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traces/trace.h"

/* A new empty folder, and its removal with everything in it; both fail the test rather than return
 * an error. */
void folder_make(void);
void folder_remove(void);
/* For a test in a new folder. */
int folder_set_up(void **state);
int folder_tear_down(void **state);
#define FOLDER_TEST(function) \
    cmocka_unit_test_setup_teardown(function, folder_set_up, folder_tear_down)
/* A path in it, in one of a few static buffers. */
const char *folder_path(const char *name);
/* How many files are in it. */
unsigned folder_file_count(void);

/* Events by hand; time 0, thread 0, everything unused as a reader yields it. */
struct trace_event event_sized(enum trace_kind kind, uint64_t size);
struct trace_event event_on(enum trace_kind kind, uint32_t object, uint64_t size);

/* A growing array of events. */
struct event_list {
    struct trace_event *events;
    size_t count, capacity;
};

void event_list_add(struct event_list *list, const struct trace_event *event);
void event_list_clean_up(struct event_list *list);

/* Adds `count` random legal events, with object ids by the rule and times in multiples of
 * time_unit_ns. */
void event_list_add_random(struct event_list *list, uint64_t seed, size_t count,
                           uint64_t time_unit_ns);

/* Writes the events, ids of new objects being the writer's to choose, and returns the first
 * failure's status. */
int write_trace(const char *path, struct event_list *list,
                const struct trace_writer_options *options, struct trace_error *error);

/* Appends everything that the source yields, `batch` events a call; returns the status of the last
 * read. */
int read_events(struct trace_source *source, struct event_list *list, size_t batch);

void assert_events_equal(const struct event_list *got, const struct event_list *wanted);

/* A source over a list, which stays the caller's; the summary is not known. */
struct trace_source *list_source(const struct event_list *list);

#endif
