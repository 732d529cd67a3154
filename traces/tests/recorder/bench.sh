#!/bin/sh
# What recording costs: the same malloc-heavy program plain, under heaplab record and under heaptrack, in turns.
# Usage: bench.sh HEAPLAB LOAD [ROUNDS [MILLIONS_OF_CALLS]]     (the target bench-recorder runs it)
# The program itself prints its nanoseconds per call, so loading it and what follows its end are not in the figures.
set -eu
heaplab=$1 load=$2 rounds=${3:-7} millions=${4:-20}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
has_heaptrack=$(command -v heaptrack || true)
[ -n "$has_heaptrack" ] || echo "heaptrack is not installed, so there is nothing to compare with (apt-get install heaptrack)"

now_ms() { echo $(($(date +%s%N) / 1000000)); }
median() { sort -n "$1" | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

for round in $(seq "$rounds"); do
    "$load" "$millions" >>"$scratch/plain"
    start=$(now_ms)
    "$heaplab" record -o "$scratch/load.trace" -- "$load" "$millions" >"$scratch/one" 2>"$scratch/said"
    end=$(now_ms)
    cat "$scratch/one" >>"$scratch/recorded"
    awk -v all="$((end - start))" -v calls="$millions" '{ print all / calls - $1 }' "$scratch/one" >>"$scratch/after"
    if [ -n "$has_heaptrack" ]; then
        heaptrack -o "$scratch/heaptrack" "$load" "$millions" 2>&1 | grep -E '^[0-9]+\.[0-9]+$' >>"$scratch/heaptrack-ns"
        rm -f "$scratch"/heaptrack.*
    fi
done
grep -q ' 0 calls dropped' "$scratch/said" || { cat "$scratch/said"; exit 1; }

plain=$(median "$scratch/plain") recorded=$(median "$scratch/recorded")
echo "medians of $rounds rounds of $millions million calls, in ns per call"
echo "plain                       $plain"
echo "heaplab record              $recorded, adds $(echo "$recorded $plain" | awk '{ print $1 - $2 }')"
echo "  afterwards, to the trace  $(median "$scratch/after")"
if [ -n "$has_heaptrack" ]; then
    tracked=$(median "$scratch/heaptrack-ns")
    echo "heaptrack                   $tracked, adds $(echo "$tracked $plain" | awk '{ print $1 - $2 }')"
    echo "heaplab's share of what heaptrack adds: $(echo "$plain $recorded $tracked" |
        awk '{ printf "%.3f", ($2 - $1) / ($3 - $1) }')"
fi
