/* Makes a legal stream of events out of what another tool saw: addresses become objects, thread
 * numbers become threads, and steps that cannot have happened are dropped or mended and counted.
 *
 * The thread seen first is thread 0 and, as the thread of main, never ends; every other starts
 * where it is seen first. Functions return 0 or -errno with importer->error set.
 */
#ifndef TRACES_IMPORT_IMPORTER_H
#define TRACES_IMPORT_IMPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/address_map.h"
#include "traces/import.h"
#include "traces/import/input.h"

struct importer {
    struct import_input input;
    struct trace_import_report *report;
    struct trace_error error;
    struct trace_writer *writer; /* NULL before the first event */
    struct trace_writer_options options;
    const char *in_path, *out_path;
    char *description;           /* replaces options.description; freed with the importer */
    struct address_map *objects; /* by address */
    struct address_map *threads; /* by the tool's number */
    uint32_t thread;             /* of the calls to come */
    uint64_t time_ns;            /* of the calls to come */
    uint64_t first_time_ns;
    bool has_time;
    bool is_strict; /* a step that cannot have happened is an error, not dropped or mended */
};

/* Prepare an importer with in_path, out_path, options and report set; clean up in either case. */
int importer_init(struct importer *importer);
void importer_clean_up(struct importer *importer);

/* Makes the writer, where there is none yet: after this, options and description have no effect. */
int importer_begin(struct importer *importer);

/* Appends an event as it is. */
int importer_append(struct importer *importer, struct trace_event *event);

/* Later calls are by the thread that the tool calls `number`. */
int importer_thread(struct importer *importer, uint64_t number);
/* The current thread starts that one; what is running already under that number stays. */
int importer_start_thread(struct importer *importer, uint64_t number);
/* That thread is over; its number may come again for another. */
int importer_end_thread(struct importer *importer, uint64_t number);

/* Later calls happen at this time of the tool's clock, or at that of the call before if that is
 * later. */
void importer_at(struct importer *importer, uint64_t time_ns);

struct foreign_request {
    enum trace_kind kind;
    uint64_t size, count; /* count is 1 for kinds without */
    uint64_t alignment;   /* any number */
};

/* An address of 0 is NULL: the call failed, or its argument was NULL. */
int importer_allocate(struct importer *importer, const struct foreign_request *request,
                      uint64_t address);
int importer_resize(struct importer *importer, const struct foreign_request *request,
                    uint64_t old_address, uint64_t new_address);
int importer_free(struct importer *importer, uint64_t address);

/* Fails at the input's latest line. */
int importer_fail(struct importer *importer, const char *message);

#endif
