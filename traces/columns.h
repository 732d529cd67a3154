/* The events of one block as columns, each of which compresses better than the mixture would.
 *
 * The coding itself is described in traces/README.md. Fields that the reader can work out are not
 * stored: the ids of new objects and of new threads.
 */
#ifndef TRACES_COLUMNS_H
#define TRACES_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "traces/trace.h"

/* Blocks of 64 Ki events decode in about a megabyte; larger ones gained less than 1 % of size. */
#define BLOCK_EVENTS_MAX 65536

/* Released and resized objects are named by the order in which objects were born, which repeats
 * itself more than their ids do: on recorded traces this takes a third of the space. The births
 * remembered cost 4 bytes each; four times as many gained nothing. */
#define RECENT_BIRTHS 65536

enum trace_column {
    COLUMN_KIND,
    COLUMN_SIZE,
    COLUMN_ELEMENTS,
    COLUMN_ALIGNMENT,
    COLUMN_OBJECT,
    COLUMN_TIME,
    COLUMN_THREAD,
    TRACE_COLUMNS
};

/* The most bytes that a column of a full block can take. */
size_t trace_column_bytes_max(enum trace_column column);

/* One block's columns, and the position in them; the same for writing and for reading. */
struct trace_columns {
    uint8_t *begin[TRACE_COLUMNS]; /* each of trace_column_bytes_max */
    uint8_t *end[TRACE_COLUMNS]; /* writing: where the next value goes; reading: the column's end */
    const uint8_t *at[TRACE_COLUMNS]; /* reading: the next value */
    uint32_t thread;                  /* of the event before; 0 at the start of a block */
    uint32_t object;                  /* named most lately by its id; 0 at the start of a block */
    /* Carried from block to block. */
    uint64_t time;        /* of the event before, in units */
    uint32_t named_birth; /* of the object named most lately by its birth */
    uint32_t birth_count; /* births so far, modulo 2^32 */
    uint32_t *recent;     /* objects by birth modulo RECENT_BIRTHS */
};

/* Returns 0 or -ENOMEM; clean up in either case. */
int trace_columns_init(struct trace_columns *columns);
void trace_columns_clean_up(struct trace_columns *columns);

/* Forgets what is carried from block to block. */
void trace_columns_reset(struct trace_columns *columns);

/* Notes that an object came to be: after writing or reading the event that allocated it. */
void trace_columns_note_birth(struct trace_columns *columns, uint32_t object);

/* Empties the columns, to write a block. */
void trace_columns_begin_writing(struct trace_columns *columns);

/* Appends a legal event, at most BLOCK_EVENTS_MAX to a block, at `time` units, not before the event
 * before. `birth` is that of the object which a free or realloc names: how many were noted before
 * it, modulo 2^32. */
void trace_columns_write(struct trace_columns *columns, const struct trace_event *event,
                         uint64_t time, uint32_t birth);

/* Goes to the first event, once begin and end are set. */
void trace_columns_begin_reading(struct trace_columns *columns);

/* Reads the next event, without time_ns and the ids that follow from the rule, and moves `time`.
 * Returns NULL or what is wrong. */
const char *trace_columns_read(struct trace_columns *columns, struct trace_event *event);

/* Whether the last value of every column was read. */
int trace_columns_at_end(const struct trace_columns *columns);

#endif
