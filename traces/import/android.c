/* Android's memory_replay (system/extras/memory_replay): "TID: malloc PTR SIZE" and so on,
 * addresses hexadecimal, the rest decimal, optionally followed by the start and end of the call in
 * nanoseconds. */
#include "traces/import/format.h"
#include "traces/import/scan.h"

struct android_call {
    const char *name;
    enum trace_kind kind;
    unsigned operands; /* numbers between the address and the times */
};

static const struct android_call calls[] = {
    {"malloc", TRACE_MALLOC, 1},   {"calloc", TRACE_CALLOC, 2},
    {"realloc", TRACE_REALLOC, 2}, {"memalign", TRACE_MEMALIGN, 2},
    {"free", TRACE_FREE, 0},       {"thread_done", TRACE_THREAD_END, 0},
};

struct android_line {
    uint64_t thread, address, operands[2], start_ns;
    const struct android_call *call;
    bool has_time;
};

static bool parse_call(const char **at, struct android_line *line)
{
    const char *word;
    size_t length;
    if (!scan_word(at, &word, &length))
        return false;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strlen(calls[i].name) == length && !memcmp(calls[i].name, word, length))
            line->call = &calls[i];
    return line->call != NULL;
}

static bool parse(const char *at, struct android_line *line)
{
    *line = (struct android_line){0};
    if (!scan_decimal(&at, &line->thread) || !scan_text(&at, ":") || !parse_call(&at, line) ||
        !scan_number(&at, &line->address))
        return false;
    for (unsigned i = 0; i < line->call->operands; i++)
        if (!scan_number(&at, &line->operands[i]))
            return false;
    uint64_t end_ns;
    line->has_time = !scan_end(&at) && scan_decimal(&at, &line->start_ns);
    return !line->has_time ? scan_end(&at) : scan_decimal(&at, &end_ns) && scan_end(&at);
}

static int apply_call(struct importer *importer, const struct android_line *line)
{
    const uint64_t *operands = line->operands;
    switch (line->call->kind) {
    case TRACE_FREE:
        return importer_free(importer, line->address);
    case TRACE_CALLOC:
        return importer_allocate(importer,
                                 &(struct foreign_request){.kind = TRACE_CALLOC,
                                                           .count = operands[0],
                                                           .size = operands[1]},
                                 line->address);
    case TRACE_REALLOC:
        return importer_resize(
            importer,
            &(struct foreign_request){.kind = TRACE_REALLOC, .size = operands[1], .count = 1},
            operands[0], line->address);
    case TRACE_MEMALIGN:
        return importer_allocate(
            importer,
            &(struct foreign_request){
                .kind = TRACE_MEMALIGN, .alignment = operands[0], .size = operands[1], .count = 1},
            line->address);
    default:
        return importer_allocate(
            importer,
            &(struct foreign_request){.kind = TRACE_MALLOC, .size = operands[0], .count = 1},
            line->address);
    }
}

static int import_line(struct importer *importer, const char *text)
{
    struct android_line line;
    if (*text == '\0')
        return 0;
    if (!parse(text, &line))
        return importer_fail(importer, "is not 'TID: CALL ADDRESS ...' of memory_replay");
    if (line.has_time)
        importer_at(importer, line.start_ns);
    if (line.call->kind == TRACE_THREAD_END)
        return importer_end_thread(importer, line.thread);
    int status = importer_thread(importer, line.thread);
    return status ? status : apply_call(importer, &line);
}

static bool recognises_line(const char *text)
{
    struct android_line line;
    return parse(text, &line);
}

static int run(struct importer *importer)
{
    return import_each_line(importer, import_line);
}

const struct import_format import_android = {
    .name = "android",
    .summary = "Android memory_replay text, plain or zipped",
    .recognises_line = recognises_line,
    .run = run,
};
