#!/bin/bash
# One trace for each process and each program it becomes; objects from before a fork are known as such.
. "$(dirname "$0")/support.sh"
for way in fork _Fork; do
    record 0 t.trace "$subject" fork $way
    child=$(echo t.*.trace)
    is "the parent's calls ($way)" "$(fact t.trace malloc) $(fact t.trace free) $(fact t.trace dropped)" "1000 1000 0"
    grep -q "^heaplab: and 1 trace of another process, $child$" said || fail "of one other process it says: $(cat said)"
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
# Many processes share one line.
record 0 many.trace sh -c 'for i in 1 2 3 4 5 6; do ls >/dev/null; done; :'
others=$(ls many.*.trace | wc -l)
[ "$others" -ge 6 ] || fail "there are $others traces of other processes"
is "how many lines there are" "$(wc -l <said)" 2
grep -q "^heaplab: and $others traces of other processes, many.PID.trace$" said || fail "of many processes it says: $(cat said)"
# A path that the loader would split, which a link in the folder of spools gets round, unless that has one too.
mkdir "a b"
cp "$heaplab" "$(dirname "$heaplab")/libheaplab-recorder.so" "a b"
"a b/heaplab" record -o linked.trace -- "$subject" end exit >out 2>said || fail "from a path with a blank: $(cat said)"
[ "$(fact linked.trace events)" -gt 0 ] || fail "nothing is recorded from a path with a blank"
"a b/heaplab" record -o "a b/t.trace" -- "$subject" end exit >out 2>said
is "the status where no path can be preloaded" $? 3
grep -q "blank or colon; move heaplab" said || fail "it says: $(cat said)"
is "what that leaves" "$(ls "a b" | tr '\n' ' ')" "heaplab libheaplab-recorder.so "
[ ! -e linked.trace.recording ] || fail "the folder with the link is left"
[ ! -e t.trace.recording ] || fail "the folder of spools is left"
finish
