#!/bin/bash
# One trace for each process and each program it becomes; objects from before a fork are known as such.
. "$(dirname "$0")/support.sh"
for way in fork _Fork; do
    record 0 t.trace "$subject" fork $way
    child=$(echo t.*.trace)
    is "the parent's calls ($way)" "$(fact t.trace malloc) $(fact t.trace free) $(fact t.trace dropped)" "1000 1000 0"
    is "the child's calls ($way)" "$(fact "$child" calloc) $(fact "$child" free) $(fact "$child" dropped)" "10 0 500"
    rm -f t.*
done

record 0 t.trace "$subject" fork vfork
is "the parent's calls (vfork)" "$(fact t.trace malloc) $(fact t.trace free)" "1000 1000"
is "the new program's calls (vfork)" "$(fact t.*.trace malloc)" 1000
rm -f t.*

# The shell itself becomes the last program; its child is a process of two programs.
record 0 t.trace sh -c "\"$subject\" end exit; exec \"$subject\" fork vfork"
is "the last program of the first process" "$(fact t.trace free)" 1000
is "how many traces of the subject there are" "$(traces_of "$subject" | wc -l)" 3
is "the trace of the first process's first program" "$(ls t.*-1.trace | wc -l)" 1
[ ! -e t.trace.recording ] || fail "the folder of spools is left"
finish
