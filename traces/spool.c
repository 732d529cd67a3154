#include "traces/spool.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/error.h"
#include "traces/spool_trace.h"
#include "traces/ticks.h"

#define ABOUT_NAME   "about"
#define LINK_NAME    "libheaplab-recorder.so"
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

struct image {
    uint32_t pid;
    uint32_t number;
};

struct images {
    struct image *items;
    size_t count;
};

/* ---- the folder ---- */

static char *absolute_path(const char *path)
{
    char *result = NULL;
    if (path[0] == '/')
        return strdup(path);
    char *here = getcwd(NULL, 0);
    if (here && asprintf(&result, "%s/%s", here, path) < 0)
        result = NULL;
    free(here);
    return result;
}

/* Absolute, since the program and its children may be anywhere when they start to record. */
static char *folder_path(const char *output)
{
    char *relative, *folder;
    if (asprintf(&relative, "%s" SPOOL_FOLDER_SUFFIX, output) < 0)
        return NULL;
    folder = absolute_path(relative);
    free(relative);
    return folder;
}

static int is_directory(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

int spool_recording_begin(struct spool_recording *recording, const char *output,
                          const char *description, struct trace_error *error)
{
    *recording = (struct spool_recording){.is_this_boot = 1};
    recording->output = strdup(output);
    recording->description = strdup(description);
    if (!recording->output || !recording->description || !(recording->folder = folder_path(output)))
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    if (is_directory(output))
        return trace_fail(error, EISDIR, TRACE_NO_OFFSET,
                          "this is a folder; name a file with -o FILE");
    if (mkdir(recording->folder, 0777) == 0) {
        /* A server that root starts may become somebody else before it forks. */
        if (geteuid() == 0 && chmod(recording->folder, 01777))
            return trace_fail(error, errno, TRACE_NO_OFFSET, "can't be written: %s",
                              strerror(errno));
        return 0;
    }
    int code = errno;
    free(recording->folder);
    recording->folder = NULL; /* not ours to remove */
    if (code == EEXIST)
        return trace_fail(error, code, TRACE_NO_OFFSET,
                          "a recording is under way or was cut off, since %s" SPOOL_FOLDER_SUFFIX
                          " exists; try heaplab record --recover, or remove it",
                          output);
    return trace_fail(error, code, TRACE_NO_OFFSET,
                      "can't be written: %s; choose another place with -o FILE", strerror(code));
}

static void read_boot_id(char *id, size_t bytes)
{
    id[0] = '\0';
    FILE *file = fopen(BOOT_ID_PATH, "re");
    if (!file)
        return;
    if (fgets(id, (int)bytes, file))
        id[strcspn(id, "\n")] = '\0';
    fclose(file);
}

static char *path_in(const struct spool_recording *recording, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", recording->folder, name) < 0 ? NULL : path;
}

char *spool_recording_link(const struct spool_recording *recording, const char *recorder)
{
    char *path = path_in(recording, LINK_NAME);
    if (!path || !symlink(recorder, path))
        return path;
    int code = errno;
    free(path);
    errno = code;
    return NULL;
}

static FILE *open_about(const struct spool_recording *recording, const char *mode)
{
    char *path = path_in(recording, ABOUT_NAME);
    if (!path)
        return NULL;
    FILE *file = fopen(path, mode);
    int code = errno;
    free(path);
    errno = code;
    return file;
}

int spool_recording_save(const struct spool_recording *recording, uint32_t root_pid,
                         struct trace_error *error)
{
    char boot_id[64];
    read_boot_id(boot_id, sizeof boot_id);
    char *output = absolute_path(recording->output);
    FILE *file = output ? open_about(recording, "we") : NULL;
    if (!file) {
        free(output);
        return trace_fail(error, errno, TRACE_NO_OFFSET, "can't be written: %s", strerror(errno));
    }
    fprintf(file, "root %" PRIu32 "\nboot %s\noutput %s\n\n%s", root_pid, boot_id, output,
            recording->description);
    free(output);
    if (fclose(file))
        return trace_fail(error, errno, TRACE_NO_OFFSET, "can't be written: %s", strerror(errno));
    return 0;
}

/* Reads the lines up to the empty one, then the description. Returns whether all was there. */
static int parse_about(struct spool_recording *recording, FILE *file)
{
    char here[64];
    read_boot_id(here, sizeof here);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, file)) > 1) {
        line[length - 1] = '\0';
        if (!strncmp(line, "root ", 5))
            recording->root_pid = (uint32_t)strtoul(line + 5, NULL, 10);
        else if (!strncmp(line, "boot ", 5))
            recording->is_this_boot = here[0] && !strcmp(line + 5, here);
        else if (!strncmp(line, "output ", 7) && !recording->output)
            recording->output = strdup(line + 7);
    }
    free(line);
    char *rest = NULL;
    size_t rest_capacity = 0;
    if (getdelim(&rest, &rest_capacity, '\0', file) < 0) {
        free(rest);
        rest = strdup("");
    }
    recording->description = rest;
    return recording->output && recording->description && recording->root_pid;
}

int spool_recording_load(struct spool_recording *recording, const char *folder, const char *output,
                         struct trace_error *error)
{
    *recording = (struct spool_recording){0};
    recording->folder = absolute_path(folder);
    if (output)
        recording->output = strdup(output);
    if (!recording->folder || (output && !recording->output))
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    FILE *file = open_about(recording, "re");
    int is_complete = file && parse_about(recording, file);
    if (file)
        fclose(file);
    if (!is_complete)
        return trace_fail(
            error, EPROTO, TRACE_NO_OFFSET,
            "this is not the folder of an interrupted recording; give the FILE" SPOOL_FOLDER_SUFFIX
            " that heaplab record left");
    return 0;
}

static int compare_images(const void *left, const void *right)
{
    const struct image *a = left, *b = right;
    if (a->pid != b->pid)
        return a->pid < b->pid ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Lists the images in the folder by pid and number; the caller frees the items, also on failure. */
static int list_images(const struct spool_recording *recording, struct images *images)
{
    *images = (struct images){0};
    DIR *folder = opendir(recording->folder);
    if (!folder)
        return -errno;
    int status = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        struct image image;
        int end = 0;
        if (sscanf(entry->d_name, "%" SCNu32 ".%" SCNu32 SPOOL_SUFFIX "%n", &image.pid,
                   &image.number, &end) < 2 ||
            !end || entry->d_name[end])
            continue;
        struct image *items = reallocarray(images->items, images->count + 1, sizeof *items);
        if (!items) {
            status = -ENOMEM;
            break;
        }
        images->items = items;
        items[images->count++] = image;
    }
    closedir(folder);
    if (images->count)
        qsort(images->items, images->count, sizeof *images->items, compare_images);
    return status;
}

static char *image_path(const struct spool_recording *recording, const struct image *image)
{
    char *path;
    if (asprintf(&path, "%s/%" PRIu32 ".%" PRIu32 SPOOL_SUFFIX, recording->folder, image->pid,
                 image->number) < 0)
        return NULL;
    return path;
}

void spool_recording_remove(const struct spool_recording *recording)
{
    struct images images;
    if (!recording->folder)
        return;
    list_images(recording, &images);
    for (size_t i = 0; i < images.count; i++) {
        char *path = image_path(recording, &images.items[i]);
        if (path)
            unlink(path);
        free(path);
    }
    free(images.items);
    static const char *const others[] = {ABOUT_NAME, LINK_NAME};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char *path = path_in(recording, others[i]);
        if (path)
            unlink(path);
        free(path);
    }
    rmdir(recording->folder);
}

void spool_recording_clean_up(struct spool_recording *recording)
{
    free(recording->folder);
    free(recording->output);
    free(recording->description);
    *recording = (struct spool_recording){0};
}

/* ---- its traces ---- */

/* "t.trace" becomes "t.1234.trace" and, with a number, "t.1234-1.trace". */
static char *trace_path(const char *output, const struct image *image, int has_number)
{
    const char *slash = strrchr(output, '/');
    const char *name = slash ? slash + 1 : output;
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name)
        dot = output + strlen(output);
    char number[16] = "";
    if (has_number)
        snprintf(number, sizeof number, "-%" PRIu32, image->number);
    char *path;
    if (asprintf(&path, "%.*s.%" PRIu32 "%s%s", (int)(dot - output), output, image->pid, number,
                 dot) < 0)
        return NULL;
    return path;
}

static struct spool_clock_rate find_rate(const struct spool_recording *recording,
                                         const struct spool_reader *reader)
{
    const struct spool_header *header = spool_reader_header(reader);
    if (header->clock == SPOOL_CLOCK_MONOTONIC)
        return spool_clock_rate(0, 0, 0, 0);
    uint64_t ticks, ns;
    spool_reader_last_pair(reader, &ticks, &ns);
    if (recording->is_this_boot) {
        ns = ticks_monotonic_ns();
        ticks = ticks_tsc();
    }
    return spool_clock_rate(header->start_ticks, header->start_ns, ticks, ns);
}

static char *describe(const struct spool_recording *recording, const struct spool_header *header,
                      struct spool_clock_rate rate, const struct image *image)
{
    char *text;
    char clock[64] = "CLOCK_MONOTONIC";
    if (header->clock == SPOOL_CLOCK_TSC)
        snprintf(clock, sizeof clock, "time-stamp counter at %.3f GHz",
                 4294967296.0 / (double)rate.multiplier);
    char process[64] = "the one started";
    if (image->pid != recording->root_pid)
        snprintf(process, sizeof process, "a descendant, its program number %" PRIu32,
                 image->number);
    if (asprintf(&text, "%sprogram: %s\nprocess: %s\nallocator: %s\nclock: %s\n",
                 recording->description, header->program, process, header->allocator, clock) < 0)
        return NULL;
    return text;
}

static int finish_image(const struct spool_recording *recording, const struct image *image,
                        struct spool_report *report)
{
    char *spool = image_path(recording, image);
    struct spool_reader *reader = NULL;
    int status = spool ? spool_reader_open(&reader, spool) : -ENOMEM;
    free(spool);
    if (status) {
        /* Killed before its first call was written: as if it had not been there. */
        return status == -ENODATA ? 0
                                  : trace_fail(&report->error, -status, TRACE_NO_OFFSET,
                                               "the spool of process %" PRIu32 " can't be read: %s",
                                               image->pid, strerrordesc_np(-status));
    }
    spool_reader_stop_recorder(reader);
    const struct spool_header *header = spool_reader_header(reader);
    report->was_stopped = header->stop_ticks != 0;
    report->was_bypassed = header->bypassed != 0;
    struct spool_clock_rate rate = find_rate(recording, reader);
    char *description = describe(recording, header, rate, image);
    struct trace_writer_options options = {
        .description = description,
        .compression_level = recording->compression_level,
    };
    status = description ? spool_write_trace(reader, rate, report->path, &options, &report->summary,
                                             &report->error)
                         : trace_fail(&report->error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    free(description);
    spool_reader_close(reader);
    return status;
}

/* The images of one process, last first: the last one that recorded anything gets the plain name.
 * Returns how many traces could not be written, or -ENOMEM. */
static int finish_process(const struct spool_recording *recording, const struct image *images,
                          size_t count, spool_report_function *report, void *context)
{
    int failed_count = 0, has_plain = 0;
    for (size_t i = count; i-- > 0;) {
        struct spool_report outcome = {.pid = images[i].pid, .image = images[i].number};
        int is_root = images[i].pid == recording->root_pid;
        char *path = is_root && !has_plain ? strdup(recording->output)
                                           : trace_path(recording->output, &images[i], has_plain);
        if (!path)
            return -ENOMEM;
        outcome.path = path;
        outcome.status = finish_image(recording, &images[i], &outcome);
        has_plain |= outcome.status || outcome.summary.event_count;
        failed_count += outcome.status != 0;
        report(context, &outcome);
        free(path);
    }
    return failed_count;
}

int spool_recording_finish(const struct spool_recording *recording, spool_report_function *report,
                           void *context, struct trace_error *error)
{
    struct images images;
    int status = list_images(recording, &images);
    int failed_count = 0;
    for (size_t first = 0, end; !status && first < images.count; first = end) {
        for (end = first + 1;
             end < images.count && images.items[end].pid == images.items[first].pid; end++)
            continue;
        int failed = finish_process(recording, &images.items[first], end - first, report, context);
        if (failed < 0)
            status = failed;
        failed_count += failed;
    }
    free(images.items);
    if (status)
        return trace_fail(error, -status, TRACE_NO_OFFSET, "its spools can't be read: %s",
                          strerrordesc_np(-status));
    return failed_count;
}
