/* heaplab's own text, as traces/text.h describes it. Nothing in it is mended: who writes by hand
 * wants to be told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "traces/error.h"
#include "traces/import/format.h"
#include "traces/import/scan.h"
#include "traces/text.h"

static int malformed(struct importer *importer)
{
    return importer_fail(importer, "is not '[TIME THREAD] CALL ARGUMENTS [= OBJECT]'");
}

/* "# key: value" lines before the first event: what the writer is told, and the description. */
static int import_comment(struct importer *importer, const char *text)
{
    const char *at = text + 1;
    scan_blanks(&at);
    const char *value = at;
    uint64_t number;
    if (importer->writer || !strncmp(text, TEXT_HEADER, strlen(TEXT_HEADER)) || !strchr(at, ':'))
        return 0;
    if (scan_text(&value, "time_unit_ns:") && scan_decimal(&value, &number)) {
        if (!importer->options.time_unit_ns)
            importer->options.time_unit_ns = number;
        return 0;
    }
    value = at;
    if (scan_text(&value, "dropped:") && scan_decimal(&value, &number)) {
        importer->report->dropped = number;
        return 0;
    }
    if (importer->options.description)
        return 0;
    size_t before = importer->description ? strlen(importer->description) : 0;
    size_t length = strlen(at);
    char *longer = realloc(importer->description, before + length + 2);
    if (!longer)
        return trace_fail(&importer->error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    memcpy(longer + before, at, length);
    memcpy(longer + before + length, "\n", 2);
    importer->description = longer;
    return 0;
}

/* An object's number, as the address it is mapped by; "null" is 0. */
static bool scan_object(const char **at, uint64_t *address)
{
    scan_blanks(at);
    if (scan_text(at, "null")) {
        *address = 0;
        return true;
    }
    if (!scan_decimal(at, address) || *address == UINT64_MAX)
        return false;
    ++*address;
    return true;
}

/* "= OBJECT" or "= failed". */
static bool scan_result(const char **at, uint64_t *address)
{
    scan_blanks(at);
    if (!scan_text(at, "="))
        return false;
    scan_blanks(at);
    if (scan_text(at, "failed")) {
        *address = 0;
        return true;
    }
    return scan_object(at, address) && *address;
}

static unsigned kind_of(const char *word, size_t length)
{
    for (unsigned kind = 1; kind < TRACE_KIND_COUNT; kind++) {
        const char *name = trace_kind_name(kind);
        if (strlen(name) == length && !memcmp(name, word, length))
            return kind;
    }
    return 0;
}

/* What the call names beside objects. Leaves *at and *what at the first number that is not there.
 */
static bool scan_request(const char **at, struct foreign_request *request, const char **what)
{
    *what = "alignment";
    if (trace_kind_has_alignment(request->kind) && !scan_decimal(at, &request->alignment))
        return false;
    *what = "count";
    if (trace_kind_has_count(request->kind) && !scan_decimal(at, &request->count))
        return false;
    *what = "size";
    return scan_decimal(at, &request->size);
}

/* A number that is there but can't be had deserves more than what a line looks like. */
static int missing_number(struct importer *importer, const char *at, const char *what)
{
    char text[100];
    scan_blanks(&at);
    if (*at == '-' && isdigit((unsigned char)at[1]))
        snprintf(text, sizeof text, "negative %s; write 0 or more", what);
    else if (isdigit((unsigned char)*at))
        snprintf(text, sizeof text, "%s too large; write less than 2^64", what);
    else
        return malformed(importer);
    return importer_fail(importer, text);
}

static int import_thread_event(struct importer *importer, unsigned kind, uint64_t thread,
                               const char *at)
{
    if (kind == TRACE_THREAD_END)
        return scan_end(&at) ? importer_end_thread(importer, thread) : malformed(importer);
    uint64_t started;
    if (!scan_decimal(&at, &started) || !scan_end(&at))
        return malformed(importer);
    return importer_start_thread(importer, started);
}

static int import_call(struct importer *importer, unsigned kind, const char *at)
{
    struct foreign_request request = {.kind = (enum trace_kind)kind, .count = 1};
    uint64_t old = 0, result = 0;
    if (kind == TRACE_FREE)
        return scan_object(&at, &old) && scan_end(&at) ? importer_free(importer, old)
                                                       : malformed(importer);
    const char *what;
    if (trace_kind_resizes(kind) && !scan_object(&at, &old))
        return malformed(importer);
    if (!scan_request(&at, &request, &what))
        return missing_number(importer, at, what);
    if (!scan_result(&at, &result) || !scan_end(&at))
        return malformed(importer);
    if (!trace_kind_resizes(kind))
        return importer_allocate(importer, &request, result);
    if (old && result && old != result)
        return importer_fail(importer, "resizes one object and names another");
    return importer_resize(importer, &request, old, result);
}

/* The thread of the line before, where a line names none. */
struct text_state {
    uint64_t thread;
};

static int import_line(struct importer *importer, struct text_state *state, const char *text)
{
    const char *at = text, *word;
    if (scan_end(&at))
        return 0;
    if (*at == '#')
        return import_comment(importer, at);
    uint64_t time_ns;
    if (scan_decimal(&at, &time_ns)) {
        if (!scan_decimal(&at, &state->thread))
            return malformed(importer);
        if (time_ns < importer->time_ns)
            return importer_fail(importer, "is earlier than the line before");
        importer->time_ns = time_ns;
    }
    size_t length;
    unsigned kind = scan_word(&at, &word, &length) ? kind_of(word, length) : 0;
    if (!kind)
        return malformed(importer);
    int status = importer_thread(importer, state->thread);
    if (status)
        return status;
    if (kind >= TRACE_THREAD_START)
        return import_thread_event(importer, kind, state->thread, at);
    return import_call(importer, kind, at);
}

static int run(struct importer *importer)
{
    struct text_state state = {0};
    importer->is_strict = true;
    importer->description = strdup(""); /* a text without one makes a trace without one */
    for (;;) {
        char *text;
        int status = import_input_line(&importer->input, &text, &importer->error);
        if (status || !text)
            return status;
        status = import_line(importer, &state, text);
        if (status)
            return status;
    }
}

static bool recognises_content(const char *head, size_t length)
{
    return length >= strlen(TEXT_HEADER) && !memcmp(head, TEXT_HEADER, strlen(TEXT_HEADER));
}

const struct import_format import_text = {
    .name = "text",
    .summary = "heaplab's own text, as 'heaplab export' writes it",
    .recognises_content = recognises_content,
    .run = run,
};
