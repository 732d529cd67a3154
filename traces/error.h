/* Filling a struct trace_error in one line. */
#ifndef TRACES_ERROR_H
#define TRACES_ERROR_H

#include <stdint.h>

#include "traces/trace.h"

/* For errors that have no place in a file. */
#define TRACE_NO_OFFSET UINT64_MAX

/* Fills *error (NULL is allowed; a message too long is cut) and returns -code. */
int trace_fail(struct trace_error *error, int code, uint64_t byte_offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
