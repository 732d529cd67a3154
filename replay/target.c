#include "replay/target.h"

#include <string.h>

/* To add an allocator: write adapters/NAME.c with a `const struct target_adapter target_NAME`,
 * declare it in target.h, add the file to CMakeLists.txt, a line here and a colour in
 * plots/palette.gp. A plain shared library with malloc and free needs no adapter: name its path. */
const struct target_adapter *const target_registry[] = {
    &target_null, &target_system, &target_jemalloc, &target_mimalloc, &target_tcmalloc,
    &target_mem,  &target_mem_ts, &target_slow,     &target_fat,      &target_leaky,
    NULL,
};

static bool names_a_library(const char *name)
{
    const char *suffix = strstr(name, ".so");
    return strchr(name, '/') || (suffix && (suffix[3] == '\0' || suffix[3] == '.'));
}

/* The name without its "#2". */
static size_t plain_length(const char *name)
{
    return strcspn(name, "#");
}

/* "#" and a number, or nothing. */
static bool has_good_mark(const char *name)
{
    const char *mark = name + plain_length(name);
    return !*mark || (mark[1] && strspn(mark + 1, "0123456789") == strlen(mark + 1));
}

const struct target_adapter *target_find(const char *name)
{
    if (!has_good_mark(name))
        return NULL;
    for (size_t i = 0; target_registry[i]; i++)
        if (strlen(target_registry[i]->name) == plain_length(name) &&
            !strncmp(target_registry[i]->name, name, plain_length(name)))
            return target_registry[i];
    return names_a_library(name) ? &target_shared_library : NULL;
}

bool target_is_null(const char *name)
{
    return !strcmp(name, target_null.name);
}

const char *target_library(const struct target_adapter *adapter, const char *name)
{
    return adapter == &target_shared_library ? name : adapter->library;
}
