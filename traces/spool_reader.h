/* Reads one spool file: which threads wrote into it, and each thread's calls in the order it made
 * them.
 *
 * Memory: 32 bytes for each chunk and one small buffer for each open stream, whatever the length of
 * the spool. Thread safety: none. The recorded program may still be writing.
 */
#ifndef TRACES_SPOOL_READER_H
#define TRACES_SPOOL_READER_H

#include <stdint.h>

#include "traces/spool_format.h"
#include "traces/trace.h"

struct spool_reader;
struct spool_stream;

/* What one thread did next. `kind` is a trace_kind, SPOOL_THREAD_EXIT or SPOOL_THREAD_FAILED. */
struct spool_call {
    uint64_t ticks;        /* after the call, before it for free */
    uint64_t before_ticks; /* before the call, where there is an old address; else as ticks */
    uint64_t size;
    uint64_t extra;   /* count or alignment */
    uint64_t address; /* returned or released; 0 for NULL. The new thread's number for the thread
                         kinds */
    uint64_t old;     /* what realloc was given, 0 for NULL */
    unsigned kind;
};

/* The chunks of a thread: index of the first, and how many. */
struct spool_thread {
    uint64_t first_ticks;
    uint32_t number;
    uint32_t first_chunk;
    uint32_t chunk_count;
};

/* Returns 0; -ENODATA where the file holds no chunk; -EPROTO where it is not a spool; or -errno. On
 * success *reader is the caller's to close. */
int spool_reader_open(struct spool_reader **reader, const char *path);
void spool_reader_close(struct spool_reader *reader);

/* Tells the recorder, should the process still run, to take no further chunks. */
void spool_reader_stop_recorder(const struct spool_reader *reader);

const struct spool_header *spool_reader_header(const struct spool_reader *reader);

/* Threads in the order of their first chunk. Valid until the reader is closed. */
const struct spool_thread *spool_reader_threads(const struct spool_reader *reader, uint32_t *count);

/* The latest moment in both clocks that the spool knows. */
void spool_reader_last_pair(const struct spool_reader *reader, uint64_t *ticks, uint64_t *ns);

/* Returns NULL with errno ENOMEM. Close it before the reader. */
struct spool_stream *spool_stream_open(struct spool_reader *reader,
                                       const struct spool_thread *thread);
void spool_stream_close(struct spool_stream *stream);

/* Fills *call. Returns 1, 0 at the end of what the thread wrote, or -errno of a failed read. */
int spool_stream_next(struct spool_stream *stream, struct spool_call *call);

#endif
