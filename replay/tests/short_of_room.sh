#!/bin/sh
# Too little memory, of the harness and of a run, and too little room for files: a sentence, the right exit status, and
# no finished row lost.
# Usage: short_of_room.sh HEAPLAB
set -u
heaplab=$1
[ -z "${SANITIZED-}" ] || exit 77 # a sanitizer reserves terabytes of address space
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failures=0
tiny=fixed:objects=16

wrong() {
    echo "$*"
    failures=$((failures + 1))
}

expect() { # STATUS WORDS LIMIT ARGUMENT...: under `ulimit LIMIT`
    status=$1 words=$2 limit=$3
    shift 3
    # shellcheck disable=SC2086 # an option and its value
    output=$(ulimit $limit && "$heaplab" "$@" 2>&1)
    got=$?
    if [ $got -ne "$status" ] || ! printf '%s\n' "$output" | grep -q -e "$words"; then
        wrong "ulimit $limit; heaplab $*: exit status $got, expected $status and '$words' in: $output"
    fi
}

# ---- memory ----

# 32 MiB of decoded events do not fit beside the program, and 200 MiB of objects not into the run.
expect 3 'no memory for its events' '-v 100000' replay -a system -r 1 -m throughput random:allocations=2000000
expect 1 'the allocator returned NULL; bytes asked for (1048576)' '-v 150000' \
    replay -a system,mem -r 1 -m throughput,memory fixed:size=1M,objects=200,rounds=1
expect 0 'ns/call' '-v 150000' replay -a system,mem -r 1 -m throughput $tiny
"$heaplab" replay -a system -r 1 -m throughput -o "$folder/long" $tiny >/dev/null || exit 1
awk 'NR == 1 { print; next } { for (i = 0; i < 50000; i++) print }' "$folder/long/runs.csv" >"$folder/rows"
mv "$folder/rows" "$folder/long/runs.csv"
expect 3 'no memory for its rows; free some' '-v 100000' ratios "$folder/long"

# ---- files ----

# A file may have 2048 blocks of 512 bytes, and rows that are there fill it but for some two: what follows meets the end in
# the midst of a row, as on a full disk.
"$heaplab" replay -a system -r 8 -m throughput -o "$folder/good" $tiny >/dev/null || exit 1
mkdir "$folder/full.partial"
awk -F, -v OFS=, -v limit=$((2048 * 512 - 600)) '
    NR == 1 { print; used = length($0) + 1 }
    NR == 2 {
        $4 = "filler"
        for ($8 = 1; used + length($0) + 1 < limit; $8++) {
            print
            used += length($0) + 1
        }
    }' "$folder/good/runs.csv" >"$folder/full.partial/runs.csv"
expect 3 'full.partial: File too large; free some room or name another folder with -o' '-f 2048' \
    replay -a system -r 8 -m throughput --resume -o "$folder/full" $tiny
printf '%s\n' "$output" | grep -q 'full.partial; --resume takes it up' || wrong "it is not said where the rows are: $output"
[ "$(wc -c <"$folder/full.partial/runs.csv")" -eq $((2048 * 512)) ] || wrong 'the file is not full'
grep ',ok,$' "$folder/full.partial/runs.csv" | grep ",$tiny," >"$folder/finished"
[ -s "$folder/finished" ] || wrong 'no run was finished before the file was full'
expect 0 '1 damaged row left out' '-f unlimited' replay -a system -r 8 -m throughput --resume -o "$folder/full" $tiny
grep -xF -f "$folder/finished" "$folder/full/runs.csv" | cmp -s - "$folder/finished" || wrong 'a finished row was lost'
repetitions=$(grep ",$tiny," "$folder/full/runs.csv" | cut -d, -f 8 | sort -n | tr '\n' ' ')
[ "$repetitions" = '1 2 3 4 5 6 7 8 ' ] || wrong "repetitions after taking up: $repetitions"

# The rows themselves can't be written anew: they stay as they were.
cp -r "$folder/full" "$folder/again.partial"
cp "$folder/again.partial/runs.csv" "$folder/before"
expect 3 'free some room' '-f 256' replay -a system -r 9 -m throughput --resume -o "$folder/again" $tiny
cmp -s "$folder/before" "$folder/again.partial/runs.csv" || wrong 'rows were lost where there was no room to write them anew'
exit $((failures > 0))
