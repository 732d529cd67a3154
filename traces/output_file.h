/* A file that comes into being whole or not at all: it is written under a temporary name beside its
 * own, and renamed.
 *
 * Where the path names something that is there and is not a regular file (a device, a pipe), that
 * is written to directly instead. A link is followed: its target is replaced. Thread safety: one
 * thread at a time for each file.
 */
#ifndef TRACES_OUTPUT_FILE_H
#define TRACES_OUTPUT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "traces/trace.h"

struct output_file;

/* Returns 0 or -errno with *error set; nothing is left behind on failure. */
int output_file_open(struct output_file **file, const char *path, struct trace_error *error);

/* Appends. Returns 0 or -errno with *error set; then only output_file_abandon makes sense. */
int output_file_write(struct output_file *file, const void *data, size_t length,
                      struct trace_error *error);

uint64_t output_file_position(const struct output_file *file);

/* Makes the contents durable, gives the file its name and frees `file`. Returns 0 or -errno with
 * *error set; nothing is left behind on failure. */
int output_file_commit(struct output_file *file, struct trace_error *error);

/* Removes what was written and frees `file`. NULL is allowed. */
void output_file_abandon(struct output_file *file);

#endif
