#include "workloads/specification.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct trace_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(struct trace_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

size_t specification_parameter_count(const struct workload *workload)
{
    size_t count = 0;
    while (workload->parameters[count].name)
        count++;
    return count;
}

/* "lifo, fifo or random" */
static void join(char *text, size_t capacity, const char *item, size_t index, size_t count)
{
    size_t used = strlen(text);
    const char *between = index == 0 ? "" : index + 1 == count ? " or " : ", ";
    snprintf(text + used, capacity - used, "%s%s", between, item);
}

static int refuse_key(const struct workload *workload, const char *key, struct trace_error *error)
{
    char names[TRACE_MESSAGE_BYTES / 2] = "";
    size_t count = specification_parameter_count(workload);
    for (size_t i = 0; i < count; i++)
        join(names, sizeof names, workload->parameters[i].name, i, count);
    return refuse(error, "%s has no parameter '%.40s'; give %s", workload->name, key, names);
}

static int refuse_choice(const struct workload_parameter *parameter, const char *text,
                         struct trace_error *error)
{
    char names[TRACE_MESSAGE_BYTES / 2] = "";
    size_t count = 0;
    while (parameter->choices[count])
        count++;
    for (size_t i = 0; i < count; i++)
        join(names, sizeof names, parameter->choices[i], i, count);
    return refuse(error, "%s=%.40s is not known; give %s", parameter->name, text, names);
}

static int parse_choice(const struct workload_parameter *parameter, const char *text,
                        uint64_t *value, struct trace_error *error)
{
    for (size_t i = 0; parameter->choices[i]; i++) {
        if (!strcmp(parameter->choices[i], text)) {
            *value = i;
            return 0;
        }
    }
    return refuse_choice(parameter, text, error);
}

/* Returns 0 or -1 for anything but digits and one of k, M, G, or for a value above 2^64 - 1. */
static int read_number(const char *text, uint64_t *value)
{
    if (*text < '0' || *text > '9')
        return -1;
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno)
        return -1;
    static const char suffixes[] = "kMG";
    unsigned shift = 0;
    if (*end) {
        const char *suffix = strchr(suffixes, *end == 'K' ? 'k' : *end);
        if (!suffix || end[1])
            return -1;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
    }
    if (shift && number >> (64 - shift))
        return -1;
    *value = number << shift;
    return 0;
}

static int parse_number(const struct workload_parameter *parameter, const char *text,
                        uint64_t *value, struct trace_error *error)
{
    if (read_number(text, value))
        return refuse(error, "%s=%.40s is not a number; write digits, with k, M or G after them",
                      parameter->name, text);
    if (*value < parameter->minimum || *value > parameter->maximum)
        return refuse(error, "%s=%.40s is out of range; give %" PRIu64 " to %" PRIu64,
                      parameter->name, text, parameter->minimum, parameter->maximum);
    return 0;
}

static int parse_item(const struct workload *workload, char *item, uint64_t *values,
                      uint64_t *given, struct trace_error *error)
{
    char *text = strchr(item, '=');
    if (!text)
        return refuse(error, "'%.40s' has no value; write key=value", item);
    *text++ = '\0';
    for (size_t i = 0; workload->parameters[i].name; i++) {
        const struct workload_parameter *parameter = &workload->parameters[i];
        if (strcmp(parameter->name, item))
            continue;
        if (*given >> i & 1)
            return refuse(error, "%s is given twice; leave one out", parameter->name);
        *given |= UINT64_C(1) << i;
        return parameter->choices ? parse_choice(parameter, text, &values[i], error)
                                  : parse_number(parameter, text, &values[i], error);
    }
    return refuse_key(workload, item, error);
}

int specification_parse(const struct workload *workload, const char *specification,
                        uint64_t *values, struct trace_error *error)
{
    for (size_t i = 0; workload->parameters[i].name; i++)
        values[i] = workload->parameters[i].default_value;
    const char *colon = strchr(specification, ':');
    if (!colon)
        return 0;
    char *list = strdup(colon + 1);
    if (!list)
        return refuse(error, "no memory for the parameters");
    int status = 0;
    uint64_t given = 0;
    char *rest = list, *item;
    while (!status && (item = strsep(&rest, ",")))
        status = parse_item(workload, item, values, &given, error);
    free(list);
    return status;
}
