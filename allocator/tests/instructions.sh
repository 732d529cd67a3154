#!/bin/sh
# instructions.sh PROGRAM NUMBERS
# Fails where a malloc/free pair takes more instructions than NUMBERS allows.  The difference of
# two counts leaves the start of the process out, the family `none` the loop.
set -eu
program=$1 numbers=$2
failed=0

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 |
        sed -n 's/.*Collected : //p'
}

per_pair() {
    few=$(count "$1" "$2" 1000)
    many=$(count "$1" "$2" 11000)
    echo $(((many - few + 5000) / 10000))
}

loop=$(per_pair none 1)
# The two empty functions take three instructions of their own.
while read -r family size most; do
    case $family in '#'* | '') continue ;; esac
    taken=$(($(per_pair "$family" "$size") - loop + 3))
    echo "$family $size: $taken instructions, at most $most"
    [ "$taken" -le "$most" ] || failed=1
done <"$numbers"
exit $failed
