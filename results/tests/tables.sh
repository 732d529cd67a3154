#!/bin/sh
# The tables of fidelity/ and programs/ say of made-up runs what was put into them.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failures=0

expect() { # FILE WORDS
    grep -qF -e "$2" "$1" && return
    echo "no '$2' in:"
    cat "$1"
    failures=$((failures + 1))
}

# Every block alike, but that the control strays from system by 1 in 100 either way.
runs() { # BLOCKS < "SOURCE PART ALLOCATOR MS MIB" lines
    awk -v blocks="$1" -v OFS=, 'BEGIN { print "schema_version,source,part,allocator,repetition,status,wall_ns,processor_ns,peak_rss_bytes" }
        { for (i = 1; i <= blocks; i++) {
              wobble = $3 == "system#2" ? 1 + (i % 2 ? 0.01 : -0.01) : 1
              print 1, $1, $2, $3, i, "ok", $4 * wobble * 1e6, $4 * wobble * 1e6, $5 * wobble * 1048576 } }'
}

# ---- programs ----

sed 's/ / program /' >"$folder/levels" <<'END'
level system 100 10
level system#2 100 10
level mimalloc 110 12
level mem_ts 100.5 10
worse system 100 10
worse system#2 100 10
worse mimalloc 90 12
worse mem_ts 95 11
END
runs 6 <"$folder/levels" >"$folder/real.csv"
awk -f "$here/statistics.awk" -f "$here/programs/table.awk" "$folder/real.csv" >"$folder/page"
expect "$folder/page" '| level | wall time | glibc | 1.005 | 1.005 to 1.005 | 1.010 | met |'
expect "$folder/page" '| worse | wall time | mimalloc | 1.056 | 1.056 to 1.056 | 1.010 | missed |'
expect "$folder/page" '| worse | peak resident | glibc | 1.100 | 1.100 to 1.100 | 1.010 | missed |'
# Two blocks are far better: the median lies beyond the noise, the interval does not.
awk -F, -v OFS=, '$2 == "worse" && $4 == "mem_ts" && $5 < 3 { $7 /= 2 } { print }' "$folder/real.csv" >"$folder/torn.csv"
awk -f "$here/statistics.awk" -f "$here/programs/table.awk" "$folder/torn.csv" >"$folder/page"
expect "$folder/page" '| worse | wall time | mimalloc | 1.056 | 0.528 to 1.056 | 1.010 | open |'
runs 5 <"$folder/levels" >"$folder/real.csv"
awk -f "$here/statistics.awk" -f "$here/programs/table.awk" "$folder/real.csv" >"$folder/page"
expect "$folder/page" '| level | wall time | glibc | 1.005 | too few blocks | unknown | refused |'

# ---- fidelity ----

# Of the three pairs, a replay has system and mimalloc the wrong way round once loading is taken off, mem_ts below
# mimalloc as it is, and no difference between system and mem_ts.
runs 6 >"$folder/real.csv" <<'END'
p program system 100 10
p program system#2 100 10
p program mimalloc 115 12
p program mem_ts 90 9
p loading system 10 1
p loading system#2 10 1
p loading mimalloc 30 4
p loading mem_ts 10 1
END
{
    echo 'schema_version,source,mode,allocator,repetition,status,user_ns,system_ns,peak_rss_bytes'
    printf '%s\n' 'system 20 5' 'system#2 20 5' 'mimalloc 25 4' 'mem_ts 20 3' | while read -r allocator ms mib; do
        for block in 1 2 3 4 5 6; do
            echo "1,p,throughput,$allocator,$block,ok,${ms}000000,0,"
            echo "1,p,memory,$allocator,$block,ok,,,$((mib * 1048576))"
        done
    done
} >"$folder/replay.csv"
awk -f "$here/statistics.awk" -f "$here/fidelity/table.awk" "$folder/real.csv" "$folder/replay.csv" >"$folder/page"
expect "$folder/page" '| p | 100.0 | 1.00, 0.00 | **-5.00**, **+5.00** | **-10.00**, +0.00 |'
expect "$folder/page" '| ms of processor time | +20.0 (+20.0 to +20.0) | +0.0 (+0.0 to +0.0) |'
expect "$folder/page" '| processor time | 3 | 1 | 1 | 1 | 0 | 0 |'
expect "$folder/page" '| peak resident memory | 2 | 2 | 0 | 0 | 1 | 1 |'
expect "$folder/page" 'Opposite order in time (difference in ms: real, replay): p: system less mimalloc (+5.0, -5.0).'

[ "$failures" -eq 0 ]
