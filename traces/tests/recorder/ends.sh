#!/bin/bash
# Whatever the end, of the program or of heaplab itself: what was recorded is kept, and the exit status passed on.
. "$(dirname "$0")/support.sh"
ulimit -c 0
for end in exit:0 abort:134 segv:139 kill:137; do
    record "${end#*:}" t.trace "$subject" end "${end%:*}"
    is "the mallocs before ${end%:*}" "$(fact t.trace malloc) $(fact t.trace dropped)" "1000 0"
done
rm -f t.trace

# heaplab is killed while the program runs; the rest of the program goes unharmed.
"$heaplab" record -n "kept: yes" -o t.trace -- sh -c "\"$subject\" end exit; touch first; while [ ! -e go ]; do sleep 0.1; done; touch second" &
recorder=$!
wait_for first
kill -KILL $recorder
wait $recorder 2>/dev/null
touch go
wait_for second
"$heaplab" record -o t.trace -- true 2>said && fail "a second recording took the folder of the first"
grep -q -- --recover said || fail "it does not say what to do: $(cat said)"
"$heaplab" record --recover t.trace.recording 2>said || fail "recovering: $(cat said)"
is "the mallocs recovered" "$(fact "$(traces_of "$subject")" malloc)" 1000
"$heaplab" info t.trace | grep -q 'kept  *yes' || fail "the description is lost"
[ ! -e t.trace.recording ] || fail "the folder of spools is left"
"$heaplab" record --recover t.trace.recording 2>said && fail "there is nothing to recover"
grep -q interrupted said || fail "it says: $(cat said)"
finish
