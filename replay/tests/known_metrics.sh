#!/bin/sh
# A trace written by hand, replayed on an allocator whose resident bytes can be worked out by hand,
# gives the metrics worked out by hand: from the file to the row.
# Usage: known_metrics.sh HEAPLAB FOLDER   (FOLDER holds libhoarding.so)
set -u
heaplab=$1 folder=$2
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# Ten objects of 3,000,000 bytes, nine of which go again: L is k objects after k events up to 10,
# then 20 - k.
{
    echo '# heaplab text 1'
    for i in 0 1 2 3 4 5 6 7 8 9; do echo "0 0 malloc 3000000 = $i"; done
    for i in 0 1 2 3 4 5 6 7 8; do echo "0 0 free $i"; done
} >"$scratch/hill.txt"
"$heaplab" import "$scratch/hill.txt" "$scratch/hill.trace" 2>/dev/null || exit 1
"$heaplab" replay -m memory -t full -a "$folder/libhoarding.so" -o "$scratch/out" \
    "$scratch/hill.trace" >/dev/null || exit 1

awk -F, -v sanitized="${SANITIZED-}" '
    function wrong(text) { print "FAILED: " text; failures++ }
    # Exactly, where the harness alone counts; within 3 %, where the kernel counts pages: it may be
    # off by some tens per processor, of 1466 an object.
    function expect(name, value, tolerance,    found) {
        found = field[name]
        if (found == "" || (found - value) ^ 2 > (value * tolerance) ^ 2)
            wrong(name " is " found ", not " value)
    }
    FNR == 1 { split("", column); for (i = 1; i <= NF; i++) column[$i] = i; file++; next }
    { for (name in column) field[name] = $column[name] }
    file == 1 {
        S = 3000000 # requested bytes of an object, usable and resident ones
        P = 2 * 733 * 4096
        Q = P + 4096
        expect("events", 19, 0)
        expect("threads", 1, 0)
        expect("unsupported_events", 0, 0)
        expect("peak_live_bytes", 10 * S, 0)
        expect("peak_usable_bytes", 10 * P, 0)
        # By trapezoids L has 99.5 objects, and U too, though it is read at events 10, 16 and 19.
        expect("internal_fragmentation", (P - S) / P, 1e-4) # as many digits as it is written with
        if (sanitized != "") next # its own memory is resident too
        # R is k objects up to event 10, then 9 9 8 8 7 7 6 6 5: 117.5 by trapezoids.
        expect("peak_rss_bytes", 10 * Q, 0.03)
        expect("mean_rss_bytes", 117.5 * Q / 19, 0.03)
        expect("fragmentation_integral", 117.5 * Q / (99.5 * S), 0.03)
        expect("fragmentation_at_peak_live", Q / S, 0.03)
        expect("fragmentation_at_peak_rss", Q / S, 0.03)
        expect("fragmentation_peak_ratio", Q / S, 0.03)
        expect("fragmentation_mean",
               Q / S * (10 + 9/9 + 9/8 + 8/7 + 8/6 + 7/5 + 7/4 + 6/3 + 6/2 + 5/1) / 19, 0.03)
        expect("rss_slope_bytes_per_million_events", -0.5 * Q * 1e6, 0.15)
        expect("live_slope_bytes_per_million_events", -S * 1e6, 0)
        # Ten pages of headers are all that is not live, and what the harness touched by then.
        expect("pinned_bytes", 0, 0)
        if (field["retained_bytes"] < 10 * 4096 || field["retained_bytes"] > 60 * 4096)
            wrong("retained_bytes is " field["retained_bytes"] ", not about 10 pages")
    }
    file == 2 && field["point"] ~ /^(sample|peak_live|end)$/ {
        points++
        expect("event", points, 0)
        expect("live_bytes", 3000000 * (points <= 10 ? points : 20 - points), 0)
        if ((field["usable_bytes"] != "") != (points == 10 || points == 16 || points == 19))
            wrong("usable_bytes at event " points " is \"" field["usable_bytes"] "\"")
        if ((field["point"] == "peak_live") != (points == 10))
            wrong("event " points " is " field["point"])
    }
    END {
        if (points != 19) wrong(points " points in timeline.csv, not 19")
        exit failures > 0
    }' "$scratch/out/runs.csv" "$scratch/out/timeline.csv"
