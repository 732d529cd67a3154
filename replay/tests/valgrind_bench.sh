#!/bin/sh
# Replays short workloads on liballocator under memcheck and fails on any error that it reports.
# Usage: valgrind_bench.sh HEAPLAB [SOURCE...]
set -u
heaplab=$1
shift
[ $# -gt 0 ] || set -- random:allocations=20000 checkerboard:objects=2000 realloc-grow:reallocs=5000 \
    calloc:allocations=5000 fixed:size=64,rounds=4 fixed:size=1M,objects=8,rounds=2
command -v valgrind >/dev/null || {
    echo 'valgrind_bench: no valgrind; install the Debian package valgrind' >&2
    exit 3
}
exec valgrind --quiet --trace-children=yes --error-exitcode=9 --leak-check=no \
    "$heaplab" replay -a mem,mem_ts -m throughput,memory -r 1 "$@"
