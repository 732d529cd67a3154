#include "allocator/os.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

enum { READ_WRITE = PROT_READ | PROT_WRITE, ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS };

size_t os_page_bytes(void)
{
    static size_t page_bytes;
    size_t known = __atomic_load_n(&page_bytes, __ATOMIC_RELAXED);

    if (known == 0) {
        unsigned long told = getauxval(AT_PAGESZ);
        known = told ? told : 4096;
        __atomic_store_n(&page_bytes, known, __ATOMIC_RELAXED);
    }
    return known;
}

static void *map_at(void *wanted, size_t bytes, int protection, int flags)
{
    int saved = errno;
    void *start = mmap(wanted, bytes, protection, ANONYMOUS | flags, -1, 0);

    errno = saved;
    return start == MAP_FAILED ? NULL : start;
}

void os_unmap(void *start, size_t bytes)
{
    int saved = errno;

    /* Fails only where the kernel has no room to split a mapping; the range then stays mapped
     * and unused, and giving up its contents is the best that is left. */
    if (munmap(start, bytes) != 0)
        (void)madvise(start, bytes, MADV_DONTNEED);
    errno = saved;
}

void *os_reserve_aligned(size_t bytes, size_t align)
{
    /* Enough to contain an aligned range, of which both ends go back. */
    size_t reserved = bytes + align - os_page_bytes();
    char *start = reserved < bytes ? NULL : map_at(NULL, reserved, PROT_NONE, MAP_NORESERVE);

    if (!start)
        return NULL;
    size_t before = (size_t)(-(uintptr_t)start & (align - 1));
    size_t after = reserved - before - bytes;
    if (before)
        os_unmap(start, before);
    if (after)
        os_unmap(start + before + bytes, after);
    return start + before;
}

void *os_map(size_t bytes, size_t align)
{
    if (align <= os_page_bytes())
        return map_at(NULL, bytes, READ_WRITE, 0);

    char *start = os_reserve_aligned(bytes, align);
    if (start && !os_commit(start, bytes)) {
        os_unmap(start, bytes);
        return NULL;
    }
    return start;
}

/* Maps at `wanted` or not at all. */
static void *map_exactly(void *wanted, size_t bytes, int protection, int flags)
{
    void *start = map_at(wanted, bytes, protection, flags | MAP_FIXED_NOREPLACE);

    /* Before Linux 4.17 the address is but a hint. */
    if (start && start != wanted) {
        os_unmap(start, bytes);
        return NULL;
    }
    return start;
}

/* mremap(2) that leaves errno alone. */
static void *remap(void *start, size_t old_bytes, size_t new_bytes, int flags, void *target)
{
    int saved = errno;
    void *moved = mremap(start, old_bytes, new_bytes, flags, target);

    errno = saved;
    return moved == MAP_FAILED ? NULL : moved;
}

/* Moves a mapping to a multiple of `align`, which is more than a page; NULL where that fails. */
static void *remap_aligned(void *start, size_t old_bytes, size_t new_bytes, size_t align)
{
    void *target = os_reserve_aligned(new_bytes, align);

    /* Where this fails the target stays reserved: the kernel may have unmapped it already, and by
     * now another thread have mapped something there. */
    return target ? remap(start, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target)
                  : NULL;
}

enum os_move_result os_move(void *start, size_t bytes, void *target)
{
    if (remap(start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target))
        return OS_MOVED;
    /* Some refusals come after the kernel unmapped the target. */
    return map_exactly(target, bytes, READ_WRITE, 0) ? OS_REFUSED : OS_TORN;
}

void *os_remap(void *start, size_t old_bytes, size_t new_bytes, size_t align)
{
    void *resized = NULL;

    if (align > os_page_bytes()) {
        resized = remap(start, old_bytes, new_bytes, 0, NULL);
        if (!resized)
            resized = remap_aligned(start, old_bytes, new_bytes, align);
    }
    return resized ? resized : remap(start, old_bytes, new_bytes, MREMAP_MAYMOVE, NULL);
}

void *os_reserve(void *wanted, size_t bytes)
{
    return wanted ? map_exactly(wanted, bytes, PROT_NONE, MAP_NORESERVE)
                  : map_at(NULL, bytes, PROT_NONE, MAP_NORESERVE);
}

bool os_commit(void *start, size_t bytes)
{
    int saved = errno;
    bool done = mprotect(start, bytes, READ_WRITE) == 0;

    errno = saved;
    return done;
}

/* madvise(2) that leaves errno alone. */
static bool advise(void *start, size_t bytes, int advice)
{
    int saved = errno;
    bool done = madvise(start, bytes, advice) == 0;

    errno = saved;
    return done;
}

/* Whether there is a filter of system calls: one that was written before there was a call, or
 * before allocators used it, may end the process. */
static bool is_filtered(void)
{
    int saved = errno;
    bool is_filtered = prctl(PR_GET_SECCOMP) != 0;

    errno = saved;
    return is_filtered;
}

/* Purges as many of the ranges as it can with one system call, and returns the number of bytes:
 * from Linux 6.15 on a process may advise itself so (process_madvise(2)). Where other threads run
 * the processors are told of it once instead of once for each range (EXPERIMENTS.md, "Purging many
 * ranges at once"). */
static size_t purge_together(const struct os_purge *purge)
{
    enum { PIDFD_OF_THREAD_GROUP = -10001 };
    static bool is_refused;
    int saved = errno;
    long purged = 0;

    /* Valgrind does not know the call, and says so. */
    if (purge->count < 2 || __atomic_load_n(&is_refused, __ATOMIC_RELAXED) || RUNNING_ON_VALGRIND)
        return 0;
    if (!is_filtered())
        purged = syscall(SYS_process_madvise, PIDFD_OF_THREAD_GROUP, purge->ranges, purge->count,
                         MADV_DONTNEED, 0);
    if (purged < 0)
        __atomic_store_n(&is_refused, true, __ATOMIC_RELAXED);
    errno = saved;
    return purged < 0 ? 0 : (size_t)purged;
}

void os_purge_finish(struct os_purge *purge)
{
    size_t done = purge_together(purge);

    for (size_t i = 0; i < purge->count; i++) {
        const struct iovec *range = &purge->ranges[i];
        if (done >= range->iov_len) {
            done -= range->iov_len;
        } else {
            (void)advise(range->iov_base, range->iov_len, MADV_DONTNEED);
            done = 0;
        }
    }
    purge->count = 0;
}

void os_purge_add(struct os_purge *purge, void *start, size_t bytes)
{
    purge->ranges[purge->count++] = (struct iovec){start, bytes};
    if (purge->count == OS_PURGE_MOST)
        os_purge_finish(purge);
}

bool os_purge(void *start, size_t bytes)
{
    /* A filter, or an emulator, which has none to tell of, may say yes and do nothing. */
    return !is_filtered() && advise(start, bytes, MADV_DONTNEED);
}

bool os_populate(void *start, size_t bytes)
{
    return advise(start, bytes, MADV_POPULATE_WRITE);
}

bool os_can_count_resident(void)
{
    return !is_filtered();
}

bool os_count_resident(const void *start, size_t bytes, size_t *resident)
{
    unsigned char pages[OS_COUNT_MOST];
    int saved = errno;
    bool is_told = !is_filtered() && mincore((void *)(uintptr_t)start, bytes, pages) == 0;

    errno = saved;
    *resident = 0;
    for (size_t page = 0; is_told && page < bytes / os_page_bytes(); page++)
        *resident += pages[page] & 1;
    return is_told;
}

void os_fill_huge(void *start, size_t bytes)
{
    uintptr_t end = (uintptr_t)start + bytes;
    uintptr_t page = ((uintptr_t)start + OS_HUGE_BYTES - 1) & ~(OS_HUGE_BYTES - 1);

    if (!advise(start, bytes, MADV_HUGEPAGE))
        return;
    for (; page + OS_HUGE_BYTES <= end; page += OS_HUGE_BYTES)
        *(volatile char *)page = 0;
    (void)advise(start, bytes, MADV_NOHUGEPAGE);
}

void os_allow_huge(void *start, size_t bytes)
{
    (void)advise(start, bytes, MADV_HUGEPAGE);
}

void *os_break_extend(size_t bytes, size_t align)
{
    int saved = errno;
    char *end = sbrk(0);
    char *start = NULL;

    /* What is left of a page holds what others wrote there before they moved the break down. */
    if (align < os_page_bytes())
        align = os_page_bytes();
    if (end != (char *)-1) {
        size_t padding = (size_t)(-(uintptr_t)end & (align - 1));
        char *old_end = sbrk((intptr_t)(padding + bytes));
        if (old_end != (char *)-1)
            start = old_end + padding;
    }
    errno = saved;
    return start;
}

size_t os_address_limit(void)
{
    int saved = errno;
    struct rlimit limit;
    bool is_known = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;

    errno = saved;
    return is_known ? (size_t)limit.rlim_cur : SIZE_MAX;
}

unsigned os_processors(void)
{
    enum { WORDS_MOST = CPU_SETSIZE / 64 };
    uint64_t set[WORDS_MOST] = {0};
    int saved = errno, count = 0;

    /* The C library's own functions for this lie in pages of it that a small program needs for
     * nothing else (EXPERIMENTS.md, "The C library's pages"). */
    if (syscall(SYS_sched_getaffinity, 0, sizeof set, set) > 0)
        for (int i = 0; i < WORDS_MOST; i++)
            count += __builtin_popcountll(set[i]);
    errno = saved;
    return (unsigned)count;
}

unsigned os_node(void)
{
    int saved = errno;
    unsigned node = 0;

    if (getcpu(NULL, &node) != 0)
        node = 0;
    errno = saved;
    return node;
}

void os_wait(uint32_t *word, uint32_t expected)
{
    int saved = errno;

    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
    errno = saved;
}

void os_wake(uint32_t *word)
{
    int saved = errno;

    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

uint64_t os_coarse_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void write_all(int descriptor, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(descriptor, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        length -= (size_t)written;
    }
}

void os_die(const char *line, size_t length)
{
    write_all(STDERR_FILENO, line, length);
    abort();
}
