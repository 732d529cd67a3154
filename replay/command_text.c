#include "replay/command_text.h"

#include <stdio.h>
#include <string.h>

/* What no shell reads otherwise than it stands. */
#define PLAIN                    \
    "abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789_@%+=:,./-#"

static void write_quoted(FILE *stream, const char *word)
{
    fputc('\'', stream);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", stream);
        else
            fputc(*word, stream);
    fputc('\'', stream);
}

char *command_text(int argc, char **argv)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return NULL;
    /* The first word is the program and the subcommand: see struct command. */
    fputs(argv[0], stream);
    for (int i = 1; i < argc; i++) {
        fputc(' ', stream);
        if (argv[i][0] && argv[i][0] != '#' && argv[i][strspn(argv[i], PLAIN)] == '\0')
            fputs(argv[i], stream);
        else
            write_quoted(stream, argv[i]);
    }
    return fclose(stream) ? NULL : text;
}
