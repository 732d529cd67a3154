#!/bin/sh
# Measures liballocator and its peers on the shipped traces and the workloads of several threads, and prints the ratios.
# Usage: bench_ratios.sh HEAPLAB FOLDER     PEERS=/path/libone.so,... adds shared libraries
set -u
heaplab=$1 folder=$2
traces=$("$heaplab" list traces) || exit
# Fifteen blocks in time, as a full campaign plans; five of memory, which hardly varies, are the least that carry an interval.
# shellcheck disable=SC2046,SC2086 # lists of words
"$heaplab" replay -o "$folder" -r 15 -R 5 -a "system,jemalloc,mimalloc,tcmalloc,mem,mem_ts${PEERS:+,$PEERS}" \
    $(printf '%s\n' "$traces" | sed 1d) larson producer-consumer churn false-sharing-active false-sharing-passive >/dev/null || exit
exec "$heaplab" ratios "$folder"
