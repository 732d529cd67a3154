/* Turns a source into windows of pre-decoded events. */
#ifndef REPLAY_DECODER_H
#define REPLAY_DECODER_H

#include "replay/run.h"
#include "traces/trace.h"

struct decoder;

/* Where the threads are to meet and be sampled; 0 samples: only at the end of each window. */
struct decoder_plan {
    uint32_t sample_count; /* evenly spaced points, the peak of L and the end not counted */
    enum run_touch touch;
    enum run_pace pace;
};

/* `source` has a summary and is at its first event; both it and `window` must outlive the decoder.
 * Returns NULL with errno ENOMEM. */
struct decoder *decoder_new(struct trace_source *source, struct run_window *window,
                            const struct decoder_plan *plan);
void decoder_destroy(struct decoder *decoder);

/* Fills the next window: events, segments, first events, and is_last. Returns 0 or -errno
 * with source->error. */
int decoder_fill(struct decoder *decoder);

/* Rewinds the source for another run. Returns 0 or -errno with source->error. */
int decoder_rewind(struct decoder *decoder);

/* The least event_limit that a window of that many threads needs. */
uint64_t decoder_least_events(uint32_t thread_count);

#endif
