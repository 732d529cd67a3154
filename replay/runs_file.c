#include "replay/runs_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/command.h"
#include "replay/csv.h"

/* No row of ours comes near it: four texts of 256 and 512 bytes, and 30 numbers. */
#define LINE_LIMIT_BYTES 16384

struct reader {
    FILE *stream;
    const char *folder, *advice;
    char line[LINE_LIMIT_BYTES];
    size_t damaged_count;
};

static int complain(const struct reader *reader, int error, const char *what)
{
    message("%s/runs.csv: %s; %s", reader->folder, what, reader->advice);
    return -error;
}

/* Reads the next line; of one that is too long, a piece without its end, so that it is taken for
 * damaged. Returns false at the end of the file. */
static bool next_line(struct reader *reader)
{
    if (!fgets(reader->line, sizeof reader->line, reader->stream))
        return false;
    size_t length = strlen(reader->line);
    if (length + 1 < sizeof reader->line || reader->line[length - 1] == '\n')
        return true;
    for (int c; (c = getc_unlocked(reader->stream)) != EOF && c != '\n';)
        continue;
    return true;
}

/* A first row that says so is of another version; a later one is damaged. */
static int check_version(const struct reader *reader)
{
    char what[128], *end;
    unsigned long version = strtoul(reader->line, &end, 10);
    if (end == reader->line || *end != ',' || version == RUN_SCHEMA_VERSION)
        return 0;
    snprintf(what, sizeof what, "schema version %lu, but this heaplab reads %d", version,
             RUN_SCHEMA_VERSION);
    return complain(reader, EPROTO, what);
}

static int read_rows(struct reader *reader, struct campaign_results *results)
{
    if (!next_line(reader))
        return ferror(reader->stream) ? complain(reader, errno, strerror(errno))
                                      : complain(reader, ENODATA, "it is empty");
    struct run_row_layout layout;
    if (!run_row_read_header(&layout, reader->line))
        return complain(reader, EPROTO, "it has other columns than this version of heaplab writes");
    for (bool is_first = true; next_line(reader); is_first = false) {
        int error = is_first ? check_version(reader) : 0;
        if (error)
            return error;
        struct run_row *row = campaign_new_row(results);
        if (!row) {
            message("%s/runs.csv: no memory for its rows; free some", reader->folder);
            return -ENOMEM;
        }
        bool is_good = run_row_read(row, &layout, reader->line);
        reader->damaged_count += !is_good;
        if (!is_good || !run_row_is_ok(row))
            results->row_count--;
    }
    return ferror(reader->stream) ? complain(reader, errno ? errno : EIO, "it can't be read") : 0;
}

int runs_file_read(const char *folder, struct campaign_results *results, const char *advice)
{
    struct reader *reader = malloc(sizeof *reader);
    if (!reader) {
        message("%s/runs.csv: no memory to read it", folder);
        return -ENOMEM;
    }
    *reader = (struct reader){.folder = folder, .advice = advice};
    reader->stream = csv_open(folder, "runs.csv", "re");
    int error =
        reader->stream
            ? read_rows(reader, results)
            : complain(reader, errno, errno == ENOENT ? "there is no such file" : strerror(errno));
    if (!error && reader->damaged_count)
        message("%s/runs.csv: %zu damaged row%s left out", folder, reader->damaged_count,
                reader->damaged_count == 1 ? "" : "s");
    if (reader->stream)
        fclose(reader->stream);
    free(reader);
    return error;
}
