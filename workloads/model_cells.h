/* What model.c counts and model_source.c draws from. */
#ifndef WORKLOADS_MODEL_CELLS_H
#define WORKLOADS_MODEL_CELLS_H

#include <stddef.h>
#include <stdint.h>

#define MODEL_PHASES  8
#define MODEL_THREADS 256
/* Sizes and lifetimes are exact below 2^(bits + 1), then fall into 2^bits steps per doubling. */
#define MODEL_SIZE_BITS     11
#define MODEL_LIFETIME_BITS 3
/* Groups by the old size's doubling, 0 to 64, and one for births. */
#define MODEL_BIRTH  65
#define MODEL_GROUPS 66

enum model_end {
    MODEL_RELEASED,
    MODEL_RESIZED,
    MODEL_SURVIVED, /* the record, whose end cut the lifetime off */
};

/* One life: from a birth or resize to the next resize or the release. */
struct model_life {
    unsigned phase, group; /* where it is drawn from */
    unsigned thread, releaser;
    unsigned kind; /* enum trace_kind */
    unsigned alignment_log2;
    unsigned size, lifetime; /* codes */
    unsigned end;            /* enum model_end */
};

struct model_cell {
    uint64_t key;   /* a packed life; no key is 0, since no kind is */
    uint64_t count; /* lives; in a model that is fitted, of all cells up to this one */
};

struct model {
    struct model_cell *cells; /* by key, that is by phase, then group */
    size_t cell_count;
    /* Cells of a group: from its own to the next one's first. */
    size_t first_cells[MODEL_PHASES * MODEL_GROUPS + 1];
    uint64_t phase_ends[MODEL_PHASES]; /* in allocations; the last one is those of the record */
    uint64_t event_count;
    uint32_t thread_count;
};

struct model_life model_unpack(uint64_t key);

/* The smallest value of a code, and how many values share it. */
uint64_t model_code_low(unsigned code, unsigned bits);
uint64_t model_code_width(unsigned code, unsigned bits);

/* 0 for 0, else the position of the highest bit, from 1: the group of objects of that size. */
unsigned model_doubling(uint64_t size);

#endif
