/* ltrace: "[pid 30049] malloc(24) = 0x55c7355f32a0", the process in any of its notations or left
 * out, a time of -t, -tt, -ttt or -r passed over. A call that another thread's interrupts is
 * "malloc(24 <unfinished ...>" and later
 * "<... malloc resumed> ) = 0x55c7355f32a0". */
#include <errno.h>
#include <stdlib.h>

#include "traces/error.h"
#include "traces/import/calls.h"
#include "traces/import/format.h"
#include "traces/import/scan.h"

struct ltrace_line {
    bool has_call, is_unfinished, is_resumed;
    uint64_t thread;
    struct foreign_call call;
    uint64_t result;
};

/* "[pid 12] ", "[12] " or "12 ". */
static void scan_thread(const char **at, uint64_t *thread)
{
    const char *from = *at;
    bool is_bracketed = scan_text(&from, "[");
    if (is_bracketed)
        scan_text(&from, "pid ");
    if (!scan_decimal(&from, thread))
        return;
    if (is_bracketed ? scan_text(&from, "]") : *from == ' ')
        *at = from;
    else
        *thread = 0;
}

/* The word before the first parenthesis: after a time, and the "program->" or "library!" of -x and
 * -l. What stands within the parentheses may be the program's own text. */
static const char *function_name(const char *line)
{
    const char *name = line + strcspn(line, "(");
    while (name > line && (isalnum((unsigned char)name[-1]) || name[-1] == '_'))
        name--;
    return name;
}

static bool parse_result(const char *at, struct ltrace_line *line)
{
    const char *equals = strstr(at, "= ");
    if (!equals)
        return false;
    equals += 2;
    return scan_number(&equals, &line->result) || scan_text(&equals, "<void>");
}

static bool parse(const char *at, struct ltrace_line *line)
{
    *line = (struct ltrace_line){0};
    scan_thread(&at, &line->thread);
    if (strstr(at, "<... ")) {
        line->is_resumed = strstr(at, " resumed>") != NULL;
        return line->is_resumed && parse_result(strstr(at, " resumed>"), line);
    }
    at = function_name(at);
    line->has_call = foreign_call_parse(&at, &line->call);
    if (!line->has_call)
        return false;
    line->is_unfinished = strstr(at, "<unfinished ...>") != NULL;
    return line->is_unfinished || parse_result(at, line);
}

/* Calls that wait for their result, one for each thread at most. */
struct pending_call {
    uint64_t thread;
    struct foreign_call call;
};

struct pending_calls {
    struct pending_call *calls;
    size_t count, capacity;
};

static int add_pending(struct importer *importer, struct pending_calls *pending,
                       const struct ltrace_line *line)
{
    for (size_t i = 0; i < pending->count; i++) {
        if (pending->calls[i].thread == line->thread) {
            pending->calls[i].call = line->call; /* the log lost how the one before ended */
            importer->report->ignored++;
            return 0;
        }
    }
    if (pending->count == pending->capacity) {
        size_t capacity = pending->capacity ? 2 * pending->capacity : 16;
        struct pending_call *calls = reallocarray(pending->calls, capacity, sizeof *calls);
        if (!calls)
            return trace_fail(&importer->error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
        pending->calls = calls;
        pending->capacity = capacity;
    }
    pending->calls[pending->count++] =
        (struct pending_call){.thread = line->thread, .call = line->call};
    return 0;
}

static bool take_pending(struct pending_calls *pending, struct ltrace_line *line)
{
    for (size_t i = pending->count; i-- > 0;) {
        if (pending->calls[i].thread != line->thread)
            continue;
        line->call = pending->calls[i].call;
        pending->calls[i] = pending->calls[--pending->count];
        return true;
    }
    return false;
}

static int import_line(struct importer *importer, struct pending_calls *pending, const char *text)
{
    struct ltrace_line line;
    bool is_done = parse(text, &line);
    /* A free takes effect as it begins: another thread may be given the address before it returns.
     */
    bool is_free = is_done && line.has_call && line.call.known->shape == CALL_FREE;
    if (is_done && line.is_unfinished && !is_free)
        return add_pending(importer, pending, &line);
    if (is_done && line.is_resumed)
        is_done = take_pending(pending, &line);
    if (!is_done) {
        importer->report->ignored += *text != '\0';
        return 0;
    }
    int status = importer_thread(importer, line.thread);
    return status ? status : foreign_call_apply(importer, &line.call, line.result);
}

static int run(struct importer *importer)
{
    struct pending_calls pending = {0};
    int status;
    char *text;
    do {
        status = import_input_line(&importer->input, &text, &importer->error);
        if (!status && text)
            status = import_line(importer, &pending, text);
    } while (!status && text);
    importer->report->ignored += pending.count;
    free(pending.calls);
    return status;
}

static bool recognises_line(const char *text)
{
    struct ltrace_line line;
    return parse(text, &line) && line.has_call;
}

const struct import_format import_ltrace = {
    .name = "ltrace",
    .summary = "ltrace, with or without -f",
    .recognises_line = recognises_line,
    .run = run,
};
