/* Tests that need a process to themselves, and what a process knows of itself from outside the
 * allocator. */
#ifndef ALLOCATOR_TEST_PROCESS_H
#define ALLOCATOR_TEST_PROCESS_H

#include <inttypes.h>
#include <unistd.h>

#include "allocator/tests/test_common.h"

/* A sanitizer's run time keeps books of all memory in more memory: resident bytes tell nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = true };
#else
enum { IS_SANITIZED = false };
#endif

/* ThreadSanitizer ends a forked child that starts threads, takes a thread for ended before its last
 * destructors ran, and dies of mappings that lie where it expects none. */
#if defined(__SANITIZE_THREAD__)
enum { IS_THREAD_SANITIZED = true };
#else
enum { IS_THREAD_SANITIZED = false };
#endif

struct process_memory {
    size_t mapped_bytes, resident_bytes;
};

/* Aborts where /proc cannot be read.  The first call may itself allocate from the C library. */
static inline struct process_memory process_memory(void)
{
    struct process_memory memory = {0};
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%zu %zu", &memory.mapped_bytes, &memory.resident_bytes) != 2)
        abort();
    fclose(file);
    memory.mapped_bytes *= page_bytes;
    memory.resident_bytes *= page_bytes;
    return memory;
}

/* How many mappings of the kernel [start, start + bytes) lies in. Aborts as above. */
static inline size_t process_mappings(const void *start, size_t bytes)
{
    uintptr_t from = (uintptr_t)start, first, end;
    size_t count = 0;
    FILE *file = fopen("/proc/self/maps", "r");

    if (!file)
        abort();
    while (fscanf(file, "%" SCNxPTR "-%" SCNxPTR "%*[^\n]", &first, &end) == 2)
        count += first < from + bytes && end > from;
    fclose(file);
    return count;
}

/* Whether the kernel hands out far more addresses than it has memory (proc(5)). */
static inline bool process_may_overcommit(void)
{
    int mode = 2;
    FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");

    if (file) {
        if (fscanf(file, "%d", &mode) != 1)
            mode = 2;
        fclose(file);
    }
    return mode != 2;
}

/* Runs all tests, or the one that the program's only argument names; returns main's status. */
static inline int process_run_tests(const struct CMUnitTest *tests, size_t count, int argc,
                                    char **argv)
{
    int status = argc > 1 ? EXIT_FAILURE : EXIT_SUCCESS;

    for (size_t i = 0; i < count; i++) {
        const struct CMUnitTest one[] = {tests[i]};
        if (argc == 1)
            status |= cmocka_run_group_tests(one, NULL, NULL);
        else if (strcmp(argv[1], tests[i].name) == 0)
            return cmocka_run_group_tests(one, NULL, NULL);
    }
    return status;
}

#endif
