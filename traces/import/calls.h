/* Calls as tools print them: "malloc(24) = 0x4a44040", "memalign(al 64, size 100)",
 * "_ZdlPvm(0x4d71c80, 4)". */
#ifndef TRACES_IMPORT_CALLS_H
#define TRACES_IMPORT_CALLS_H

#include "traces/import/importer.h"

enum call_shape {
    CALL_SIZE,           /* malloc, valloc, pvalloc, operator new */
    CALL_COUNT_SIZE,     /* calloc */
    CALL_OLD_SIZE,       /* realloc */
    CALL_OLD_COUNT_SIZE, /* reallocarray */
    CALL_ALIGNED,        /* memalign, aligned_alloc: alignment, size */
    CALL_SIZE_ALIGNED,   /* operator new with std::align_val_t */
    CALL_FREE,           /* free, operator delete */
};

struct known_call {
    const char *name;
    bool is_prefix; /* C++ names go on with the types of their arguments */
    enum call_shape shape;
    enum trace_kind kind;
};

#define CALL_ARGUMENTS_MAX 3

struct foreign_call {
    const struct known_call *known;
    uint64_t arguments[CALL_ARGUMENTS_MAX];
};

/* Finds the last known call in a line whose arguments can be read; *rest is what follows them.
 * Names before arguments
 * ("al", "size") are passed over, surplus arguments ignored. */
bool foreign_call_find(const char *line, struct foreign_call *call, const char **rest);

/* Reads "name(ARGUMENTS" at *at and moves it past the arguments. */
bool foreign_call_parse(const char **at, struct foreign_call *call);

/* Does what the call did. `result` is the address returned; free has none. */
int foreign_call_apply(struct importer *importer, const struct foreign_call *call, uint64_t result);

#endif
