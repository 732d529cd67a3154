#include "replay/sources.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/model.h"
#include "workloads/workload.h"

#define TRACE_SUFFIX ".trace"
#define MODEL_PREFIX "model:"

char *source_program_path(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return NULL;
    path[length] = '\0';
    return strdup(path);
}

/* The folder that holds this program, without a final slash. */
static char *program_folder(void)
{
    char *path = source_program_path(), *slash = path ? strrchr(path, '/') : NULL;
    if (slash)
        *slash = '\0';
    return path;
}

char *source_data_folder(const char *name)
{
    char *folder = program_folder(), *candidate;
    const char *const patterns[] = {"%s/../share/heaplab/%s", HEAPLAB_SOURCE_FOLDER "/%.0s%s"};
    for (size_t i = 0; folder && i < sizeof patterns / sizeof patterns[0]; i++) {
        if (asprintf(&candidate, patterns[i], folder, name) < 0)
            break;
        if (access(candidate, R_OK | X_OK) == 0) {
            free(folder);
            return candidate;
        }
        free(candidate);
    }
    free(folder);
    errno = ENOENT;
    return NULL;
}

char *source_library(const char *name)
{
    static const char *const places[] = {".", HEAPLAB_BINDIR_TO_LIBDIR};
    char *folder = program_folder(), *path = NULL;
    for (size_t i = 0; folder && !path && i < sizeof places / sizeof places[0]; i++) {
        char *joined;
        if (asprintf(&joined, "%s/%s/%s", folder, places[i], name) < 0)
            break;
        path = realpath(joined, NULL);
        free(joined);
    }
    free(folder);
    return path;
}

/* ---- shipped traces ---- */

static int is_trace_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), suffix = strlen(TRACE_SUFFIX);
    return length > suffix && !strcmp(entry->d_name + length - suffix, TRACE_SUFFIX);
}

char **source_shipped_names(void)
{
    struct dirent **entries;
    char *folder = source_data_folder("traces/data");
    int count = folder ? scandir(folder, &entries, is_trace_file, alphasort) : -1;
    free(folder);
    if (count < 0)
        return NULL;
    char **names = calloc((size_t)count + 1, sizeof *names);
    for (int i = 0; i < count; i++) {
        if (names)
            names[i] =
                strndup(entries[i]->d_name, strlen(entries[i]->d_name) - strlen(TRACE_SUFFIX));
        free(entries[i]);
    }
    free(entries);
    return names;
}

void source_free_names(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

static char *shipped_path(const char *name)
{
    char *path = NULL, *folder = strchr(name, '/') ? NULL : source_data_folder("traces/data");
    if (folder && asprintf(&path, "%s/%s" TRACE_SUFFIX, folder, name) < 0)
        path = NULL;
    free(folder);
    if (path && access(path, F_OK) != 0) {
        free(path);
        path = NULL;
    }
    return path;
}

/* ---- opening ---- */

static int unknown_source(const char *text, struct trace_error *error)
{
    error->byte_offset = UINT64_MAX;
    snprintf(error->message, sizeof error->message,
             "no such file, shipped trace or workload%s; 'heaplab list' shows what there is",
             strchr(text, ':') ? " of that name before the ':'" : "");
    return -ENOENT;
}

/* A folder that happens to have the name of a shipped trace does not hide it. */
static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

/* NULL: no trace of that name. */
static char *find_trace(const char *text)
{
    return is_file(text) ? strdup(text) : shipped_path(text);
}

char *source_trace_path(const char *text)
{
    char *path = find_trace(text);
    return path ? path : strdup(text);
}

/* -ENOENT: no trace of that name. */
static int open_trace(struct trace_source **source, const char *text, struct trace_error *error)
{
    char *path = find_trace(text);
    int failure = path ? trace_open(source, path, error) : -ENOENT;
    free(path);
    return failure;
}

bool source_is_model(const char *text)
{
    return !strncmp(text, MODEL_PREFIX, strlen(MODEL_PREFIX));
}

int source_open_model(struct trace_source **source, const char *text, struct trace_error *error)
{
    const char *name = text + strlen(MODEL_PREFIX);
    char *trace_name = strndup(name, strcspn(name, ","));
    if (!trace_name)
        return -ENOMEM;
    struct trace_source *trace;
    struct model *model;
    error->message[0] = '\0';
    bool is_named = *trace_name != '\0';
    int failure = open_trace(&trace, trace_name, error);
    free(trace_name);
    if (failure == -ENOENT && !error->message[0]) {
        error->byte_offset = UINT64_MAX;
        snprintf(error->message, sizeof error->message,
                 "write " MODEL_PREFIX "TRACE with the name of a trace file or a shipped trace; "
                 "'heaplab list traces' shows those");
    }
    if (failure)
        return is_named ? failure : -EINVAL;
    failure = model_fit(&model, trace, error);
    trace_source_close(trace);
    return failure ? failure : model_open(source, model, text, error);
}

int source_open(struct trace_source **source, const char *text, bool *is_trace,
                struct trace_error *error)
{
    error->message[0] = '\0';
    *is_trace = true;
    int failure = open_trace(source, text, error);
    if (failure != -ENOENT || error->message[0])
        return failure;
    *is_trace = false;
    if (source_is_model(text))
        return source_open_model(source, text, error);
    failure = workload_open(source, text, error);
    return failure == -ENOENT ? unknown_source(text, error) : failure;
}
