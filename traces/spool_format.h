/* What the recorder leaves on disk: one spool file per process image, read back by traces/spool.h.
 *
 * A spool is a sequence of units of 4 KiB. Unit 0 holds `struct spool_header`. Everything after it
 * is chunks of one or more units; a chunk belongs to one thread and begins with `struct
 * spool_chunk`, followed by slots. Units that a killed thread had taken but not begun are zero.
 * Chunks of one thread are numbered by `sequence`; chunks of different threads lie in any order. A
 * thread fills one mapped chunk again and again and has it copied to the end of the file when full,
 * so the last of a thread's chunks usually lies before the others. A process killed in between
 * leaves a chunk twice.
 *
 * A slot is 16 bytes. A call is one main slot, which stands behind the prefix slots it needs: so a
 * call that was cut off by a crash is a run of prefixes without a main slot, or nothing. A slot's
 * first word is stored last and is never zero; a zero first word, or the end of the chunk, ends the
 * chunk's slots.
 *
 *   first word    bits 0-31 ticks since the slot before (the chunk's first_ticks for the first),
 * 32-39 enum spool_op or trace_kind, 40-63 size second word   bits 0-47 address, 48-63 extra: count
 * (calloc, reallocarray) or alignment (the aligned kinds)
 *
 * The layout is private to one build of heaplab: a spool is read by the `heaplab` that belongs to
 * the recorder.
 */
#ifndef TRACES_SPOOL_FORMAT_H
#define TRACES_SPOOL_FORMAT_H

#include <stdint.h>

#define SPOOL_MAGIC       UINT64_C(0x314c4f4f5053706c) /* "lpSPOOL1" in the file */
#define SPOOL_CHUNK_MAGIC UINT64_C(0x314b4e5548435053) /* "SPCHUNK1" */
#define SPOOL_UNIT_BYTES  4096u
#define SPOOL_ADDRESS_MAX ((UINT64_C(1) << 48) - 1)
#define SPOOL_SIZE_FIELD  0xffffffu /* this and larger sizes stand in a SPOOL_SIZE prefix */
#define SPOOL_EXTRA_FIELD \
    0xffffu /* this and larger counts and alignments stand in a SPOOL_EXTRA prefix */

/* The name of the variable that tells the recorder its folder, and the folder's file suffix. */
#define SPOOL_DIRECTORY_VARIABLE "HEAPLAB_RECORDING"
#define SPOOL_SUFFIX             ".spool"

enum spool_clock {
    SPOOL_CLOCK_TSC = 1,   /* ticks of the time-stamp counter */
    SPOOL_CLOCK_MONOTONIC, /* nanoseconds of CLOCK_MONOTONIC */
};

/* Slots that are not a trace_kind. All but SPOOL_THREAD_EXIT are prefixes; their value is the whole
 * second word. */
enum spool_op {
    SPOOL_TICKS =
        0x40, /* absolute ticks, where the difference does not fit; sets the running time */
    SPOOL_SIZE = 0x41,  /* size of the call */
    SPOOL_EXTRA = 0x42, /* count or alignment of the call */
    SPOOL_OLD = 0x43,   /* realloc's pointer argument; this slot's time is that before the call */
    SPOOL_THREAD_EXIT = 0x44, /* the thread is ending; few or no calls follow */
    SPOOL_THREAD_FAILED =
        0x45, /* the thread whose number is in the address did not start after all */
};

struct spool_slot {
    uint64_t first;
    uint64_t second;
};

struct spool_header {
    uint64_t magic;
    uint32_t clock; /* enum spool_clock */
    uint32_t pid;
    uint64_t start_ticks; /* one moment in ticks and in nanoseconds of CLOCK_MONOTONIC */
    uint64_t start_ns;
    uint64_t stop_ticks; /* calls from here on are not all recorded; 0 while everything is */
    uint32_t closed;     /* set by the reader: record no more */
    uint32_t bypassed;   /* the program defines malloc itself, so its calls do not come by */
    char allocator[64];  /* who served the calls: "glibc 2.36", "libjemalloc.so.2" */
    char program[256];   /* the executable's file name */
};

struct spool_chunk {
    uint64_t magic;
    uint32_t thread;
    uint32_t sequence; /* 0 for a thread's first chunk */
    uint32_t units;    /* this header included */
    uint32_t reserved;
    uint64_t first_ticks;
    uint64_t pair_ticks; /* another moment in both clocks, for the conversion */
    uint64_t pair_ns;
    uint64_t unused[2];
};

_Static_assert(sizeof(struct spool_slot) == 16, "a slot is 16 bytes");
_Static_assert(sizeof(struct spool_chunk) % sizeof(struct spool_slot) == 0, "slots stay aligned");
_Static_assert(sizeof(struct spool_header) <= SPOOL_UNIT_BYTES, "the header is one unit");

#endif
