#include "traces/import/input.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "traces/error.h"

/* Also the longest line. */
#define BUFFER_BYTES ((size_t)1 << 18)
#define HEAD_BYTES   ((size_t)1 << 16)

static int fail_archive(struct import_input *input, struct trace_error *error)
{
    int code = archive_errno(input->archive);
    const char *message = archive_error_string(input->archive);
    return trace_fail(error, code > 0 ? code : EPROTO, TRACE_NO_OFFSET, "cannot be unpacked: %s",
                      message ? message : "unknown reason");
}

/* Goes to the next regular file of the archive; *found says whether there is one. */
static int next_file(struct import_input *input, bool *found, struct trace_error *error)
{
    struct archive_entry *entry;
    int status;
    while ((status = archive_read_next_header(input->archive, &entry)) == ARCHIVE_OK ||
           status == ARCHIVE_WARN)
        if (archive_entry_filetype(entry) != AE_IFDIR) {
            *found = true;
            return 0;
        }
    *found = false;
    return status == ARCHIVE_EOF ? 0 : fail_archive(input, error);
}

/* Moves what is left to the front and fills the rest of the buffer. */
static int fill(struct import_input *input, struct trace_error *error)
{
    memmove(input->buffer, input->buffer + input->begin, input->end - input->begin);
    input->end -= input->begin;
    input->begin = 0;
    while (!input->at_end && input->end < BUFFER_BYTES) {
        la_ssize_t got = archive_read_data(input->archive, input->buffer + input->end,
                                           BUFFER_BYTES - input->end);
        if (got < 0)
            return fail_archive(input, error);
        input->end += (size_t)got;
        input->at_end = got == 0;
    }
    if (!input->at_end)
        return 0;
    bool another;
    int status = next_file(input, &another, error);
    if (!status && another)
        return trace_fail(error, EPROTO, TRACE_NO_OFFSET,
                          "the archive holds more than one file; unpack it and import them one by "
                          "one");
    return status;
}

/* Not archive_read_support_filter_all: that would also run programs for rare formats. */
static void enable_formats(struct archive *archive)
{
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_format_zip(archive);
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
}

int import_input_open(struct import_input *input, const char *path, struct trace_error *error)
{
    *input = (struct import_input){0};
    bool is_standard_input = !strcmp(path, "-");
    struct stat status = {0};
    if (!is_standard_input && stat(path, &status))
        return trace_fail(error, errno, TRACE_NO_OFFSET, "cannot be opened: %s", strerror(errno));
    if (S_ISDIR(status.st_mode))
        return trace_fail(error, EISDIR, TRACE_NO_OFFSET, "is a folder; name a file in it");
    input->archive = archive_read_new();
    input->buffer = malloc(BUFFER_BYTES + 1); /* and the end of a string */
    if (!input->archive || !input->buffer)
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    enable_formats(input->archive);
    if (archive_read_open_filename(input->archive, is_standard_input ? NULL : path, HEAD_BYTES) !=
        ARCHIVE_OK)
        return fail_archive(input, error);
    bool found;
    int result = next_file(input, &found, error);
    if (!result && found)
        result = fill(input, error);
    if (!result && input->end == 0)
        return trace_fail(error, ENODATA, 0, "the file is empty; there is nothing to import");
    return result;
}

void import_input_close(struct import_input *input)
{
    archive_read_free(input->archive);
    free(input->buffer);
    *input = (struct import_input){0};
}

const char *import_input_head(const struct import_input *input, size_t *length)
{
    *length = input->end < HEAD_BYTES ? input->end : HEAD_BYTES;
    return input->buffer;
}

static void consume(struct import_input *input, size_t length)
{
    input->begin += length;
    input->offset += length;
}

int import_input_line(struct import_input *input, char **line, struct trace_error *error)
{
    char *start = input->buffer + input->begin;
    char *end = memchr(start, '\n', input->end - input->begin);
    if (!end && !input->at_end) {
        int status = fill(input, error);
        if (status)
            return status;
        start = input->buffer;
        end = memchr(start, '\n', input->end);
    }
    input->line_offset = input->offset;
    input->line_number++;
    if (!end && !input->at_end)
        return import_input_fail(input, error, "is too long for any trace of text");
    *line = NULL;
    if (!end && input->begin == input->end)
        return 0;
    if (!end)
        end = input->buffer + input->end; /* the last line may lack its end */
    size_t length = (size_t)(end - start);
    consume(input, length + (end < input->buffer + input->end));
    if (length && start[length - 1] == '\r')
        length--;
    start[length] = '\0';
    *line = start;
    return 0;
}

int import_input_bytes(struct import_input *input, size_t length, const void **bytes,
                       struct trace_error *error)
{
    if (input->end - input->begin < length && !input->at_end) {
        int status = fill(input, error);
        if (status)
            return status;
    }
    size_t left = input->end - input->begin;
    *bytes = left ? input->buffer + input->begin : NULL;
    if (left && left < length)
        return trace_fail(error, EPROTO, input->offset, "the file ends inside a record");
    if (left)
        consume(input, length);
    return 0;
}

int import_input_fail(const struct import_input *input, struct trace_error *error,
                      const char *message)
{
    return trace_fail(error, EPROTO, input->line_offset, "line %" PRIu64 ": %s", input->line_number,
                      message);
}
