/* The log of glibc's mtrace(3): "[@ WHERE ]+ ADDRESS SIZE" and "- ADDRESS"; a realloc is "< OLD"
 * and then "> NEW SIZE", one that failed "! OLD SIZE". Numbers are hexadecimal, NULL is "(nil)".
 * The log names no threads and no kinds. */
#include "traces/import/format.h"
#include "traces/import/scan.h"

struct mtrace_line {
    char operation;
    uint64_t address, size;
};

static bool parse(const char *at, struct mtrace_line *line)
{
    *line = (struct mtrace_line){0};
    if (scan_text(&at, "@ ")) {
        /* The caller's name may hold blanks: the operation stands before the last one or two
         * numbers. */
        const char *found = NULL;
        for (const char *c = at; *c; c++)
            if (*c == ' ' && c[1] && strchr("+-<>!", c[1]) && c[2] == ' ')
                found = c + 1;
        if (!found)
            return false;
        at = found;
    }
    if (!*at || !strchr("+-<>!", *at) || at[1] != ' ')
        return false;
    line->operation = *at++;
    if (!scan_number(&at, &line->address))
        return false;
    bool has_size = line->operation != '-' && line->operation != '<';
    return (!has_size || scan_number(&at, &line->size)) && scan_end(&at);
}

/* The address of the "<" that was read last, until its ">" comes. */
struct mtrace_state {
    uint64_t old_address;
};

static int import_line(struct importer *importer, struct mtrace_state *state, const char *text)
{
    struct mtrace_line line;
    if (!parse(text, &line)) {
        importer->report->ignored += *text && *text != '=';
        return 0;
    }
    struct foreign_request request = {.kind = TRACE_MALLOC, .size = line.size, .count = 1};
    switch (line.operation) {
    case '+':
        return importer_allocate(importer, &request, line.address);
    case '-':
        return importer_free(importer, line.address);
    case '<':
        state->old_address = line.address;
        return 0;
    case '>':
        request.kind = TRACE_REALLOC;
        return importer_resize(importer, &request, state->old_address, line.address);
    default:
        request.kind = TRACE_REALLOC;
        return importer_resize(importer, &request, line.address, 0);
    }
}

static int run(struct importer *importer)
{
    struct mtrace_state state = {0};
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

static bool recognises_line(const char *text)
{
    struct mtrace_line line;
    return !strcmp(text, "= Start") || parse(text, &line);
}

const struct import_format import_mtrace = {
    .name = "mtrace",
    .summary = "log of glibc's mtrace()",
    .recognises_line = recognises_line,
    .run = run,
};
