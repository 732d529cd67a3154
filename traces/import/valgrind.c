/* Valgrind --trace-malloc=yes: "--PID-- malloc(24) = 0x4A44040". Where one call is made by another,
 * both stand on the line, as "realloc(0x4A441B0,0)free(0x4A441B0)", and the last is the one that
 * was done. Threads are not told. */
#include "traces/import/calls.h"
#include "traces/import/format.h"
#include "traces/import/scan.h"

struct valgrind_line {
    struct foreign_call call;
    uint64_t result;
};

static bool parse(const char *at, struct valgrind_line *line)
{
    uint64_t process;
    const char *rest;
    if (!scan_text(&at, "--") || !scan_decimal(&at, &process) || !scan_text(&at, "-- ") ||
        !foreign_call_find(at, &line->call, &rest))
        return false;
    line->result = 0;
    if (line->call.known->shape == CALL_FREE)
        return true;
    const char *equals = strstr(rest, "= ");
    if (!equals)
        return false;
    equals += 2;
    return scan_number(&equals, &line->result);
}

static int import_line(struct importer *importer, const char *text)
{
    struct valgrind_line line;
    if (parse(text, &line))
        return foreign_call_apply(importer, &line.call, line.result);
    importer->report->ignored += *text != '\0';
    return 0;
}

static bool recognises_line(const char *text)
{
    struct valgrind_line line;
    return parse(text, &line);
}

static int run(struct importer *importer)
{
    return import_each_line(importer, import_line);
}

const struct import_format import_valgrind = {
    .name = "valgrind",
    .summary = "Valgrind --trace-malloc=yes",
    .recognises_line = recognises_line,
    .run = run,
};
