/* Stands between the loop and a target and checks what the target promises: alignment, objects that
 * do not overlap, contents kept while an object lives and by realloc, zeroed calloc, usable sizes
 * no smaller than asked. One target per process. Thread safe, by one lock around the books (never
 * around the target). */
#ifndef REPLAY_CHECK_H
#define REPLAY_CHECK_H

#include <stdint.h>

#include "replay/target.h"

/* Fills `checker` with functions that call `target`, which must outlive it. Returns 0 or -ENOMEM.
 */
int check_target(struct target *checker, const struct target *target);

/* How many defects were found so far; the first is told in `sentence` (left alone where there is
 * none). */
uint64_t check_defects(char *sentence, size_t bytes);

#endif
