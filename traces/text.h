/* heaplab's text format: one event a line, made for reading, diffing and writing by hand.
 *
 *     # heaplab text 1
 *     # command: sqlite3 :memory:
 *     # time_unit_ns: 100
 *     0 0 malloc 472 = 0
 *     1200 0 calloc 10 8 = 1
 *     1300 0 thread_start 1
 *     2500 1 realloc 0 944 = 0
 *     2600 1 free 1
 *     2600 1 thread_end
 *
 * A line is "TIME_NS THREAD CALL ARGUMENTS = RESULT". Arguments stand in the order of C, with an
 * object's number, or "null", for a pointer; the result is the object's number or "failed". A
 * realloc that succeeds keeps its object's number. Time and thread may be left out together; they
 * are then those of the line before, at first 0 and 0. Objects may have any numbers while they
 * live; a trace made from the text numbers them anew. A thread without a thread_start starts where
 * it is seen first. "#" begins a comment; before the first event, "# key: value" becomes part of
 * the description.
 */
#ifndef TRACES_TEXT_H
#define TRACES_TEXT_H

#include "traces/trace.h"

#define TEXT_HEADER "# heaplab text 1"

/* Writes every event of the source, from its first, to a text file; "-" is standard output. Returns
 * 0 or -errno with *error set; then there is no file. */
int trace_write_text(struct trace_source *source, const char *path, struct trace_error *error);

#endif
