/* One format to import: one file in this folder, one line in the table of import.c. */
#ifndef TRACES_IMPORT_FORMAT_H
#define TRACES_IMPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "traces/import/importer.h"

struct import_format {
    const char *name;
    const char *summary;
    /* Whether the content begins so. One of the next two. */
    bool (*recognises_content)(const char *head, size_t length);
    /* Whether a line can only be of this format; the first such line of a file decides. */
    bool (*recognises_line)(const char *line);
    /* Reads importer->input to its end. Returns 0 or -errno with importer->error set. */
    int (*run)(struct importer *importer);
};

extern const struct import_format import_heaplab, import_text, import_android, import_malloclab,
    import_mtrace, import_glibc, import_valgrind, import_ltrace, import_jemalloc;

/* Calls `line` for each line of the input, until one fails. */
int import_each_line(struct importer *importer,
                     int (*line)(struct importer *importer, const char *text));

#endif
