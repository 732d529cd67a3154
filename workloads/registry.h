/* The generators, for the table in registry.c alone. */
#ifndef WORKLOADS_REGISTRY_H
#define WORKLOADS_REGISTRY_H

#include "workloads/workload.h"

extern const struct workload workload_checkerboard;
extern const struct workload workload_sawtooth;
extern const struct workload workload_size_shift;
extern const struct workload workload_random;
extern const struct workload workload_robson;
extern const struct workload workload_aged;
extern const struct workload workload_server;
extern const struct workload workload_fixed;
extern const struct workload workload_calloc;
extern const struct workload workload_realloc_grow;
extern const struct workload workload_realloc_append;
extern const struct workload workload_large_churn;
extern const struct workload workload_larson;
extern const struct workload workload_producer_consumer;
extern const struct workload workload_churn;
extern const struct workload workload_false_sharing_active;
extern const struct workload workload_false_sharing_passive;

#endif
