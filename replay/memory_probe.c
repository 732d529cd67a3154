#include "replay/memory_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct status {
    uint64_t peak_bytes, resident_bytes, anonymous_bytes, file_bytes, shared_bytes;
};

/* The value of a line such as "VmHWM:     1234 kB", in bytes. */
static uint64_t field(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

static int read_status(const struct memory_probe *probe, struct status *status)
{
    char text[4096];
    ssize_t got = pread(probe->descriptor, text, sizeof text - 1, 0);
    if (got <= 0)
        return got < 0 ? -errno : -EIO;
    text[got] = '\0';
    status->peak_bytes = field(text, "VmHWM:");
    status->resident_bytes = field(text, "VmRSS:");
    status->anonymous_bytes = field(text, "RssAnon:");
    status->file_bytes = field(text, "RssFile:");
    status->shared_bytes = field(text, "RssShmem:");
    return 0;
}

int memory_probe_open(struct memory_probe *probe)
{
    *probe = (struct memory_probe){.descriptor = open("/proc/self/status", O_RDONLY | O_CLOEXEC)};
    return probe->descriptor < 0 ? -errno : 0;
}

static bool reset_peak(void)
{
    int descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool is_reset = write(descriptor, "5", 1) == 1;
    close(descriptor);
    return is_reset;
}

int memory_probe_set_baseline(struct memory_probe *probe)
{
    struct status status;
    probe->has_peak = reset_peak();
    int error = read_status(probe, &status);
    if (error)
        return error;
    probe->base_private_bytes = status.anonymous_bytes + status.shared_bytes;
    probe->base_resident_bytes = status.resident_bytes;
    probe->base_file_bytes = status.file_bytes;
    return 0;
}

static uint64_t excess(uint64_t bytes, uint64_t base)
{
    return bytes > base ? bytes - base : 0;
}

int memory_probe_read(const struct memory_probe *probe, uint64_t *bytes)
{
    struct status status;
    int error = read_status(probe, &status);
    if (!error)
        *bytes = excess(status.anonymous_bytes + status.shared_bytes, probe->base_private_bytes);
    return error;
}

int memory_probe_peak(const struct memory_probe *probe, uint64_t *bytes)
{
    struct status status;
    if (!probe->has_peak)
        return -ENOTSUP;
    int error = read_status(probe, &status);
    /* The mark counts program text as well; what of it came in since the baseline is not the
     * allocator's. */
    if (!error)
        *bytes = excess(excess(status.peak_bytes, probe->base_resident_bytes),
                        excess(status.file_bytes, probe->base_file_bytes));
    return error;
}

void memory_probe_close(struct memory_probe *probe)
{
    if (probe->descriptor >= 0)
        close(probe->descriptor);
    probe->descriptor = -1;
}
