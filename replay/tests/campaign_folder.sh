#!/bin/sh
# Reading a campaign's folder: the ratios of made-up rows, and what is said of folders that are damaged.
# Usage: campaign_folder.sh HEAPLAB
set -u
heaplab=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
# shellcheck source=replay/tests/expect.sh
. "$(dirname "$0")/expect.sh"
small=random:allocations=2000

has_line() { # LINE
    printf '%s\n' "$output" | grep -qxF -e "$1" || wrong "no line '$1' in: $output"
}

# ---- ratios ----

"$heaplab" replay -a system -r 1 -m throughput --format csv $small >"$folder/one.csv" || exit 1
header=$(head -n 1 "$folder/one.csv")

rows() { # ALLOCATOR SOURCE THREADS NANOSECONDS MEMORY: five blocks, the nanoseconds a little more in each
    awk -v header="$header" -v allocator="$1" -v source="$2" -v threads="$3" -v ns="$4" -v memory="$5" '
        function row(mode, block,    i, line, value) {
            for (i = 1; i <= count; i++) {
                value = ""
                if (name[i] == "schema_version") value = 1
                if (name[i] == "allocator") value = allocator
                if (name[i] == "source") value = source
                if (name[i] == "mode") value = mode
                if (name[i] == "touch") value = "page"
                if (name[i] == "pace") value = "full"
                if (name[i] == "threads") value = threads
                if (name[i] == "repetition") value = block
                if (name[i] == "status") value = "ok"
                if (name[i] == "ns_per_event" && mode == "throughput") value = ns * (1 + block / 10)
                if (name[i] ~ /^(peak|mean)_rss_bytes$/ && mode == "memory") value = memory
                line = line (i > 1 ? "," : "") value
            }
            print line
        }
        BEGIN {
            count = split(header, name, ",")
            for (block = 1; block <= 5; block++) {
                row("throughput", block)
                row("memory", block)
            }
        }'
}

mkdir "$folder/made"
{
    echo "$header"
    for source in first second; do
        rows null $source 1 1 10
        rows system $source 1 20 1000
        rows mem $source 1 10 2000
        rows slow $source 1 40 1000
        rows /opt/libone.so $source 1 5 500
    done
    rows system relay 2 10 100
    rows mem_ts relay 2 40 100
} >"$folder/made/runs.csv"
expect 0 '^time per call of mem as a ratio' ratios "$folder/made"
has_line "$(printf '%-28s %22s %22s' '' system libone.so)"
has_line "$(printf '%-28s %22s %22s' first '0.500 (0.500-0.500)' '2.000 (2.000-2.000)')"
has_line "$(printf '%-28s %22s %22s' 'geometric mean' '2.000 (2.000-2.000)' '4.000 (4.000-4.000)')"
has_line "$(printf '%-28s %22s %22s' relay '4.000 (4.000-4.000)' -)"
! printf '%s\n' "$output" | grep -q 'slow\|null' || wrong 'a control is among the peers'
[ "$(printf '%s\n' "$output" | awk '{ print (length > 120) }' | sort -u)" = 0 ] || wrong 'a line is wider than 120 columns'
mkdir "$folder/few" "$folder/alone"
awk -F, 'NR == 1 || $8 < 3' "$folder/made/runs.csv" >"$folder/few/runs.csv"
expect 0 '0.500 (2 blocks)' ratios "$folder/few"
awk -F, '$2 != "mem" && $2 != "mem_ts"' "$folder/made/runs.csv" >"$folder/alone/runs.csv"
expect 3 'no good runs of mem or mem_ts and another allocator' ratios "$folder/alone"
expect 2 'no folder given' ratios
expect 2 'one folder at a time' ratios a b

# ---- folders that can't be read ----

# Each as `ratios` and as `replay --resume` sees it; what resume takes up is the folder beside, with .partial.
refused() { # WORDS: of $folder/bad/runs.csv
    expect 3 "$1" ratios "$folder/bad"
    rm -rf "$folder/bad.partial" "$folder/taken.partial"
    [ ! -e "$folder/bad" ] || cp -r "$folder/bad" "$folder/taken.partial"
    expect 3 "$1" replay -a system -r 1 -m throughput --resume -o "$folder/taken" $small
    expect 3 "$1" bench --quick --resume -o "$folder/taken"
    expect 3 '' plot "$folder/bad"
    [ "$(printf '%s\n' "$output" | wc -l)" -eq 1 ] || wrong "plot says more than a sentence: $output"
}

rm -rf "$folder/bad"
refused 'no such file; name a folder\|no such file; there is no campaign to take up'
mkdir "$folder/bad"
refused 'runs.csv: there is no such file'
: >"$folder/bad/runs.csv"
refused 'runs.csv: it is empty'
sed '2s/^1,/9,/' "$folder/made/runs.csv" >"$folder/bad/runs.csv"
refused 'schema version 9, but this heaplab reads 1'
sed '1s/wall_ns/wall_inches/' "$folder/made/runs.csv" >"$folder/bad/runs.csv"
refused 'other columns'
head -c 100000 /dev/urandom >"$folder/bad/runs.csv"
refused 'other columns'
rm -r "$folder/bad" && mkdir -p "$folder/bad/runs.csv"
refused 'Is a directory'
rm -r "$folder/bad" && echo text >"$folder/bad"
refused 'Not a directory'
rm "$folder/bad"

# ---- rows that are damaged: left out, and all others kept ----

"$heaplab" replay -a system -r 6 -m throughput -o "$folder/good" $small >/dev/null || exit 1
damaged() { # COUNT FILTER...: what the filter makes of runs.csv has that many damaged rows
    count=$1
    shift
    rm -rf "$folder/again" "$folder/again.partial"
    cp -r "$folder/good" "$folder/again.partial"
    "$@" <"$folder/good/runs.csv" >"$folder/again.partial/runs.csv"
    expect 0 "runs.csv: $count damaged row" replay -a system -r 6 -m throughput --resume -o "$folder/again" $small
    cut -d, -f 2-8 "$folder/again/runs.csv" | sort >"$folder/repetitions"
    cut -d, -f 2-8 "$folder/good/runs.csv" | sort | cmp -s - "$folder/repetitions" || wrong "$*: not every run is there once"
    [ "$(grep -cxF -f "$folder/good/runs.csv" "$folder/again/runs.csv")" -ge $((7 - count)) ] || wrong "$*: a finished row was lost"
}
damaged 1 head -c -20                                      # cut off
damaged 1 sed '3s/,[^,]*$//'                               # a column too few
damaged 1 sed '3s/$/,more/'                                # and one too many
damaged 1 sed '3s/,throughput,/,fast,/'                    # unknown mode
damaged 1 sed '3s/,throughput,/,page,/'                    # a word of another column
damaged 1 sed '3s/,ok,/,fine,/'                            # unknown status
damaged 1 awk -F, -v OFS=, 'NR == 3 { $12 = "12x" } 1'     # no number
damaged 1 awk -F, -v OFS=, 'NR == 3 { $15 = "nan" } 1'     # not this one either
damaged 1 awk -F, -v OFS=, 'NR == 3 { $8 = "1e15" } 1'     # no repetition
damaged 1 awk -F, -v OFS=, 'NR == 3 { $8 = "-1" } 1'
damaged 1 awk -F, -v OFS=, 'NR == 3 { $1 = 9 } 1'          # another schema version in the midst
damaged 1 sed '3s/^/"/'                                    # a quote that does not end
damaged 1 awk 'NR == 3 { for (i = 0; i < 100000; i++) printf "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1" } { print }' # a line of 3 MB
damaged 1 sed '3s/,/\x00\xff\xfe,/4' # bytes that are no text

# ---- charts' files ----

mkdir "$folder/drawn"
cp "$folder/good"/*.csv "$folder/drawn"
command -v gnuplot >/dev/null && {
    sed '2s/,[^,]*$//' "$folder/good/summary.csv" >"$folder/drawn/summary.csv"
    expect 3 'summary.csv: line 2: [0-9]* fields instead of [0-9]*; take up or run the campaign again' plot "$folder/drawn"
    sed '2s/,trace,1,\|,workload,1,/,workload,x,/' "$folder/good/summary.csv" >"$folder/drawn/summary.csv"
    expect 3 'summary.csv: line 2: threads is no number' plot "$folder/drawn"
    head -c 3000 /dev/urandom >>"$folder/drawn/summary.csv"
    expect 3 'summary.csv: line 2' plot "$folder/drawn"
}
exit $((failures > 0))
