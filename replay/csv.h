/* Comma-separated values as in RFC 4180: the one place that quotes and unquotes. */
#ifndef REPLAY_CSV_H
#define REPLAY_CSV_H

#include <stddef.h>
#include <stdio.h>

/* Opens a file of a folder, as fopen(3) does. Returns NULL with errno. */
FILE *csv_open(const char *folder, const char *name, const char *how);

/* Writes one text field, quoted where it must be. */
void csv_write_text(FILE *stream, const char *text);

/* Writes one number with all of its digits, nothing for NAN. */
void csv_write_number(FILE *stream, double number);

/* Splits a line into fields, in place: quotes and the line break go. Returns how many fields there
 * are, of which the first `limit` are in `fields`; 0 where the line is damaged: it has no line
 * break, or a quote that does not end. */
size_t csv_split(char *line, char **fields, size_t limit);

#endif
