/* The operating system: every system call of the allocator is made here.
 * All sizes in bytes.  None of these change errno. */
#ifndef ALLOCATOR_OS_H
#define ALLOCATOR_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/single_threaded.h>
#include <sys/uio.h>

/* For data that the layers share: without it, code that could end up in a shared library goes
 * through a table to reach each of them. */
#define HIDDEN __attribute__((visibility("hidden")))

/* For large tables of zeros of which most processes use little or nothing: they lie behind the data
 * of all layers, which fill a page or two that way. */
#define COLD_DATA __attribute__((section(".bss.cold")))

/* For small constant tables that frequent ways read: beside the dynamic linker's own, in a page
 * that each process holds anyway. Among other constants a read would bring in up to 64 KiB of the
 * library's file around it, which the system counts as the process's. */
#define HOT_CONSTANTS __attribute__((section(".data.rel.ro")))

/* For rare ways: keeps the registers that they need from being saved on the frequent ones. */
#define NOINLINE __attribute__((noinline))
/* Seldom called: made small, and laid apart. */
#define RARE __attribute__((noinline, cold))
/* For frequent ways that the compiler thinks too long. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The processor's: what one thread writes often lies apart from what all read. */
enum { CACHE_LINE_BYTES = 64 };

/* The granularity of mappings; 4096 where the kernel does not say. */
size_t os_page_bytes(void);

static inline size_t os_round_to_page(size_t bytes)
{
    return (bytes + os_page_bytes() - 1) & ~(os_page_bytes() - 1);
}

/* Returns zeroed, readable and writable memory at a multiple of `align` (a power of two; 0 means
 * the page), or NULL. */
void *os_map(size_t bytes, size_t align);
void os_unmap(void *start, size_t bytes);
/* Resizes a mapping, and moves it where it can't grow in place, to a multiple of `align` if that
 * can be had.  Returns its address or NULL. */
void *os_remap(void *start, size_t old_bytes, size_t new_bytes, size_t align);

/* Moves the pages of [start, start + bytes), which lie in one mapping, to `target`, which is mapped
 * and ours too and holds nothing of worth; what was in `target` goes, and `start` is unmapped.
 * Refused, it leaves both as they were, or, after OS_TORN, `target` perhaps to another thread. */
enum os_move_result { OS_MOVED, OS_REFUSED, OS_TORN };
enum os_move_result os_move(void *start, size_t bytes, void *target);

/* Reserves addresses without memory, at `wanted` exactly or, where `wanted` is NULL, anywhere. */
void *os_reserve(void *wanted, size_t bytes);
/* The same anywhere, at a multiple of `align`, a power of two of at least a page. */
void *os_reserve_aligned(size_t bytes, size_t align);
/* Makes a reserved range readable and writable. */
bool os_commit(void *start, size_t bytes);
/* Ranges whose contents are dropped together: they read as zero afterwards and hold no memory. The
 * count is 0 at first. */
enum { OS_PURGE_MOST = 64 };
struct os_purge {
    size_t count;
    struct iovec ranges[OS_PURGE_MOST];
};
/* Adds a range, which may go at once. */
void os_purge_add(struct os_purge *purge, void *start, size_t bytes);
/* Lets all that were added go. */
void os_purge_finish(struct os_purge *purge);

/* Drops the contents of one range at once; returns false where it is not certain that it reads as
 * zero, as for memory that is locked, and where there is a filter of system calls. */
bool os_purge(void *start, size_t bytes);

/* Gives a range its memory at once, which costs less than a page fault for each page; returns false
 * where the kernel (before Linux 5.14) can't or has no memory. */
bool os_populate(void *start, size_t bytes);
/* Sets *resident to how many of a range's pages, OS_COUNT_MOST at most, hold memory; false where
 * that can't be told: not all of it is mapped any more, or there is a filter of system calls. */
enum { OS_COUNT_MOST = 256 };
bool os_count_resident(const void *start, size_t bytes, size_t *resident);
/* Whether there is no such filter. */
bool os_can_count_resident(void);
/* The huge page of x86-64, and of arm64 with pages of 4 KiB. */
#define OS_HUGE_BYTES ((size_t)2 << 20)
/* Gives what a fresh range holds of whole huge pages its memory, a huge page each where the system
 * leaves that to the program and has one.  From then on small pages are used in the range: a range
 * that stays advised is filled up again by the kernel some seconds after a part of it was purged
 * (khugepaged; Linux, Documentation/admin-guide/mm/transhuge.rst). */
void os_fill_huge(void *start, size_t bytes);

/* Lets the system use huge pages for what a mapping holds of whole ones: each gets its memory with
 * the first write to it. */
void os_allow_huge(void *start, size_t bytes);

/* Moves the program break up and returns the start of `bytes` new bytes, all zero, at a multiple of
 * `align` and of the page, or NULL.  Somebody else may have moved the break since the last call:
 * the new bytes need not follow the old ones. */
void *os_break_extend(size_t bytes, size_t align);
/* True while no other thread can exist; afterwards false for a while at least. */
static inline bool os_is_single_threaded(void)
{
    return __libc_single_threaded;
}

/* How many bytes of addresses the process may have, RLIMIT_AS; SIZE_MAX where there is no limit. */
size_t os_address_limit(void);

/* On how many processors this thread may run; 0 where that can't be told. */
unsigned os_processors(void);
/* The memory node of the processor that runs this; 0 where there is one, or none is known. */
unsigned os_node(void);

/* Sleeps while *word == expected, until os_wake on the same word; may return early. */
void os_wait(uint32_t *word, uint32_t expected);
void os_wake(uint32_t *word);

/* Milliseconds since some moment, exact to a few. */
uint64_t os_coarse_ms(void);

/* Writes one line to standard error and aborts. */
_Noreturn void os_die(const char *line, size_t length);

#endif
