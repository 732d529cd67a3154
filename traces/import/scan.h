/* Reading words and numbers off a line, left to right. Each function moves *at past what it took,
 * and leaves it where that is not there. */
#ifndef TRACES_IMPORT_SCAN_H
#define TRACES_IMPORT_SCAN_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline void scan_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t')
        ++*at;
}

/* Exactly this text. */
static inline bool scan_text(const char **at, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(*at, text, length))
        return false;
    *at += length;
    return true;
}

/* Blanks, then a number in the given base, 10 or 16 (without "0x"). False where it does not fit. */
static inline bool scan_digits(const char **at, unsigned base, uint64_t *number)
{
    const char *from = *at;
    scan_blanks(&from);
    uint64_t value = 0;
    const char *digit = from;
    for (;; digit++) {
        unsigned char c = (unsigned char)*digit;
        if (!(base == 16 ? isxdigit(c) : isdigit(c)))
            break;
        unsigned worth = (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, worth, &value))
            return false;
    }
    if (digit == from)
        return false;
    *at = digit;
    *number = value;
    return true;
}

static inline bool scan_decimal(const char **at, uint64_t *number)
{
    return scan_digits(at, 10, number);
}

/* Decimal, or hexadecimal after "0x"; "(nil)" and "NULL" are 0. */
static inline bool scan_number(const char **at, uint64_t *number)
{
    const char *from = *at;
    scan_blanks(&from);
    if (scan_text(&from, "(nil)") || scan_text(&from, "NULL")) {
        *number = 0;
    } else if (scan_text(&from, "0x") || scan_text(&from, "0X")) {
        if (!scan_digits(&from, 16, number))
            return false;
    } else if (!scan_digits(&from, 10, number)) {
        return false;
    }
    *at = from;
    return true;
}

/* Blanks, then a word of letters, digits and underscores. */
static inline bool scan_word(const char **at, const char **word, size_t *length)
{
    scan_blanks(at);
    *word = *at;
    while (isalnum((unsigned char)**at) || **at == '_')
        ++*at;
    *length = (size_t)(*at - *word);
    return *length > 0;
}

/* Blanks, then nothing more. */
static inline bool scan_end(const char **at)
{
    scan_blanks(at);
    return **at == '\0';
}

#endif
