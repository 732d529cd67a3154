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
    case COLUMN_THREAD: /* 32 bits */
        return 5 * BLOCK_EVENTS_MAX;
    case COLUMN_OBJECT: /* 17 bits, then 33 */
        return 8 * BLOCK_EVENTS_MAX;
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
    columns->recent = calloc(RECENT_BIRTHS, sizeof *columns->recent);
    if (!columns->recent)
        return -ENOMEM;
    trace_columns_begin_writing(columns);
    return 0;
}

void trace_columns_clean_up(struct trace_columns *columns)
{
    for (unsigned i = 0; i < TRACE_COLUMNS; i++)
        free(columns->begin[i]);
    free(columns->recent);
    *columns = (struct trace_columns){0};
}

void trace_columns_reset(struct trace_columns *columns)
{
    memset(columns->recent, 0, RECENT_BIRTHS * sizeof *columns->recent);
    columns->named_birth = 0;
    columns->birth_count = 0;
    columns->time = 0;
}

void trace_columns_note_birth(struct trace_columns *columns, uint32_t object)
{
    columns->recent[columns->birth_count++ % RECENT_BIRTHS] = object;
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

/* The object's age in births or the step from the birth named before, whichever is smaller; the
 * lowest bit tells which. An age of RECENT_BIRTHS says that the birth is forgotten, and the step
 * from the id so named before follows. */
static void append_object(struct trace_columns *columns, uint32_t object, uint32_t birth)
{
    uint32_t age = columns->birth_count - 1 - birth;
    if (age >= RECENT_BIRTHS || columns->recent[birth % RECENT_BIRTHS] != object) {
        append(columns, COLUMN_OBJECT, 2 * RECENT_BIRTHS);
        append(columns, COLUMN_OBJECT, zigzag((int64_t)object - columns->object));
        columns->object = object;
        return;
    }
    uint64_t step = zigzag((int32_t)(birth - columns->named_birth));
    append(columns, COLUMN_OBJECT, step < age ? 2 * step + 1 : 2 * (uint64_t)age);
    columns->named_birth = birth;
}

void trace_columns_write(struct trace_columns *columns, const struct trace_event *event,
                         uint64_t time, uint32_t birth)
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
    if (trace_event_names_object(event))
        append_object(columns, event->object, birth);
}

void trace_columns_begin_reading(struct trace_columns *columns)
{
    for (unsigned i = 0; i < TRACE_COLUMNS; i++)
        columns->at[i] = columns->begin[i];
    columns->thread = 0;
    columns->object = 0;
}

static inline bool take(struct trace_columns *columns, enum trace_column column, uint64_t maximum,
                        uint64_t *value)
{
    return get_varint(&columns->at[column], columns->end[column], value) && *value <= maximum;
}

static bool take_forgotten_object(struct trace_columns *columns, uint32_t *object)
{
    uint64_t step;
    if (!take(columns, COLUMN_OBJECT, zigzag(INT64_C(1) << 32), &step))
        return false;
    int64_t id = (int64_t)columns->object + unzigzag(step);
    if (id < 0 || id >= TRACE_NO_OBJECT)
        return false;
    *object = columns->object = (uint32_t)id;
    return true;
}

static bool take_object(struct trace_columns *columns, uint32_t *object)
{
    uint64_t code;
    if (!take(columns, COLUMN_OBJECT, 2 * RECENT_BIRTHS, &code))
        return false;
    if (code == 2 * RECENT_BIRTHS)
        return take_forgotten_object(columns, object);
    uint32_t birth = code & 1 ? columns->named_birth + (uint32_t)unzigzag(code >> 1)
                              : columns->birth_count - 1 - (uint32_t)(code >> 1);
    if (columns->birth_count - 1 - birth >= RECENT_BIRTHS)
        return false;
    columns->named_birth = birth;
    *object = columns->recent[birth % RECENT_BIRTHS];
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
    if (trace_event_names_object(event) && !take_object(columns, &event->object))
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
