/* Tests in a child of the test's process, which may spoil it or end it. */
#ifndef ALLOCATOR_TEST_CHILD_H
#define ALLOCATOR_TEST_CHILD_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/tests/test_common.h"

/* Runs `body` in a child and returns its wait status; `said` gets its standard error. */
static inline int in_child(void (*body)(void), char *said, size_t room)
{
    int ends[2];
    int status = -1;
    size_t length = 0;
    ssize_t got;

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    while (length + 1 < room && (got = read(ends[0], said + length, room - 1 - length)) > 0)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Runs `body` in a child, which is to end with one line of the allocator's that holds `words`. */
static inline void expect_abort(void (*body)(void), const char *words)
{
    char said[500];
    int status = in_child(body, said, sizeof said);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "liballocator: "));
    if (!strstr(said, words))
        fail_msg("expected \"%s\" in: %s", words, said);
    /* One line, no more. */
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

#endif
