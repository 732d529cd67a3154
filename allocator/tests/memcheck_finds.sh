#!/bin/sh
# memcheck_finds.sh PROGRAM SOURCE WORDS
# Runs PROGRAM under memcheck and looks in its report for WORDS, and for the line of SOURCE that
# carries the mark, or, where SOURCE has none, for a report without any error.
set -eu
program=$1 source=$2 words=$3
report=$(mktemp)
trap 'rm -f "$report"' EXIT
valgrind --leak-check=full --error-exitcode=0 --log-file="$report" "$program"

fail() {
    echo "memcheck_finds: $1; the report was:" >&2
    cat "$report" >&2
    exit 1
}

grep -qF -- "$words" "$report" || fail "\"$words\" is missing"
line=$(grep -n MARK "$source" | cut -d: -f1)
if [ -n "$line" ]; then
    grep -qF "($(basename "$source"):$line)" "$report" || fail "$(basename "$source"):$line is missing"
else
    grep -qF "ERROR SUMMARY: 0 errors" "$report" || fail "errors were reported"
fi
