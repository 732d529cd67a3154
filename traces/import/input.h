/* What an importer reads: one file's content, unpacked, as lines or bytes. */
#ifndef TRACES_IMPORT_INPUT_H
#define TRACES_IMPORT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/trace.h"

struct import_input {
    struct archive *archive;
    char *buffer;
    size_t begin, end;    /* what is buffered */
    bool at_end;          /* of the content */
    uint64_t offset;      /* of begin in the content */
    uint64_t line_offset; /* of the latest line */
    uint64_t line_number; /* of the latest line, from 1 */
};

/* Returns 0 or -errno with *error set; close in either case. */
int import_input_open(struct import_input *input, const char *path, struct trace_error *error);
void import_input_close(struct import_input *input);

/* The first bytes, up to 64 KiB, before anything was read. */
const char *import_input_head(const struct import_input *input, size_t *length);

/* The next line, without its end, as a string that the next call overwrites; NULL at the end.
 * Returns 0 or -errno. */
int import_input_line(struct import_input *input, char **line, struct trace_error *error);

/* The next `length` bytes (at most 64 KiB); *bytes is NULL at the end. Fewer are an error. */
int import_input_bytes(struct import_input *input, size_t length, const void **bytes,
                       struct trace_error *error);

/* Fails with EPROTO at the latest line: "line N: MESSAGE". */
int import_input_fail(const struct import_input *input, struct trace_error *error,
                      const char *message);

#endif
