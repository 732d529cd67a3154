/* A model of a recorded program: how large its objects are, how long they live, which threads make
 * and release them, and how all that changes along the run. From it come streams of any length and
 * scale that resemble the record, without being it.
 *
 * What is kept is the joint distribution, counted in cells, of the phase (eighths of the record),
 * kind of call, alignment, size (exact below 4 KiB, else to 1/2048), lifetime (exact below 16, else
 * to an eighth of a doubling), and the threads at birth and at release. Lifetimes are counted in
 * allocations, resizes included. A resize ends one life of its object and starts another, whose
 * cell is drawn among those of objects that had about its old size, to a doubling.
 *
 * What is lost: the order within a phase (a burst is spread out over its phase), which objects die
 * together, the end of threads (they end with the stream), failed calls and calls on NULL.
 */
#ifndef WORKLOADS_MODEL_H
#define WORKLOADS_MODEL_H

#include "workloads/workload.h"

struct model;

/* Fits a model to all of `trace`, which may be any source with at least one allocation and at most
 * 256 threads, and leaves it at its end. The model's memory is bounded by the objects of the
 * trace, and far less where many of them are alike. Returns 0 or -errno with *error set. */
int model_fit(struct model **model, struct trace_source *trace, struct trace_error *error);
/* NULL is allowed. */
void model_destroy(struct model *model);

/* Opens a stream of `model`, which then belongs to the source, also where this fails.
 * `specification` is "model:TRACE" or "model:TRACE,key=value,..."; the keys are those of
 * model_form. Returns 0, -EINVAL or -ENOMEM with *error set. */
int model_open(struct trace_source **source, struct model *model, const char *specification,
               struct trace_error *error);

/* Its name, texts and parameters; it cannot be started like the workloads of the registry. */
extern const struct workload model_form;

#endif
