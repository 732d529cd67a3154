#include "workloads/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "workloads/model_cells.h"

#define BATCH_EVENTS 1024
#define NOT_LIVE     UINT64_MAX

/* ---- codes and keys ---- */

static unsigned code_of(uint64_t value, unsigned bits)
{
    if (value < UINT64_C(2) << bits)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - bits;
    return (shift << bits) + (unsigned)(value >> shift);
}

static unsigned code_shift(unsigned code, unsigned bits)
{
    return code < 2u << bits ? 0 : (code >> bits) - 1;
}

uint64_t model_code_low(unsigned code, unsigned bits)
{
    unsigned shift = code_shift(code, bits);
    return shift ? (uint64_t)((code & ((1u << bits) - 1)) | 1u << bits) << shift : code;
}

uint64_t model_code_width(unsigned code, unsigned bits)
{
    return UINT64_C(1) << code_shift(code, bits);
}

unsigned model_doubling(uint64_t size)
{
    return size ? 64 - (unsigned)__builtin_clzll(size) : 0;
}

/* Phase and group stand highest, so that sorting by key sorts by them. 63 bits in all. */
static uint64_t pack(const struct model_life *life)
{
    uint64_t key = life->phase;
    key = key << 7 | life->group;
    key = key << 8 | life->thread;
    key = key << 8 | life->releaser;
    key = key << 4 | life->kind;
    key = key << 5 | life->alignment_log2;
    key = key << 17 | life->size;
    key = key << 9 | life->lifetime;
    return key << 2 | life->end;
}

static unsigned unpack_bits(uint64_t *key, unsigned bits)
{
    unsigned value = (unsigned)(*key & ((UINT64_C(1) << bits) - 1));
    *key >>= bits;
    return value;
}

struct model_life model_unpack(uint64_t key)
{
    struct model_life life;
    life.end = unpack_bits(&key, 2);
    life.lifetime = unpack_bits(&key, 9);
    life.size = unpack_bits(&key, 17);
    life.alignment_log2 = unpack_bits(&key, 5);
    life.kind = unpack_bits(&key, 4);
    life.releaser = unpack_bits(&key, 8);
    life.thread = unpack_bits(&key, 8);
    life.group = unpack_bits(&key, 7);
    life.phase = unpack_bits(&key, 3);
    return life;
}

/* ---- counting ---- */

struct open_life {
    struct model_life life; /* its end still missing */
    uint64_t birth;         /* in allocations; NOT_LIVE where the object is none */
};

struct fit {
    struct model *model;
    struct open_life *objects; /* by id */
    size_t object_capacity;
    struct model_cell *table; /* open addressing; a key of 0 is a free place */
    size_t table_capacity;    /* a power of two */
    uint64_t allocations, events;
};

static struct model_cell *find_cell(const struct fit *fit, uint64_t key)
{
    size_t place = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    for (;; place++) {
        struct model_cell *cell = &fit->table[place & (fit->table_capacity - 1)];
        if (!cell->key || cell->key == key)
            return cell;
    }
}

static int grow_table(struct fit *fit)
{
    struct fit grown = *fit;
    grown.table_capacity = fit->table_capacity ? 2 * fit->table_capacity : 4096;
    grown.table = calloc(grown.table_capacity, sizeof *grown.table);
    if (!grown.table)
        return -ENOMEM;
    for (size_t i = 0; i < fit->table_capacity; i++)
        if (fit->table[i].key)
            *find_cell(&grown, fit->table[i].key) = fit->table[i];
    free(fit->table);
    *fit = grown;
    return 0;
}

static int count_life(struct fit *fit, const struct model_life *life)
{
    if (2 * fit->model->cell_count >= fit->table_capacity && grow_table(fit))
        return -ENOMEM;
    uint64_t key = pack(life);
    struct model_cell *cell = find_cell(fit, key);
    if (!cell->key)
        fit->model->cell_count++;
    cell->key = key;
    cell->count++;
    return 0;
}

static int end_life(struct fit *fit, struct open_life *object, enum model_end end)
{
    object->life.lifetime = code_of(fit->allocations - object->birth - 1, MODEL_LIFETIME_BITS);
    object->life.end = end;
    object->birth = NOT_LIVE;
    return count_life(fit, &object->life);
}

static int end_by(struct fit *fit, const struct trace_event *event, enum model_end end)
{
    struct open_life *object = &fit->objects[event->object];
    object->life.releaser = event->thread;
    return end_life(fit, object, end);
}

static int reserve_object(struct fit *fit, uint32_t id)
{
    if (id < fit->object_capacity)
        return 0;
    size_t capacity = 2 * (size_t)id + 1024;
    struct open_life *objects = reallocarray(fit->objects, capacity, sizeof *objects);
    if (!objects)
        return -ENOMEM;
    for (size_t i = fit->object_capacity; i < capacity; i++)
        objects[i].birth = NOT_LIVE;
    fit->objects = objects;
    fit->object_capacity = capacity;
    return 0;
}

static unsigned phase_of(const struct fit *fit)
{
    uint64_t phase = fit->events * MODEL_PHASES / fit->model->event_count;
    return phase < MODEL_PHASES ? (unsigned)phase : MODEL_PHASES - 1;
}

static void start_life(struct fit *fit, const struct trace_event *event, unsigned group)
{
    int has_alignment = trace_kind_has_alignment(event->kind) && event->alignment;
    unsigned kind = event->kind == TRACE_REALLOCARRAY ? TRACE_REALLOC : event->kind;
    fit->objects[event->object] = (struct open_life){
        .birth = fit->allocations++,
        .life = {.phase = phase_of(fit),
                 .group = group,
                 .thread = event->thread,
                 .kind = kind,
                 .alignment_log2 = has_alignment ? (unsigned)__builtin_ctz(event->alignment) : 0,
                 .size = code_of(trace_event_bytes(event), MODEL_SIZE_BITS)},
    };
}

static int count_event(struct fit *fit, const struct trace_event *event)
{
    unsigned phase = phase_of(fit);
    fit->events++;
    int status = 0;
    if (trace_event_allocates(event)) {
        status = reserve_object(fit, event->object);
        if (!status)
            start_life(fit, event, MODEL_BIRTH);
    } else if (trace_event_releases(event)) {
        status = end_by(fit, event, MODEL_RELEASED);
    } else if (trace_event_resizes(event)) {
        unsigned old = fit->objects[event->object].life.size;
        status = end_by(fit, event, MODEL_RESIZED);
        start_life(fit, event, model_doubling(model_code_low(old, MODEL_SIZE_BITS)));
    }
    fit->model->phase_ends[phase] = fit->allocations;
    return status;
}

static int count_survivors(struct fit *fit)
{
    for (size_t i = 0; i < fit->object_capacity; i++) {
        struct open_life *object = &fit->objects[i];
        object->life.releaser = object->life.thread;
        if (object->birth != NOT_LIVE && end_life(fit, object, MODEL_SURVIVED))
            return -ENOMEM;
    }
    return 0;
}

/* ---- the model ---- */

static int compare_cells(const void *one, const void *other)
{
    uint64_t a = ((const struct model_cell *)one)->key, b = ((const struct model_cell *)other)->key;
    return (a > b) - (a < b);
}

/* Turns the table into the model's sorted cells with cumulative counts. */
static int settle(struct fit *fit)
{
    struct model *model = fit->model;
    model->cells = malloc(model->cell_count * sizeof *model->cells);
    if (!model->cells)
        return -ENOMEM;
    size_t used = 0;
    for (size_t i = 0; i < fit->table_capacity; i++)
        if (fit->table[i].key)
            model->cells[used++] = fit->table[i];
    qsort(model->cells, used, sizeof *model->cells, compare_cells);
    size_t group = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < used; i++) {
        struct model_life life = model_unpack(model->cells[i].key);
        while (group <= life.phase * MODEL_GROUPS + life.group)
            model->first_cells[group++] = i;
        sum += model->cells[i].count;
        model->cells[i].count = sum;
    }
    while (group <= MODEL_PHASES * MODEL_GROUPS)
        model->first_cells[group++] = used;
    /* A phase without an event ends where it begins. */
    for (unsigned i = 1; i < MODEL_PHASES; i++)
        if (model->phase_ends[i] < model->phase_ends[i - 1])
            model->phase_ends[i] = model->phase_ends[i - 1];
    return 0;
}

static int count_events(struct fit *fit, struct trace_source *trace)
{
    struct trace_event events[BATCH_EVENTS];
    size_t count;
    do {
        int status = trace_source_read(trace, events, BATCH_EVENTS, &count);
        for (size_t i = 0; !status && i < count; i++)
            status = count_event(fit, &events[i]);
        if (status)
            return status;
    } while (count);
    return 0;
}

static int refuse(struct trace_error *error, int status, const char *sentence)
{
    *error = (struct trace_error){.byte_offset = UINT64_MAX};
    snprintf(error->message, sizeof error->message, "%s", sentence);
    return status;
}

static int fit_to(struct model *model, struct trace_source *trace, struct trace_error *error)
{
    struct fit fit = {.model = model};
    trace->error = (struct trace_error){.byte_offset = UINT64_MAX};
    int status = count_events(&fit, trace);
    if (!status)
        status = count_survivors(&fit);
    if (!status && !fit.allocations)
        status = refuse(error, -EINVAL, "has no allocation to fit a model to; name another trace");
    else if (!status)
        status = settle(&fit);
    free(fit.objects);
    free(fit.table);
    if (status && status != -EINVAL && trace->error.message[0])
        *error = trace->error;
    else if (status == -ENOMEM)
        refuse(error, status, "no memory for a model of it");
    return status;
}

int model_fit(struct model **model, struct trace_source *trace, struct trace_error *error)
{
    if (!trace->summary) {
        int status = trace_source_summarise(trace);
        if (status) {
            *error = trace->error;
            return status;
        }
    }
    if (trace->summary->thread_count > MODEL_THREADS)
        return refuse(error, -ENOTSUP, "has more than 256 threads, the most a model may have");
    struct model *fitted = calloc(1, sizeof *fitted);
    if (!fitted)
        return refuse(error, -ENOMEM, "no memory for a model of it");
    fitted->event_count = trace->summary->event_count;
    fitted->thread_count = trace->summary->thread_count;
    int status = fit_to(fitted, trace, error);
    if (status)
        model_destroy(fitted);
    else
        *model = fitted;
    return status;
}

void model_destroy(struct model *model)
{
    if (model)
        free(model->cells);
    free(model);
}
