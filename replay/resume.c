#include "replay/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/command.h"
#include "replay/csv.h"
#include "replay/runs_file.h"

bool resume_has(const struct campaign_results *results, const char *source, const char *allocator,
                enum run_mode mode, unsigned repetition)
{
    for (size_t i = 0; i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (row->repetition == repetition && row->mode == run_mode_names[mode] &&
            !strcmp(row->allocator, allocator) && !strcmp(row->source, source) &&
            run_row_is_ok(row))
            return true;
    }
    return false;
}

/* ---- writing anew ---- */

/* Puts `name` in the place of the older file once it is written whole. */
static int replace_file(const char *folder, const char *name, FILE *stream, int error)
{
    char *fresh, *old;
    if (fclose(stream) && !error)
        error = -errno;
    if (asprintf(&fresh, "%s/%s.new", folder, name) < 0)
        return -ENOMEM;
    if (asprintf(&old, "%s/%s", folder, name) < 0) {
        free(fresh);
        return -ENOMEM;
    }
    if (!error && rename(fresh, old) != 0)
        error = -errno;
    free(fresh);
    free(old);
    return error;
}

static int rewrite_rows(const char *folder, const struct campaign_results *results)
{
    FILE *stream = csv_open(folder, "runs.csv.new", "we");
    if (!stream)
        return -errno;
    int error = run_row_write_header(stream);
    for (size_t i = 0; i < results->row_count && !error; i++)
        error = run_row_write(stream, &results->rows[i]);
    return replace_file(folder, "runs.csv", stream, error);
}

/* Whether the line is of a run that the results hold: allocator, source and repetition are its
 * second to fourth field. */
static bool is_of_known_run(const char *line, const struct campaign_results *results,
                            enum run_mode mode)
{
    char *copy = strdup(line), *fields[4];
    bool is_known =
        copy && csv_split(copy, fields, 4) >= 4 &&
        resume_has(results, fields[2], fields[1], mode, (unsigned)strtoul(fields[3], NULL, 10));
    free(copy);
    return is_known;
}

static int filter_lines(const char *folder, const char *name,
                        const struct campaign_results *results, enum run_mode mode)
{
    char *line = NULL, *fresh_name;
    size_t capacity = 0;
    FILE *old = csv_open(folder, name, "re");
    if (!old)
        return errno == ENOENT ? 0 : -errno;
    FILE *fresh =
        asprintf(&fresh_name, "%s.new", name) < 0 ? NULL : csv_open(folder, fresh_name, "we");
    if (!fresh) {
        fclose(old);
        return -errno;
    }
    for (bool is_header = true; getline(&line, &capacity, old) >= 0; is_header = false)
        if (is_header || is_of_known_run(line, results, mode))
            fputs(line, fresh);
    int error = ferror(fresh) ? -EIO : 0;
    free(line);
    free(fresh_name);
    fclose(old);
    return replace_file(folder, name, fresh, error);
}

int resume_campaign(const char *folder, struct campaign_results *results)
{
    int error =
        runs_file_read(folder, results, "there is no campaign to take up; start without --resume");
    if (error)
        return error;
    error = rewrite_rows(folder, results);
    if (!error)
        error = filter_lines(folder, "timeline.csv", results, RUN_MEMORY);
    if (!error)
        error = filter_lines(folder, "occupancy.csv", results, RUN_MEMORY);
    if (!error)
        error = filter_lines(folder, "latency.csv", results, RUN_LATENCY);
    if (error)
        message("%s: %s; free some room", folder, strerror(-error));
    return error;
}
