/* What this process holds in memory, from /proc/self/status (proc(5)). Never allocates after it was
 * opened. */
#ifndef REPLAY_MEMORY_PROBE_H
#define REPLAY_MEMORY_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct memory_probe {
    int descriptor;
    bool has_peak;                /* the kernel let us reset its high-water mark */
    uint64_t base_private_bytes;  /* anonymous and shared-memory pages at the baseline */
    uint64_t base_resident_bytes; /* all pages at the baseline */
    uint64_t base_file_bytes;
};

/* Returns 0 or -errno. */
int memory_probe_open(struct memory_probe *probe);

/* Takes the baseline and resets the kernel's high-water mark (clear_refs, Linux 4.0). Returns 0 or
 * -errno. */
int memory_probe_set_baseline(struct memory_probe *probe);

/* Resident bytes beyond the baseline, pages of files (program text) left out; 0 where there are
 * fewer. The kernel counts exactly since Linux 6.16; before, it may be off by some tens of pages
 * per processor. Returns 0 or -errno. */
int memory_probe_read(const struct memory_probe *probe, uint64_t *bytes);

/* The largest value since the baseline, between samples too. Returns 0, -ENOTSUP where the mark
 * can't be reset, or -errno. */
int memory_probe_peak(const struct memory_probe *probe, uint64_t *bytes);

void memory_probe_close(struct memory_probe *probe);

#endif
