#include "traces/error.h"

#include <stdarg.h>
#include <stdio.h>

int trace_fail(struct trace_error *error, int code, uint64_t byte_offset, const char *format, ...)
{
    if (error) {
        error->byte_offset = byte_offset;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return -code;
}
