/* Traces of other tools, made into traces of heaplab.
 *
 * A format is recognised by its content. The input may be compressed (gzip, bzip2, xz, zstd) or a
 * zip archive of one file. Objects are told apart by their addresses, and what cannot have happened
 * (an unknown address freed, a live one allocated) is left out or mended, and counted.
 */
#ifndef TRACES_IMPORT_H
#define TRACES_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/trace.h"

struct trace_import_report {
    const char *format;   /* static */
    uint64_t event_count; /* of the trace written */
    /* Calls left out: on objects that were never seen allocated, here or where the input was made,
     * or of sizes that no address space holds. */
    uint64_t dropped;
    /* Frees that were missing and added: their object's address was allocated again. */
    uint64_t mended;
    /* Alignments that no trace can hold, replaced by what allocators make of them. */
    uint64_t realigned;
    /* Lines that are not of the format, in logs that mix with others. */
    uint64_t ignored;
    /* Why and where a damaged trace of heaplab was read no further; else empty. */
    char salvage_stop[TRACE_MESSAGE_BYTES];
    uint64_t salvage_byte;
    /* Where the import fails: whether the output is to blame. */
    bool output_failed;
};

/* Writes what is in `in_path` to the trace file `out_path`, in bounded memory. `format` is a name
 * of trace_import_format_name, or NULL to find out. Returns 0 or -errno with *error set, the offset
 * being one in the unpacked input; then there is no output. */
int trace_import(const char *in_path, const char *out_path, const char *format,
                 const struct trace_writer_options *options, struct trace_import_report *report,
                 struct trace_error *error);

/* The names and one-line descriptions of the formats, from 0; NULL after the last. */
const char *trace_import_format_name(unsigned index);
const char *trace_import_format_summary(unsigned index);

#endif
