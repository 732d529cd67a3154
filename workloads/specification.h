/* Reads the "key=value,key=value" of a specification. */
#ifndef WORKLOADS_SPECIFICATION_H
#define WORKLOADS_SPECIFICATION_H

#include "workloads/workload.h"

#define WORKLOAD_PARAMETERS_MAX 16

/* Fills `values`, of WORKLOAD_PARAMETERS_MAX entries, with what `specification` ("NAME" or
 * "NAME:...") says and the defaults for the rest. Returns 0 or -EINVAL with *error set. */
int specification_parse(const struct workload *workload, const char *specification,
                        uint64_t *values, struct trace_error *error);

size_t specification_parameter_count(const struct workload *workload);

#endif
