/* jemalloc's utrace records (MALLOC_CONF=utrace:true, on BSD): "PID 0xP = malloc(N)", "PID 0xQ =
 * realloc(0xP, N)", "PID free(0xP)". One process's records name no threads. */
#include "traces/import/calls.h"
#include "traces/import/format.h"
#include "traces/import/scan.h"

struct utrace_line {
    struct foreign_call call;
    uint64_t result;
};

static bool parse(const char *at, struct utrace_line *line)
{
    uint64_t process;
    line->result = 0;
    if (!scan_decimal(&at, &process) || *at != ' ')
        return false;
    bool has_result = scan_number(&at, &line->result);
    if (has_result) {
        scan_blanks(&at);
        if (!scan_text(&at, "="))
            return false;
    }
    scan_blanks(&at);
    if (!foreign_call_parse(&at, &line->call) || !scan_text(&at, ")"))
        return false;
    return scan_end(&at) && has_result == (line->call.known->shape != CALL_FREE);
}

static int import_line(struct importer *importer, const char *text)
{
    struct utrace_line line;
    if (parse(text, &line))
        return foreign_call_apply(importer, &line.call, line.result);
    importer->report->ignored += *text != '\0';
    return 0;
}

static bool recognises_line(const char *text)
{
    struct utrace_line line;
    return parse(text, &line);
}

static int run(struct importer *importer)
{
    return import_each_line(importer, import_line);
}

const struct import_format import_jemalloc = {
    .name = "jemalloc",
    .summary = "jemalloc utrace records",
    .recognises_line = recognises_line,
    .run = run,
};
