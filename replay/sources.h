/* What a SOURCE on the command line means: a trace file, a shipped trace's name, a model of either,
 * or a workload. */
#ifndef REPLAY_SOURCES_H
#define REPLAY_SOURCES_H

#include <stdbool.h>

#include "traces/trace.h"

/* Opens the source: an existing file first, then a shipped trace, then a model or workload. On
 * success *source is the caller's. Returns 0 or -errno with *error saying what is wrong and what to
 * try. */
int source_open(struct trace_source **source, const char *text, bool *is_trace,
                struct trace_error *error);

/* The path of the trace that the text names, a file or a shipped trace, or the text itself where it
 * names neither; a string of the caller's, or NULL where memory ran out. */
char *source_trace_path(const char *text);

/* Whether the text is "model:...", and what opens it: "model:TRACE" or "model:TRACE,key=value,...",
 * with the name of a file or of a shipped trace, to which a model is fitted. Returns 0 or -errno
 * with *error set. */
bool source_is_model(const char *text);
int source_open_model(struct trace_source **source, const char *text, struct trace_error *error);

/* The names of the shipped traces, sorted, ending with NULL; to be freed with source_free_names.
 * NULL with errno where their folder can't be read. */
char **source_shipped_names(void);
void source_free_names(char **names);

/* The path of this program. By its path, not as /proc/self/exe: under Valgrind that link is
 * Valgrind when it is executed. Returns a string of the caller's, or NULL with errno. */
char *source_program_path(void);

/* Finds a folder of the project's data ("traces/data", "plots"): where it was installed, else in
 * the source tree that this program was built from. Returns a string of the caller's, or NULL
 * with errno. */
char *source_data_folder(const char *name);

/* Finds a library of the project ("liballocator-preload.so"): beside this program, else where
 * libraries were installed. Returns a string of the caller's, or NULL with errno. */
char *source_library(const char *name);

#endif
