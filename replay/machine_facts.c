#include "replay/machine_facts.h"

#include <gnu/libc-version.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

/* Writes "key: the first line of the file that begins with prefix, behind it". */
static void write_line_of(FILE *stream, const char *key, const char *path, const char *prefix)
{
    char line[512];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, prefix, strlen(prefix)))
            continue;
        const char *value = line + strlen(prefix);
        value += strspn(value, " \t:");
        fprintf(stream, "%s: %.*s\n", key, (int)strcspn(value, "\n"), value);
        break;
    }
    if (file)
        fclose(file);
}

static void write_versions(FILE *stream, const struct campaign_plan *plan,
                           const struct campaign_results *results)
{
    for (unsigned i = 0; i < plan->allocator_count; i++)
        for (size_t j = 0; j < results->row_count; j++) {
            const struct run_row *row = &results->rows[j];
            if (strcmp(row->allocator, plan->allocators[i]) || !row->allocator_version[0])
                continue;
            fprintf(stream, "allocator %s: %s\n", row->allocator, row->allocator_version);
            break;
        }
}

void machine_facts_write(FILE *stream, const struct campaign_plan *plan,
                         const struct campaign_results *results)
{
    struct utsname system;
    char date[64];
    time_t now = time(NULL);
    struct tm utc;
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &utc));
    fprintf(stream, "date: %s\n", date);
    fprintf(stream, "heaplab: %s\n", HEAPLAB_VERSION);
    if (uname(&system) == 0)
        fprintf(stream, "kernel: %s %s %s\n", system.sysname, system.release, system.machine);
    write_line_of(stream, "distribution", "/etc/os-release", "PRETTY_NAME=");
    write_line_of(stream, "processor", "/proc/cpuinfo", "model name");
    fprintf(stream, "processors online: %d\n", get_nprocs());
    write_line_of(stream, "hypervisor flag", "/sys/hypervisor/type", "");
    write_line_of(stream, "memory", "/proc/meminfo", "MemTotal");
    write_line_of(stream, "transparent huge pages", "/sys/kernel/mm/transparent_hugepage/enabled",
                  "");
    write_line_of(stream, "overcommit", "/proc/sys/vm/overcommit_memory", "");
    write_line_of(stream, "frequency governor",
                  "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "");
    write_line_of(stream, "load when done", "/proc/loadavg", "");
    fprintf(stream, "C library: glibc %s\n", gnu_get_libc_version());
    fprintf(stream, "touch: %s\n", run_touch_names[plan->touch]);
    write_versions(stream, plan, results);
}
