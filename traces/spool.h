/* A recording: the folder of spools that the processes of one recorded program leave, and its way
 * to traces.
 *
 * The folder stands beside the output as OUTPUT.recording and holds PID.IMAGE.spool files, where
 * IMAGE counts the programs that the process became by exec, `about`, which says what was recorded,
 * and, where that was asked for, a link to the recorder.
 */
#ifndef TRACES_SPOOL_H
#define TRACES_SPOOL_H

#include <stdint.h>

#include "traces/trace.h"

#define SPOOL_FOLDER_SUFFIX ".recording"

struct spool_recording {
    char *folder;
    char *output;      /* where the trace of the root process goes */
    char *description; /* "key: value" lines that all traces share */
    uint32_t root_pid;
    int compression_level; /* of the traces, 0 for the writer's default */
    int is_this_boot;      /* whether the clocks still run that stamped the calls */
};

/* Makes the folder. Returns 0 or -errno with *error set (EEXIST where there is one from a recording
 * that never ended); clean up in either case. */
int spool_recording_begin(struct spool_recording *recording, const char *output,
                          const char *description, struct trace_error *error);

/* Notes in the folder what is being recorded, for spool_recording_load. Returns 0 or -errno with
 * *error set. */
int spool_recording_save(const struct spool_recording *recording, uint32_t root_pid,
                         struct trace_error *error);

/* Puts a link to the recorder into the folder, for a loader that could not preload it from where it
 * is. Returns the link's path, the caller's to free, or NULL with errno. */
char *spool_recording_link(const struct spool_recording *recording, const char *recorder);

/* Takes up a folder that an interrupted recording left. A NULL output is the one noted there.
 * Returns 0 or -errno with *error set; clean up in either case. */
int spool_recording_load(struct spool_recording *recording, const char *folder, const char *output,
                         struct trace_error *error);

/* Removes the folder and the spools in it. */
void spool_recording_remove(const struct spool_recording *recording);

void spool_recording_clean_up(struct spool_recording *recording);

/* How one process image came out. */
struct spool_report {
    const char *path; /* of the trace */
    uint32_t pid;
    uint32_t image;
    int status;       /* 0, or -errno with `error` set: no trace */
    int was_stopped;  /* the spool could not grow, so the end is missing */
    int was_bypassed; /* the program has its own malloc, which the recorder does not see */
    struct trace_summary summary; /* no events: no trace was written */
    struct trace_error error;
};

typedef void spool_report_function(void *context, const struct spool_report *report);

/* Writes the traces: the last image of the root process that recorded anything gets the output's
 * name, the last of every other process the name with its pid before the extension, earlier images
 * that with their number. Tells `report` of every image. Returns how many traces could not be
 * written, or -errno with *error set. */
int spool_recording_finish(const struct spool_recording *recording, spool_report_function *report,
                           void *context, struct trace_error *error);

#endif
