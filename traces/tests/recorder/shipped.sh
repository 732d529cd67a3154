#!/bin/bash
# The shipped traces are those of the checksums and of the guide's table, sound, free of dropped calls, and small.
. "$(dirname "$0")/support.sh"
traces=$(cd "$(dirname "$0")/../.." && pwd)
cd "$traces/data" || exit 1
sha256sum --check --quiet SHA256SUMS || fail "a trace is not the one of SHA256SUMS"
grouped() { echo "$1" | sed -E ':a; s/([0-9])([0-9]{3})($|,)/\1,\2\3/; ta'; }
threaded=0 all_events=0
for trace in *.trace; do
    events=$(fact "$trace" events)
    bytes=$(fact "$trace" file_bytes)
    [ -n "$events" ] || { fail "$trace is not sound"; continue; }
    all_events=$((all_events + events))
    is "the calls dropped from $trace" "$(fact "$trace" dropped)" 0
    [ "$events" -ge 100000 ] && [ "$events" -le 5000000 ] || fail "$trace has $events events"
    [ "$bytes" -le $((3 * events)) ] || fail "$trace takes more than 3 bytes an event"
    [ "$(fact "$trace" foreign_releases)" -lt 1000 ] || threaded=$((threaded + 1))
    grep -q "^| ${trace%.trace} | .* | $(grouped "$events") |" \
        "$traces/README.md" || fail "the table of traces/README.md has another $trace"
done
grep -q "^The $(ls *.trace | wc -l) shipped traces hold $(grouped "$all_events") events in $(grouped "$(cat *.trace | wc -c)") bytes," \
    "$traces/README.md" || fail "traces/README.md has other totals"
[ "$threaded" -ge 3 ] || fail "only $threaded traces have releases by foreign threads"
[ "$(cat *.trace | wc -c)" -le $((40 << 20)) ] || fail "the traces are larger than 40 MiB together"
finish
