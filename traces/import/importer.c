#include "traces/import/importer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/error.h"

static int no_memory(struct importer *importer)
{
    return trace_fail(&importer->error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
}

int importer_init(struct importer *importer)
{
    importer->objects = address_map_new();
    importer->threads = address_map_new();
    if (!importer->objects || !importer->threads)
        return no_memory(importer);
    return import_input_open(&importer->input, importer->in_path, &importer->error);
}

void importer_clean_up(struct importer *importer)
{
    trace_writer_abandon(importer->writer);
    import_input_close(&importer->input);
    address_map_destroy(importer->objects);
    address_map_destroy(importer->threads);
    free(importer->description);
}

static int describe(struct importer *importer)
{
    if (importer->description || importer->options.description)
        return 0;
    const char *slash = strrchr(importer->in_path, '/');
    if (asprintf(&importer->description, "imported: %s\nformat: %s\n",
                 slash ? slash + 1 : importer->in_path, importer->report->format) < 0) {
        importer->description = NULL;
        return no_memory(importer);
    }
    return 0;
}

int importer_begin(struct importer *importer)
{
    if (importer->writer)
        return 0;
    int status = describe(importer);
    if (status)
        return status;
    struct trace_writer_options options = importer->options;
    if (importer->description)
        options.description = importer->description;
    status = trace_writer_open(&importer->writer, importer->out_path, &options, &importer->error);
    importer->report->output_failed = status != 0;
    return status;
}

int importer_append(struct importer *importer, struct trace_event *event)
{
    int status = importer_begin(importer);
    if (status)
        return status;
    status = trace_writer_append(importer->writer, event);
    if (status == -EPROTO)
        return importer_fail(importer, trace_writer_error(importer->writer)->message);
    if (status)
        importer->error = *trace_writer_error(importer->writer);
    importer->report->output_failed = status != 0;
    return status;
}

int importer_fail(struct importer *importer, const char *message)
{
    return import_input_fail(&importer->input, &importer->error, message);
}

/* ---- threads and time ---- */

/* Never 0, which is no key. */
static uint64_t thread_key(uint64_t number)
{
    return number << 1 | 1;
}

static int start_thread(struct importer *importer, uint32_t starter, uint64_t number)
{
    uint32_t thread = 0;
    if (address_map_count(importer->threads) || importer->writer) {
        struct trace_event event = {
            .kind = TRACE_THREAD_START, .thread = starter, .time_ns = importer->time_ns};
        int status = importer_append(importer, &event);
        if (status)
            return status;
        thread = event.object;
    }
    if (address_map_add(importer->threads, thread_key(number),
                        (struct mapped_object){.object = thread}))
        return no_memory(importer);
    return 0;
}

int importer_thread(struct importer *importer, uint64_t number)
{
    struct mapped_object thread;
    if (!address_map_find(importer->threads, thread_key(number), &thread)) {
        int status = start_thread(importer, 0, number);
        if (status)
            return status;
        address_map_find(importer->threads, thread_key(number), &thread);
    }
    importer->thread = thread.object;
    return 0;
}

int importer_start_thread(struct importer *importer, uint64_t number)
{
    struct mapped_object thread;
    if (address_map_find(importer->threads, thread_key(number), &thread))
        return importer_fail(importer, "starts a thread that is running");
    return start_thread(importer, importer->thread, number);
}

int importer_end_thread(struct importer *importer, uint64_t number)
{
    struct mapped_object thread;
    bool is_known = address_map_remove(importer->threads, thread_key(number), &thread);
    if (!is_known || (thread.object == 0 && !importer->is_strict))
        return 0;
    struct trace_event event = {
        .kind = TRACE_THREAD_END, .thread = thread.object, .time_ns = importer->time_ns};
    return importer_append(importer, &event);
}

void importer_at(struct importer *importer, uint64_t time_ns)
{
    if (!importer->has_time) {
        importer->first_time_ns = time_ns;
        importer->has_time = true;
    }
    if (time_ns >= importer->first_time_ns && time_ns - importer->first_time_ns > importer->time_ns)
        importer->time_ns = time_ns - importer->first_time_ns;
}

/* ---- calls ---- */

static struct trace_event event_of(const struct importer *importer,
                                   const struct foreign_request *request)
{
    return (struct trace_event){
        .time_ns = importer->time_ns,
        .thread = importer->thread,
        .kind = (uint8_t)request->kind,
        .size = request->size,
        .count = request->count,
        .object = TRACE_NO_OBJECT,
    };
}

/* What allocators make of an alignment that is no power of two, within what a trace can hold. */
static uint32_t rounded_alignment(uint64_t alignment)
{
    uint32_t rounded = 1;
    while (rounded < alignment && rounded < TRACE_ALIGNMENT_MAX)
        rounded *= 2;
    return rounded;
}

/* A call that failed may have asked for any alignment that fits. */
static uint32_t possible_alignment(uint64_t alignment, bool has_failed)
{
    if (!has_failed)
        return rounded_alignment(alignment);
    return (uint32_t)(alignment < UINT32_MAX ? alignment : UINT32_MAX);
}

static int set_alignment(struct importer *importer, struct trace_event *event, uint64_t alignment)
{
    bool has_failed = event->flags & TRACE_FAILED;
    if (!trace_kind_has_alignment(event->kind))
        return 0;
    event->alignment = possible_alignment(alignment, has_failed);
    if (event->alignment == alignment)
        return 0;
    if (importer->is_strict)
        return importer_fail(importer, has_failed
                                           ? "has an alignment too large; write at most 2^32 - 1"
                                           : "succeeds with an alignment that is no power of two "
                                             "up to 2^30; write one, or '= failed'");
    importer->report->realigned++;
    return 0;
}

#define IMPOSSIBLE_SIZE \
    "succeeds with a size too large for any process; write at most 2^47 bytes, or '= failed'"

static int drop(struct importer *importer, const char *what)
{
    if (importer->is_strict)
        return importer_fail(importer, what);
    importer->report->dropped++;
    return 0;
}

/* The object at `address` must have been freed without a trace: frees it here. */
static int mend_missing_free(struct importer *importer, uint64_t address)
{
    if (importer->is_strict)
        return importer_fail(importer, "allocates an object that is live");
    importer->report->mended++;
    return importer_free(importer, address);
}

static int add_object(struct importer *importer, struct trace_event *event, uint64_t address)
{
    struct mapped_object object;
    if (address_map_find(importer->objects, address, &object)) {
        int status = mend_missing_free(importer, address);
        if (status)
            return status;
    }
    int status = importer_append(importer, event);
    if (status)
        return status;
    object = (struct mapped_object){.bytes = trace_event_bytes(event), .object = event->object};
    return address_map_add(importer->objects, address, object) ? no_memory(importer) : 0;
}

int importer_allocate(struct importer *importer, const struct foreign_request *request,
                      uint64_t address)
{
    struct trace_event event = event_of(importer, request);
    if (!address)
        event.flags |= TRACE_FAILED;
    if (address && trace_event_bytes(&event) > TRACE_BYTES_MAX)
        return drop(importer, IMPOSSIBLE_SIZE);
    int status = set_alignment(importer, &event, request->alignment);
    if (status)
        return status;
    return address ? add_object(importer, &event, address) : importer_append(importer, &event);
}

static int resize_null(struct importer *importer, struct trace_event *event, uint64_t new_address)
{
    event->flags |= TRACE_NULL_ARGUMENT;
    if (new_address)
        return add_object(importer, event, new_address);
    event->flags |= TRACE_FAILED;
    return importer_append(importer, event);
}

int importer_resize(struct importer *importer, const struct foreign_request *request,
                    uint64_t old_address, uint64_t new_address)
{
    struct trace_event event = event_of(importer, request);
    if (new_address && trace_event_bytes(&event) > TRACE_BYTES_MAX)
        return drop(importer, IMPOSSIBLE_SIZE);
    if (!old_address)
        return resize_null(importer, &event, new_address);
    struct mapped_object object;
    if (!address_map_find(importer->objects, old_address, &object)) {
        int status =
            drop(importer,
                 "resizes an object that is not live; allocate it before, or leave the line out");
        /* What it became is there from now on, wherever it came from. */
        return status || !new_address ? status : resize_null(importer, &event, new_address);
    }
    event.object = object.object;
    if (!new_address)
        event.flags |= TRACE_FAILED;
    if (new_address || trace_event_releases(&event))
        address_map_remove(importer->objects, old_address, &object);
    if (new_address && new_address != old_address) {
        struct mapped_object other;
        int status = 0;
        if (address_map_find(importer->objects, new_address, &other))
            status = mend_missing_free(importer, new_address);
        if (status)
            return status;
    }
    int status = importer_append(importer, &event);
    if (status || !new_address)
        return status;
    object.bytes = trace_event_bytes(&event);
    return address_map_add(importer->objects, new_address, object) ? no_memory(importer) : 0;
}

int importer_free(struct importer *importer, uint64_t address)
{
    struct trace_event event = event_of(importer, &(struct foreign_request){.kind = TRACE_FREE});
    event.count = 1;
    if (!address) {
        event.flags = TRACE_NULL_ARGUMENT;
        return importer_append(importer, &event);
    }
    struct mapped_object object;
    if (!address_map_remove(importer->objects, address, &object))
        return drop(importer,
                    "frees an object that is not live; allocate it before, or leave the line out");
    event.object = object.object;
    return importer_append(importer, &event);
}
