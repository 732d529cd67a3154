#include "traces/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/error.h"

struct output_file {
    int descriptor;
    uint64_t position;
    char *path;
    char *temporary_path; /* NULL: `path` itself is written to */
};

static int fail(struct trace_error *error, const char *what, uint64_t offset)
{
    int code = errno;
    const char *advice = code == ENOSPC || code == EDQUOT || code == EFBIG
                             ? "; make room or write elsewhere"
                         : code == EACCES || code == EPERM || code == EROFS || code == ENOENT
                             ? "; choose a folder that exists and can be written to"
                         : code == EISDIR ? "; name a file, not a folder"
                                          : "";
    return trace_fail(error, code, offset, "%s: %s%s", what, strerror(code), advice);
}

/* Opens a file that did not exist, with the permissions of any new file, which mkstemp would not
 * give. */
static int open_beside(struct output_file *file)
{
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        free(file->temporary_path);
        if (asprintf(&file->temporary_path, "%s.%ld-%u.partial", file->path, (long)getpid(),
                     attempt) < 0) {
            file->temporary_path = NULL;
            errno = ENOMEM;
            return -1;
        }
        int descriptor = open(file->temporary_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

static int open_output(struct output_file *file, const char *path)
{
    if (!strcmp(path, "-")) {
        file->path = strdup("standard output");
        return file->path ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    }
    struct stat status;
    bool exists = stat(path, &status) == 0;
    file->path = exists && S_ISREG(status.st_mode) ? realpath(path, NULL) : strdup(path);
    if (!file->path)
        return -1;
    if (exists && !S_ISREG(status.st_mode))
        return open(path, O_WRONLY | O_CLOEXEC);
    return open_beside(file);
}

int output_file_open(struct output_file **file, const char *path, struct trace_error *error)
{
    struct output_file *made = calloc(1, sizeof *made);
    if (!made)
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    made->descriptor = open_output(made, path);
    if (made->descriptor < 0) {
        int status = fail(error, "cannot be created", TRACE_NO_OFFSET);
        free(made->temporary_path);
        free(made->path);
        free(made);
        return status;
    }
    *file = made;
    return 0;
}

int output_file_write(struct output_file *file, const void *data, size_t length,
                      struct trace_error *error)
{
    const char *from = data;
    while (length) {
        ssize_t written = write(file->descriptor, from, length);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return fail(error, "cannot be written", file->position);
        }
        from += written;
        length -= (size_t)written;
        file->position += (uint64_t)written;
    }
    return 0;
}

uint64_t output_file_position(const struct output_file *file)
{
    return file->position;
}

static void release(struct output_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    free(file->temporary_path);
    free(file->path);
    free(file);
}

/* Makes the new name itself durable. Not every file system can; the file is whole either way. */
static void sync_folder(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return;
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    free(copy);
}

static int finish(struct output_file *file)
{
    if (file->temporary_path && fsync(file->descriptor))
        return -1;
    /* Network file systems report a full disk only here. */
    int descriptor = file->descriptor;
    file->descriptor = -1;
    if (close(descriptor))
        return -1;
    if (!file->temporary_path)
        return 0;
    if (rename(file->temporary_path, file->path))
        return -1;
    sync_folder(file->path);
    return 0;
}

int output_file_commit(struct output_file *file, struct trace_error *error)
{
    if (finish(file)) {
        int status = fail(error, "cannot be finished", file->position);
        output_file_abandon(file);
        return status;
    }
    release(file);
    return 0;
}

void output_file_abandon(struct output_file *file)
{
    if (!file)
        return;
    if (file->temporary_path)
        unlink(file->temporary_path);
    release(file);
}
