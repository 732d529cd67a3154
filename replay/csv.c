#include "replay/csv.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

FILE *csv_open(const char *folder, const char *name, const char *how)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return NULL;
    FILE *stream = fopen(path, how);
    free(path);
    return stream;
}

void csv_write_text(FILE *stream, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

void csv_write_number(FILE *stream, double number)
{
    if (isnan(number))
        return;
    if (number == floor(number) && fabs(number) < 9007199254740992.0)
        fprintf(stream, "%.0f", number);
    else
        fprintf(stream, "%.4f", number);
}

/* Takes one field off *cursor and ends it. Returns the character behind it, which is ',' or '\n',
 * or 0 for a damaged one. */
static char take_field(char **cursor)
{
    char *from = *cursor, *to = *cursor;
    bool is_quoted = *from == '"';
    from += is_quoted;
    while (*from && (is_quoted || (*from != ',' && *from != '\n'))) {
        if (is_quoted && *from == '"' && *++from != '"')
            break;
        *to++ = *from++;
    }
    char end = *from;
    *to = '\0';
    *cursor = from + 1;
    return end == ',' || end == '\n' ? end : '\0';
}

size_t csv_split(char *line, char **fields, size_t limit)
{
    char *cursor = line, end = ',';
    size_t count = 0;
    while (end == ',') {
        if (count < limit)
            fields[count] = cursor;
        count++;
        end = take_field(&cursor);
    }
    return end == '\n' ? count : 0;
}
