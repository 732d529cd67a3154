#!/bin/sh
# Check mode finds every planted defect, and none in the allocator without one.
# Usage: check_mode.sh HEAPLAB FOLDER   (FOLDER holds libbroken-*.so)
set -u
case ${SANITIZED-} in *thread*) exit 77 ;; esac # no room for the shadow map in its address space
heaplab=$1 folder=$2 failures=0

expect() { # LIBRARY STATUS WORDS
    output=$("$heaplab" replay -m check -a "$folder/libbroken-$1.so" realloc-grow:vectors=50,reallocs=2000 \
        calloc:allocations=2000,objects=100 random:allocations=3000 2>&1)
    status=$?
    if [ $status -ne "$2" ] || ! printf '%s\n' "$output" | grep -q "$3"; then
        echo "$1: exit status $status, expected $2 and '$3' in:"
        printf '%s\n' "$output"
        failures=$((failures + 1))
    fi
}

expect none 0 'kept every promise'
expect misaligned 1 'is not aligned to 16 bytes'
expect overlap 1 'overlaps a live one'
expect dirty-calloc 1 'calloc.*byte 3 is not zero'
expect forgetful-realloc 1 'after realloc: byte'
expect scribbling-free 1 'had changed'
expect short-usable-size 1 'the usable size of the object is less'
exit $failures
