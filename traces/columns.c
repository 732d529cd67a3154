#include "traces/columns.h"

#include <errno.h>
#include <stdlib.h>

#include "traces/bytes.h"

/* The kind column: the kind in the low four bits, the flags above. */
#define KIND_BITS     4
#define KIND_MASK     0x0f
#define THREAD_SWITCH 0x0f /* the events that follow are of the thread in the thread column */

size_t trace_column_bytes_max(enum trace_column column)
{
    switch (column) {
    case COLUMN_KIND: /* each event may be of another thread */
        return 2 * BLOCK_EVENTS_MAX;
    case COLUMN_ALIGNMENT:
    case COLUMN_OBJECT:
    case COLUMN_THREAD: /* 32 bits, and a sign */
        return 5 * BLOCK_EVENTS_MAX;
    default:
        return VARINT_BYTES_MAX * BLOCK_EVENTS_MAX;
    }
}

int trace_columns_init(struct trace_columns *columns)
{
    *columns = (struct trace_columns){0};
    for (unsigned i = 0; i < TRACE_COLUMNS; i++) {
        columns->begin[i] = malloc(trace_column_bytes_max(i));
        if (!columns->begin[i])
            return -ENOMEM;
    }
    trace_columns_begin_writing(columns);
    return 0;
}

void trace_columns_clean_up(struct trace_columns *columns)
{
    for (unsigned i = 0; i < TRACE_COLUMNS; i++)
        free(columns->begin[i]);
    *columns = (struct trace_columns){0};
}

void trace_columns_begin_writing(struct trace_columns *columns)
{
    for (unsigned i = 0; i < TRACE_COLUMNS; i++)
        columns->end[i] = columns->begin[i];
    columns->thread = 0;
    columns->object = 0;
}

static void append(struct trace_columns *columns, enum trace_column column, uint64_t value)
{
    columns->end[column] = put_varint(columns->end[column], value);
}

void trace_columns_write(struct trace_columns *columns, const struct trace_event *event,
                         uint64_t time)
{
    if (event->thread != columns->thread) {
        *columns->end[COLUMN_KIND]++ = THREAD_SWITCH;
        append(columns, COLUMN_THREAD, event->thread);
        columns->thread = event->thread;
    }
    *columns->end[COLUMN_KIND]++ = (uint8_t)(event->kind | event->flags << KIND_BITS);
    append(columns, COLUMN_TIME, time - columns->time);
    columns->time = time;
    if (trace_kind_has_size(event->kind))
        append(columns, COLUMN_SIZE, event->size);
    if (trace_kind_has_count(event->kind))
        append(columns, COLUMN_ELEMENTS, event->count);
    if (trace_kind_has_alignment(event->kind))
        append(columns, COLUMN_ALIGNMENT, event->alignment);
    if (trace_event_names_object(event)) {
        append(columns, COLUMN_OBJECT, zigzag((int64_t)event->object - columns->object));
        columns->object = event->object;
    }
}

void trace_columns_begin_reading(struct trace_columns *columns)
{
    for (unsigned i = 0; i < TRACE_COLUMNS; i++)
        columns->at[i] = columns->begin[i];
    columns->thread = 0;
    columns->object = 0;
}

static bool take(struct trace_columns *columns, enum trace_column column, uint64_t maximum,
                 uint64_t *value)
{
    return get_varint(&columns->at[column], columns->end[column], value) && *value <= maximum;
}

static bool take_object(struct trace_columns *columns, struct trace_event *event)
{
    uint64_t delta;
    if (!take(columns, COLUMN_OBJECT, zigzag(-(INT64_C(1) << 32)), &delta))
        return false;
    int64_t object = (int64_t)columns->object + unzigzag(delta);
    if (object < 0 || object >= TRACE_NO_OBJECT)
        return false;
    event->object = columns->object = (uint32_t)object;
    return true;
}

/* Reads the kind, after a change of thread where there is one. */
static bool take_kind(struct trace_columns *columns, uint8_t *code)
{
    const uint8_t **at = &columns->at[COLUMN_KIND];
    if (*at == columns->end[COLUMN_KIND])
        return false;
    *code = *(*at)++;
    if (*code != THREAD_SWITCH)
        return true;
    uint64_t thread;
    if (!take(columns, COLUMN_THREAD, UINT32_MAX, &thread) || *at == columns->end[COLUMN_KIND])
        return false;
    columns->thread = (uint32_t)thread;
    *code = *(*at)++;
    return true;
}

const char *trace_columns_read(struct trace_columns *columns, struct trace_event *event)
{
    uint8_t code;
    if (!take_kind(columns, &code))
        return "the column of kinds ends too early";
    event->kind = code & KIND_MASK;
    event->flags = (uint8_t)(code >> KIND_BITS);
    event->thread = columns->thread;
    event->size = 0;
    event->count = 1;
    event->alignment = 0;
    event->object = TRACE_NO_OBJECT;

    uint64_t value;
    if (!take(columns, COLUMN_TIME, UINT64_MAX - columns->time, &value))
        return "there is no time for one of its events";
    columns->time += value;
    if (trace_kind_has_size(event->kind) && !take(columns, COLUMN_SIZE, UINT64_MAX, &event->size))
        return "there is no size for one of its events";
    if (trace_kind_has_count(event->kind) &&
        !take(columns, COLUMN_ELEMENTS, UINT64_MAX, &event->count))
        return "there is no count for one of its events";
    if (trace_kind_has_alignment(event->kind)) {
        if (!take(columns, COLUMN_ALIGNMENT, UINT32_MAX, &value))
            return "there is no alignment for one of its events";
        event->alignment = (uint32_t)value;
    }
    if (trace_event_names_object(event) && !take_object(columns, event))
        return "there is no object for one of its events";
    return NULL;
}

int trace_columns_at_end(const struct trace_columns *columns)
{
    for (unsigned i = 0; i < TRACE_COLUMNS; i++)
        if (columns->at[i] != columns->end[i])
            return 0;
    return 1;
}
