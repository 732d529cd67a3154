#include "traces/import/calls.h"

#include "traces/import/scan.h"

/* posix_memalign is not here: the tools print where its result is stored, not the result. */
static const struct known_call known_calls[] = {
    {"malloc", false, CALL_SIZE, TRACE_MALLOC},
    {"calloc", false, CALL_COUNT_SIZE, TRACE_CALLOC},
    {"realloc", false, CALL_OLD_SIZE, TRACE_REALLOC},
    {"reallocarray", false, CALL_OLD_COUNT_SIZE, TRACE_REALLOCARRAY},
    {"free", false, CALL_FREE, TRACE_FREE},
    {"cfree", false, CALL_FREE, TRACE_FREE},
    {"memalign", false, CALL_ALIGNED, TRACE_MEMALIGN},
    {"aligned_alloc", false, CALL_ALIGNED, TRACE_ALIGNED_ALLOC},
    {"valloc", false, CALL_SIZE, TRACE_VALLOC},
    {"pvalloc", false, CALL_SIZE, TRACE_PVALLOC},
    {"_ZnwmSt11align_val_t", true, CALL_SIZE_ALIGNED, TRACE_ALIGNED_ALLOC},
    {"_ZnamSt11align_val_t", true, CALL_SIZE_ALIGNED, TRACE_ALIGNED_ALLOC},
    {"_Znw", true, CALL_SIZE, TRACE_MALLOC},
    {"_Zna", true, CALL_SIZE, TRACE_MALLOC},
    {"_Zdl", true, CALL_FREE, TRACE_FREE},
    {"_Zda", true, CALL_FREE, TRACE_FREE},
};

static const struct known_call *find_known(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof known_calls / sizeof known_calls[0]; i++) {
        size_t known_length = strlen(known_calls[i].name);
        if (length < known_length || (length > known_length && !known_calls[i].is_prefix))
            continue;
        if (!strncmp(known_calls[i].name, name, known_length))
            return &known_calls[i];
    }
    return NULL;
}

static unsigned argument_count(enum call_shape shape)
{
    switch (shape) {
    case CALL_SIZE:
    case CALL_FREE:
        return 1;
    case CALL_OLD_COUNT_SIZE:
        return 3;
    default:
        return 2;
    }
}

static bool parse_argument(const char **at, uint64_t *argument)
{
    scan_blanks(at);
    while (islower((unsigned char)**at)) /* "al", "size" */
        ++*at;
    return scan_number(at, argument);
}

bool foreign_call_parse(const char **at, struct foreign_call *call)
{
    const char *from = *at, *name;
    size_t length;
    if (!scan_word(&from, &name, &length) || !scan_text(&from, "("))
        return false;
    call->known = find_known(name, length);
    if (!call->known)
        return false;
    unsigned count = argument_count(call->known->shape);
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            scan_blanks(&from);
            if (!scan_text(&from, ","))
                return false;
        }
        if (!parse_argument(&from, &call->arguments[i]))
            return false;
    }
    *at = from;
    return true;
}

bool foreign_call_find(const char *line, struct foreign_call *call, const char **rest)
{
    bool found = false;
    bool inside_word = false;
    for (const char *at = line; *at; at++) {
        bool is_word = isalnum((unsigned char)*at) || *at == '_';
        struct foreign_call candidate;
        const char *after = at;
        if (is_word && !inside_word && foreign_call_parse(&after, &candidate)) {
            *call = candidate;
            *rest = after;
            found = true;
        }
        inside_word = is_word;
    }
    return found;
}

int foreign_call_apply(struct importer *importer, const struct foreign_call *call, uint64_t result)
{
    const uint64_t *arguments = call->arguments;
    struct foreign_request request = {.kind = call->known->kind, .count = 1};
    switch (call->known->shape) {
    case CALL_SIZE:
        request.size = arguments[0];
        return importer_allocate(importer, &request, result);
    case CALL_COUNT_SIZE:
        request.count = arguments[0];
        request.size = arguments[1];
        return importer_allocate(importer, &request, result);
    case CALL_OLD_SIZE:
        request.size = arguments[1];
        return importer_resize(importer, &request, arguments[0], result);
    case CALL_OLD_COUNT_SIZE:
        request.count = arguments[1];
        request.size = arguments[2];
        return importer_resize(importer, &request, arguments[0], result);
    case CALL_ALIGNED:
        request.alignment = arguments[0];
        request.size = arguments[1];
        return importer_allocate(importer, &request, result);
    case CALL_SIZE_ALIGNED:
        request.size = arguments[0];
        request.alignment = arguments[1];
        return importer_allocate(importer, &request, result);
    default:
        return importer_free(importer, arguments[0]);
    }
}
