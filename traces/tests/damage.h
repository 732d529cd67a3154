/* Damaged trace files for the tests and the fuzzer. */
#ifndef TRACES_TESTS_DAMAGE_H
#define TRACES_TESTS_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

/* Makes every checksum right again, as far as the blocks' lengths still lead from one to the next,
 * so that damage gets past the checksums to the decoders. */
void reseal(uint8_t *bytes, size_t length);

/* Opens the bytes as a trace and reads all of it. Returns 0 or the -errno of opening or reading. */
struct event_list;
int read_bytes(const uint8_t *bytes, size_t length, int salvage, struct event_list *events);

#endif
