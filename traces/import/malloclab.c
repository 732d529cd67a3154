/* The .rep files of the CMU malloc lab: four numbers (heap size or weight, ids, operations, weight
 * or bytes), then "a ID SIZE", "r ID SIZE" and "f ID", where the id -1 is NULL. */
#include "traces/import/format.h"
#include "traces/import/scan.h"

#define HEADER_LINES 4

struct rep_line {
    char operation;
    bool is_null;
    uint64_t id, size;
};

static bool parse(const char *at, struct rep_line *line)
{
    *line = (struct rep_line){0};
    scan_blanks(&at);
    if (!*at || !strchr("arf", *at))
        return false;
    line->operation = *at++;
    const char *sign = at;
    scan_blanks(&sign);
    line->is_null = scan_text(&sign, "-");
    if (line->is_null)
        at = sign;
    if (!scan_decimal(&at, &line->id) || line->id == UINT64_MAX)
        return false;
    if (line->operation != 'f' && !scan_decimal(&at, &line->size))
        return false;
    return scan_end(&at);
}

static bool is_header_line(const char *at)
{
    uint64_t number;
    return scan_decimal(&at, &number) && scan_end(&at);
}

static int import_line(struct importer *importer, const char *text)
{
    struct rep_line line;
    const char *at = text;
    if (scan_end(&at))
        return 0;
    if (importer->input.line_number <= HEADER_LINES)
        return is_header_line(text) ? 0 : importer_fail(importer, "is not a number of the header");
    if (!parse(text, &line))
        return importer_fail(importer, "is not 'a ID SIZE', 'r ID SIZE' or 'f ID'");
    uint64_t address = line.is_null ? 0 : line.id + 1;
    struct foreign_request request = {.kind = TRACE_MALLOC, .size = line.size, .count = 1};
    if (line.operation == 'f')
        return importer_free(importer, address);
    if (line.operation == 'a')
        return importer_allocate(importer, &request, address);
    request.kind = TRACE_REALLOC;
    struct mapped_object object;
    bool is_live = address_map_find(importer->objects, address, &object);
    /* The lab's driver reallocs NULL where the id is not live, and realloc to 0 frees. */
    return importer_resize(importer, &request, is_live ? address : 0,
                           line.size || !is_live ? address : 0);
}

static bool recognises_content(const char *head, size_t length)
{
    char copy[256];
    if (length >= sizeof copy)
        length = sizeof copy - 1;
    memcpy(copy, head, length);
    copy[length] = '\0';
    char *rest = copy;
    struct rep_line line;
    for (unsigned i = 0; i <= HEADER_LINES; i++) {
        char *text = strsep(&rest, "\n");
        if (!text)
            return false;
        text[strcspn(text, "\r")] = '\0';
        if (i < HEADER_LINES ? !is_header_line(text) : !parse(text, &line))
            return false;
    }
    return true;
}

static int run(struct importer *importer)
{
    return import_each_line(importer, import_line);
}

const struct import_format import_malloclab = {
    .name = "malloclab",
    .summary = "CMU malloc lab .rep",
    .recognises_content = recognises_content,
    .run = run,
};
