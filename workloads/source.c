/* Makes a trace_source of a workload. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/specification.h"
#include "workloads/workload.h"

#define DESCRIPTION_BYTES 1024

struct workload_source {
    struct trace_source source; /* first: the two are converted into each other */
    const struct workload *workload;
    uint64_t values[WORKLOAD_PARAMETERS_MAX];
    void *state; /* NULL after a failed rewind */
    char *name;
    char description[DESCRIPTION_BYTES];
};

static void stop(struct workload_source *generator)
{
    if (generator->state)
        generator->workload->stop(generator->state);
    free(generator->state);
    generator->state = NULL;
}

static int start(struct workload_source *generator, struct trace_error *error)
{
    *error = (struct trace_error){.byte_offset = UINT64_MAX};
    generator->state = calloc(1, generator->workload->state_bytes);
    int status = -ENOMEM;
    if (generator->state)
        status = generator->workload->start(generator->state, generator->values, error);
    if (status) {
        stop(generator);
        if (status == -ENOMEM)
            snprintf(error->message, sizeof error->message,
                     "no memory for the objects of %s; choose smaller parameters",
                     generator->workload->name);
    }
    return status;
}

static int read_events(struct trace_source *source, struct trace_event *events, size_t capacity,
                       size_t *count)
{
    struct workload_source *generator = (struct workload_source *)source;
    *count = 0;
    if (!generator->state)
        return -EINVAL; /* source->error still says why the rewind failed */
    while (*count < capacity) {
        int status = generator->workload->next(generator->state, &events[*count]);
        if (status < 0) {
            source->error = (struct trace_error){.byte_offset = UINT64_MAX};
            snprintf(source->error.message, sizeof source->error.message,
                     "no memory for the live objects of %s; choose smaller parameters",
                     generator->workload->name);
            return status;
        }
        if (status == 0)
            break;
        ++*count;
    }
    return 0;
}

static int rewind_events(struct trace_source *source)
{
    struct workload_source *generator = (struct workload_source *)source;
    stop(generator);
    return start(generator, &source->error);
}

static void close_source(struct trace_source *source)
{
    struct workload_source *generator = (struct workload_source *)source;
    stop(generator);
    free(generator->name);
    free(generator);
}

static const struct trace_source_ops workload_source_ops = {
    .read = read_events,
    .rewind = rewind_events,
    .close = close_source,
};

/* With every parameter, the defaults too: a file should tell what it holds after defaults change.
 */
static void describe(struct workload_source *generator)
{
    const struct workload *workload = generator->workload;
    char *text = generator->description;
    size_t used = (size_t)snprintf(text, DESCRIPTION_BYTES,
                                   "workload: %s\nsummary: %s\nparameters:", workload->name,
                                   workload->summary);
    for (size_t i = 0; workload->parameters[i].name && used < DESCRIPTION_BYTES; i++) {
        const struct workload_parameter *parameter = &workload->parameters[i];
        if (parameter->choices)
            used += (size_t)snprintf(text + used, DESCRIPTION_BYTES - used, " %s=%s",
                                     parameter->name, parameter->choices[generator->values[i]]);
        else
            used += (size_t)snprintf(text + used, DESCRIPTION_BYTES - used, " %s=%" PRIu64,
                                     parameter->name, generator->values[i]);
    }
    if (used < DESCRIPTION_BYTES)
        snprintf(text + used, DESCRIPTION_BYTES - used, "\n");
}

int workload_open(struct trace_source **source, const char *specification,
                  struct trace_error *error)
{
    *error = (struct trace_error){.byte_offset = UINT64_MAX};
    const struct workload *workload = workload_find(specification);
    if (!workload) {
        snprintf(error->message, sizeof error->message,
                 "no workload is called '%.60s'; 'heaplab list workloads' names them",
                 specification);
        return -ENOENT;
    }
    struct workload_source *generator = calloc(1, sizeof *generator);
    char *name = strdup(specification);
    int status = -ENOMEM;
    if (!generator || !name) {
        snprintf(error->message, sizeof error->message, "no memory");
        goto fail;
    }
    generator->workload = workload;
    status = specification_parse(workload, specification, generator->values, error);
    if (!status)
        status = start(generator, error);
    if (status)
        goto fail;
    describe(generator);
    generator->name = name;
    generator->source.ops = &workload_source_ops;
    generator->source.name = name;
    generator->source.description = generator->description;
    generator->source.error.byte_offset = UINT64_MAX;
    *source = &generator->source;
    return 0;

fail:
    free(name);
    free(generator);
    return status;
}
