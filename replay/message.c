#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "replay/command.h"

void message(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("heaplab: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void message_trace_error(const char *path, const struct trace_error *error)
{
    if (error->byte_offset == UINT64_MAX)
        message("%s: %s", path, error->message);
    else
        message("%s: byte %" PRIu64 ": %s", path, error->byte_offset, error->message);
}
