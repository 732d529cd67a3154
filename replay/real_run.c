#include "replay/real_run.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/clock.h"
#include "replay/sources.h"

#define OWN_LIBRARY "liballocator-preload.so"

/* ---- which library ---- */

/* The loader only warns of a library that it can't preload, and the program would run on glibc
 * unnoticed. In a process of its own, because a loaded allocator does not go away again. */
static bool can_be_loaded(const char *library)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        bool is_there = dlopen(library, RTLD_LAZY | RTLD_LOCAL) != NULL;
        const char *reason = is_there ? "" : dlerror();
        _exit(is_there || (reason && strstr(reason, "static TLS")) ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

bool real_run_library(const char *target_name, char **library, char error[TARGET_TEXT_BYTES])
{
    const struct target_adapter *adapter = target_find(target_name);
    *library = NULL;
    if (adapter == &target_system)
        return true;
    if (adapter == &target_mem_ts) {
        *library = source_library(OWN_LIBRARY);
        if (!*library)
            snprintf(error, TARGET_TEXT_BYTES,
                     OWN_LIBRARY " is not beside heaplab; build it with make");
        return *library != NULL;
    }
    const char *name = target_library(adapter, target_name);
    if (!name) {
        snprintf(error, TARGET_TEXT_BYTES, "it can't be preloaded%s",
                 adapter == &target_mem ? "; mem_ts stands for liballocator" : "");
        return false;
    }
    if (!can_be_loaded(name)) {
        snprintf(error, TARGET_TEXT_BYTES, "%s can't be loaded; install it or name another library",
                 name);
        return false;
    }
    *library = strchr(name, '/') ? realpath(name, NULL) : strdup(name);
    if (!*library)
        snprintf(error, TARGET_TEXT_BYTES, "%s: %s", name, strerror(errno));
    return *library != NULL;
}

/* ---- the run ---- */

static void become(char *const *command, const char *library, int failure)
{
    int nowhere = open("/dev/null", O_RDWR);
    if (nowhere >= 0) {
        dup2(nowhere, STDIN_FILENO);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
    if (library) {
        /* The allocator comes first: the first malloc found is the one that is used. */
        const char *others = getenv("LD_PRELOAD");
        char *all;
        if (asprintf(&all, "%s%s%s", library, others && *others ? ":" : "", others ? others : "") <
            0)
            _exit(126);
        setenv("LD_PRELOAD", all, 1);
    }
    execvp(command[0], command);
    int reason = errno;
    if (write(failure, &reason, sizeof reason) < 0)
        _exit(126);
    _exit(127);
}

int real_run(struct real_run *run, char *const *command, const char *library)
{
    int failure[2], reason = 0;
    struct rusage usage;
    if (pipe2(failure, O_CLOEXEC) != 0)
        return -errno;
    uint64_t start = clock_now_ns();
    pid_t child = fork();
    if (child == 0)
        become(command, library, failure[1]);
    close(failure[1]);
    if (child < 0) {
        close(failure[0]);
        return -errno;
    }
    /* Closed unread by a successful exec. */
    ssize_t got = read(failure[0], &reason, sizeof reason);
    close(failure[0]);
    while (wait4(child, &run->status, 0, &usage) < 0 && errno == EINTR)
        ;
    run->wall_ns = clock_now_ns() - start;
    run->processor_ns = clock_timeval_ns(usage.ru_utime) + clock_timeval_ns(usage.ru_stime);
    run->peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    return got == (ssize_t)sizeof reason ? -reason : 0;
}
