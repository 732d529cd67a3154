/* Draws a stream from a model: objects are born in the record's proportions, and each carries the
 * cell that says when and by whom it will be resized or released. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/death_queue.h"
#include "workloads/emit.h"
#include "workloads/model.h"
#include "workloads/model_cells.h"
#include "workloads/prng.h"
#include "workloads/specification.h"

enum parameter { LENGTH, SCALE, SEED };

static const struct workload_parameter parameters[] = {
    [LENGTH] = {"length", 0, 0, UINT64_C(1) << 50,
                "events, about; 0: scale times those of the record. What is longer repeats its "
                "phases, what is shorter ends early",
                NULL},
    [SCALE] = {"scale", 1, 1, 1 << 20, "times the record's lifetimes, and so its live bytes", NULL},
    [SEED] = {"seed", 1, 0, UINT64_MAX, "of all that is drawn", NULL},
    {0},
};

const struct workload model_form = {
    .name = "model",
    .summary = "model:TRACE,...: a stream of any length and scale that resembles a trace",
    .shows = "how a program's memory would go on: the slope of resident bytes over hours",
    .origin = "B. Zorn and D. Grunwald, \"Evaluating Models of Memory Allocation\", 1992",
    .parameters = parameters,
};

/* What the next event will be, once its thread runs. */
struct intent {
    enum { NOTHING, BEAR, RESIZE, RELEASE } deed;
    struct model_life life; /* of BEAR and RESIZE */
    uint32_t cell, object, thread;
};

struct model_source {
    struct trace_source source; /* first: the two are converted into each other */
    struct model *model;
    struct object_ids *ids;
    struct death_queue living;
    struct prng prng;
    struct intent intent;
    uint64_t allocations, limit, scale, seed;
    unsigned phase;
    uint64_t phase_end; /* in allocations */
    uint32_t *threads;  /* by the record's thread: the stream's; 0: it has not started */
    uint32_t started, ended;
    char description[512];
    char name[];
};

/* ---- drawing ---- */

/* Draws a cell of the group in the present phase, or in the next one that has any. Returns -1 where
 * none has. */
static int draw_life(struct model_source *self, unsigned group, struct intent *intent)
{
    const struct model *model = self->model;
    for (unsigned i = 0; i < MODEL_PHASES; i++) {
        const size_t *first =
            &model->first_cells[(self->phase + i) % MODEL_PHASES * MODEL_GROUPS + group];
        size_t low = first[0], high = first[1];
        if (low == high)
            continue;
        uint64_t before = low ? model->cells[low - 1].count : 0;
        uint64_t drawn = before + prng_below(&self->prng, model->cells[high - 1].count - before);
        while (low < high - 1) { /* the first cell whose count is above `drawn` */
            size_t middle = low + (high - low) / 2;
            if (model->cells[middle - 1].count > drawn)
                high = middle;
            else
                low = middle;
        }
        intent->cell = (uint32_t)low;
        intent->life = model_unpack(model->cells[low].key);
        intent->thread = intent->life.thread;
        return 0;
    }
    return -1;
}

static uint64_t draw_value(struct model_source *self, unsigned code, unsigned bits)
{
    return model_code_low(code, bits) + prng_below(&self->prng, model_code_width(code, bits));
}

/* Of a life that outlasted the record only its age at the end is known. A life that is cut off at
 * a moment of no meaning has, on the average, as much before it as behind it. One of a phase's
 * length or more is taken to last as long as the whole record: a stream of that length ends with
 * as many survivors, and one that repeats the phases does not grow for ever. */
static uint64_t draw_lifetime(struct model_source *self, const struct model_life *life)
{
    uint64_t recorded = self->model->phase_ends[MODEL_PHASES - 1];
    uint64_t lifetime = draw_value(self, life->lifetime, MODEL_LIFETIME_BITS);
    if (life->end == MODEL_SURVIVED)
        lifetime = lifetime < recorded / MODEL_PHASES ? 2 * lifetime : recorded;
    return lifetime * self->scale + (lifetime ? prng_below(&self->prng, self->scale) : 0);
}

/* ---- events ---- */

/* What becomes of the object whose time has come. */
static struct intent intend_end(struct model_source *self)
{
    struct mortal mortal = death_queue_take(&self->living);
    struct model_life life = model_unpack(self->model->cells[mortal.note].key);
    struct intent intent = {.deed = RESIZE, .object = mortal.id};
    unsigned group = model_doubling(model_code_low(life.size, MODEL_SIZE_BITS));
    if (life.end == MODEL_RESIZED && !draw_life(self, group, &intent))
        return intent;
    intent.deed = RELEASE;
    intent.thread = life.releaser;
    return intent;
}

/* At the end of the stream goes whatever did not outlive the record. */
static struct intent intend_last(struct model_source *self)
{
    while (self->living.count) {
        struct mortal mortal = death_queue_take(&self->living);
        struct model_life life = model_unpack(self->model->cells[mortal.note].key);
        if (life.end != MODEL_SURVIVED)
            return (struct intent){.deed = RELEASE, .object = mortal.id, .thread = life.releaser};
    }
    return (struct intent){.deed = NOTHING};
}

static void go_on_to_next_phase(struct model_source *self)
{
    const uint64_t *ends = self->model->phase_ends;
    while (self->allocations == self->phase_end) {
        self->phase = (self->phase + 1) % MODEL_PHASES;
        uint64_t start = self->phase ? ends[self->phase - 1] : 0;
        self->phase_end += (ends[self->phase] - start) * self->scale;
    }
}

static struct intent choose(struct model_source *self)
{
    struct intent intent = {.deed = NOTHING};
    if (self->allocations == self->limit)
        return intend_last(self);
    if (self->living.count && self->living.heap[0].death <= self->allocations)
        return intend_end(self);
    go_on_to_next_phase(self);
    intent.deed = BEAR;
    draw_life(self, MODEL_BIRTH, &intent); /* a model has one birth at least */
    return intent;
}

static int live_on(struct model_source *self, const struct intent *intent, uint32_t object)
{
    self->allocations++;
    if (self->allocations == self->phase_end)
        go_on_to_next_phase(self);
    uint64_t lifetime = draw_lifetime(self, &intent->life);
    struct mortal mortal = {
        .death = self->allocations + lifetime, .id = object, .note = intent->cell};
    return death_queue_add(&self->living, mortal) ? -ENOMEM : 1;
}

static int carry_out(struct model_source *self, struct trace_event *event, uint32_t thread)
{
    struct intent intent = self->intent;
    self->intent.deed = NOTHING;
    if (intent.deed == RELEASE)
        return emit_free(self->ids, event, thread, intent.object);
    *event = (struct trace_event){
        .kind = (uint8_t)intent.life.kind,
        .thread = thread,
        .size = draw_value(self, intent.life.size, MODEL_SIZE_BITS),
        .count = 1,
        .object = intent.object,
    };
    if (trace_kind_has_alignment(event->kind))
        event->alignment = UINT32_C(1) << intent.life.alignment_log2;
    if (intent.deed == BEAR) {
        if (trace_kind_resizes(event->kind))
            event->flags = TRACE_NULL_ARGUMENT;
        event->object = object_ids_take(self->ids, thread);
    }
    return event->object == TRACE_NO_OBJECT ? -ENOMEM : live_on(self, &intent, event->object);
}

static int next(struct model_source *self, struct trace_event *event)
{
    if (self->intent.deed == NOTHING)
        self->intent = choose(self);
    if (self->intent.deed == NOTHING)
        return self->ended < self->started ? emit_thread_end(self->ids, event, ++self->ended) : 0;
    /* A trace numbers its threads in the order in which they start. */
    uint32_t *thread = &self->threads[self->intent.thread];
    if (self->intent.thread && !*thread) {
        *thread = ++self->started;
        return emit_thread_start(event, 0, *thread);
    }
    return carry_out(self, event, *thread);
}

/* ---- the source ---- */

static int read_events(struct trace_source *source, struct trace_event *events, size_t capacity,
                       size_t *count)
{
    struct model_source *self = (struct model_source *)source;
    int status = 1;
    for (*count = 0; *count < capacity; ++*count) {
        status = next(self, &events[*count]);
        if (status <= 0)
            break;
    }
    if (status >= 0)
        return 0;
    source->error = (struct trace_error){.byte_offset = UINT64_MAX};
    snprintf(source->error.message, sizeof source->error.message,
             "no memory for the live objects of a model; choose a smaller scale");
    return status;
}

static int rewind_events(struct trace_source *source)
{
    struct model_source *self = (struct model_source *)source;
    prng_seed(&self->prng, self->seed);
    object_ids_reset(self->ids);
    memset(self->threads, 0, self->model->thread_count * sizeof *self->threads);
    self->living.count = 0;
    self->intent.deed = NOTHING;
    self->allocations = 0;
    self->phase = self->started = self->ended = 0;
    self->phase_end = self->model->phase_ends[0] * self->scale;
    return 0;
}

static void close_source(struct trace_source *source)
{
    struct model_source *self = (struct model_source *)source;
    model_destroy(self->model);
    object_ids_destroy(self->ids);
    death_queue_clean_up(&self->living);
    free(self->threads);
    free(self);
}

static const struct trace_source_ops model_source_ops = {
    .read = read_events,
    .rewind = rewind_events,
    .close = close_source,
};

static void take_values(struct model_source *self, const uint64_t *values)
{
    const struct model *model = self->model;
    uint64_t recorded = model->phase_ends[MODEL_PHASES - 1];
    unsigned __int128 limit = (unsigned __int128)recorded * values[SCALE];
    if (values[LENGTH])
        limit = (unsigned __int128)recorded * values[LENGTH] / model->event_count;
    self->limit = limit > 1 ? (uint64_t)limit : 1;
    self->scale = values[SCALE];
    self->seed = values[SEED];
    snprintf(self->description, sizeof self->description,
             "workload: model\nmodel of: %.*s\nparameters: length=%" PRIu64 " scale=%" PRIu64
             " seed=%" PRIu64 "\n",
             (int)strcspn(self->name + strlen("model:"), ","), self->name + strlen("model:"),
             values[LENGTH], values[SCALE], values[SEED]);
}

/* Reads what follows the trace's name. Returns 0, -EINVAL or -ENOMEM with *error set. */
static int parse(const char *specification, uint64_t *values, struct trace_error *error)
{
    const char *comma = strchr(specification, ',');
    char *list = NULL;
    if (asprintf(&list, "%s%s", comma ? "model:" : "model", comma ? comma + 1 : "") < 0)
        return -ENOMEM;
    int status = specification_parse(&model_form, list, values, error);
    free(list);
    return status;
}

int model_open(struct trace_source **source, struct model *model, const char *specification,
               struct trace_error *error)
{
    uint64_t values[WORKLOAD_PARAMETERS_MAX];
    *error = (struct trace_error){.byte_offset = UINT64_MAX};
    int status = parse(specification, values, error);
    struct model_source *self = calloc(1, sizeof *self + strlen(specification) + 1);
    if (status || !self) {
        free(self);
        model_destroy(model);
        return status ? status : -ENOMEM;
    }
    strcpy(self->name, specification);
    self->source = (struct trace_source){
        .ops = &model_source_ops, .name = self->name, .description = self->description};
    self->source.error.byte_offset = UINT64_MAX;
    self->model = model;
    self->ids = object_ids_new();
    self->threads = calloc(model->thread_count, sizeof *self->threads);
    if (!self->ids || !self->threads) {
        snprintf(error->message, sizeof error->message, "no memory for a model");
        close_source(&self->source);
        return -ENOMEM;
    }
    take_values(self, values);
    rewind_events(&self->source);
    *source = &self->source;
    return 0;
}
