/* Any shared library that exports malloc and free, and the packaged allocators among them. */
#include "replay/target.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A function pointer out of dlsym(3)'s object pointer, as POSIX asks of dlsym's users. */
#define LOOK_UP(handle, name, into) (*(void **)(void *)&(into) = dlsym((handle), (name)))

/* A library that calls its own malloc by that name must get its own, not the C library's.
 * Sanitizers refuse the flag; under them only such libraries are measured wrongly. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_SYMBOLS_FIRST 0
#else
#define OWN_SYMBOLS_FIRST RTLD_DEEPBIND
#endif

/* What the library says of itself, in the three ways that are known; nothing where it is silent. */
static void read_version(void *handle, char version[TARGET_TEXT_BYTES])
{
    int (*mallctl_function)(const char *, void *, size_t *, void *, size_t);
    int (*mimalloc_function)(void);
    const char *(*tcmalloc_function)(int *, int *, const char **);

    if (LOOK_UP(handle, "mallctl", mallctl_function)) {
        const char *text = NULL;
        size_t bytes = sizeof text;
        if (mallctl_function("version", &text, &bytes, NULL, 0) == 0 && text)
            snprintf(version, TARGET_TEXT_BYTES, "jemalloc %.*s", (int)strcspn(text, "-"), text);
    } else if (LOOK_UP(handle, "mi_version", mimalloc_function)) {
        int number = mimalloc_function();
        if (number >=
            10000) /* three-part numbers have two digits for each of the last parts since 3.0 */
            snprintf(version, TARGET_TEXT_BYTES, "mimalloc %d.%d.%d", number / 10000,
                     number / 100 % 100, number % 100);
        else
            snprintf(version, TARGET_TEXT_BYTES, "mimalloc %d.%d.%d", number / 100,
                     number / 10 % 10, number % 10);
    } else if (LOOK_UP(handle, "tc_version", tcmalloc_function)) {
        int major, minor;
        const char *patch;
        tcmalloc_function(&major, &minor, &patch);
        snprintf(version, TARGET_TEXT_BYTES, "gperftools %d.%d", major, minor);
    }
}

static bool is_preloaded(const char *library)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && !strcmp(preloaded, library);
}

enum target_load target_load_library(struct target *target, const struct target_request *request,
                                     char error[TARGET_TEXT_BYTES])
{
    const char *library = request->library;
    dlerror();
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | OWN_SYMBOLS_FIRST);
    if (!handle) {
        const char *reason = dlerror();
        if (reason && strstr(reason, "static TLS") && !is_preloaded(library))
            return TARGET_NEEDS_PRELOAD;
        snprintf(error, TARGET_TEXT_BYTES, "%s; install it or name another library",
                 reason ? reason : "it cannot be loaded");
        return TARGET_MISSING;
    }
    *target = (struct target){0};
    LOOK_UP(handle, "malloc", target->malloc);
    LOOK_UP(handle, "calloc", target->calloc);
    LOOK_UP(handle, "realloc", target->realloc);
    LOOK_UP(handle, "free", target->free);
    if (!LOOK_UP(handle, "memalign", target->memalign))
        LOOK_UP(handle, "aligned_alloc", target->memalign);
    LOOK_UP(handle, "malloc_usable_size", target->usable_size);

    /* dlsym also searches the libraries it depends on: a library without a malloc of its own finds
     * the C library's. */
    if (!target->malloc || !target->free || !target->calloc || !target->realloc ||
        target->malloc == malloc) {
        if (!(target->malloc == malloc && is_preloaded(library))) {
            snprintf(error, TARGET_TEXT_BYTES,
                     "%s has no malloc, calloc, realloc and free of its own", library);
            return TARGET_MISSING;
        }
    }
    read_version(handle, target->version);
    return TARGET_LOADED;
}

const struct target_adapter target_jemalloc = {
    .name = "jemalloc",
    .summary = "libjemalloc.so.2 (Debian: libjemalloc2)",
    .library = "libjemalloc.so.2",
    .load = target_load_library,
};

const struct target_adapter target_mimalloc = {
    .name = "mimalloc",
    .summary = "libmimalloc.so.2 (Debian: libmimalloc2.0)",
    .library = "libmimalloc.so.2",
    .load = target_load_library,
};

const struct target_adapter target_tcmalloc = {
    .name = "tcmalloc",
    .summary = "libtcmalloc_minimal.so.4 (Debian: libtcmalloc-minimal4)",
    .library = "libtcmalloc_minimal.so.4",
    .load = target_load_library,
};

const struct target_adapter target_shared_library = {
    .name = "FILE.so",
    .summary = "any shared library with malloc, calloc, realloc and free, by its path",
    .load = target_load_library,
};
