#!/bin/sh
# What the command line says and returns, right and wrong.
# Usage: command_line.sh HEAPLAB FOLDER
set -u
heaplab=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
# shellcheck source=replay/tests/expect.sh
. "$(dirname "$0")/expect.sh"

small=random:allocations=2000

expect 2 'Usage: heaplab'
expect 0 'Usage: heaplab' help
expect 2 "no command 'frobnicate'" frobnicate
expect 0 'Usage: heaplab replay' help replay
expect 2 "no command 'frobnicate'" help frobnicate
expect 0 'mem_ts' list allocators
expect 0 'leaky .*losing one free in ten: a control' list allocators
expect 0 'checkerboard' list workloads
expect 2 "'nothing' can't be listed" list nothing
expect 2 "'traces' is one too many" list allocators traces
expect 0 'events' info jq
expect 0 '^# heaplab text' export jq -

expect 0 'ns/call' replay -a system,null -r 1 $small
expect 0 'nothing below that is claimed' replay -a system -m latency $small
expect 0 '^schema_version,allocator' replay -a system -r 1 -m throughput --format csv $small
case ${SANITIZED-} in
*thread*) ;; # no room for the shadow map in its address space
*) expect 0 'kept every promise' replay -a mem,mem_ts -m check $small ;;
esac
expect 2 "no allocator 'nonesuch'" replay -a nonesuch $small
expect 2 "no mode 'fast'" replay -m fast $small
expect 2 "no touch policy 'all'" replay -t all $small
expect 2 "'0' is no whole number from 1" replay -r 0 $small
expect 2 "no format 'xml'" replay --format xml $small
expect 2 'no source' replay
expect 3 'no such file, shipped trace or workload' replay nonesuch
expect 2 'nonesuch' replay random:nonesuch=1
expect 2 'allocations' replay random:allocations=0
expect 2 'is out of range; give 1 to 64' replay larson:threads=100000
expect 2 'is not a number' replay sawtooth:peak=-1
expect 2 'is given twice' replay random:seed=1,seed=2
expect 3 'is left out' replay -a /nowhere/libnone.so -r 1 $small
expect 0 'left out' replay -a system,/nowhere/libnone.so -r 1 $small
expect 1 'signal 11' replay -a system,"$2/libbroken-crash.so" -r 1 -m throughput $small

# A sanitizer must be the first library of a program, so a library built with one can't be preloaded.
real=system,mem_ts
[ -z "${SANITIZED-}" ] || real=system,system#2
expect 0 'wall ms' compare -a $real -r 2 -- true
expect 0 "^1,${real#*,},2,ok," compare -a $real -r 2 --format csv -- true
expect 1 '2 of 2 runs of the program failed' compare -a system -r 2 -- false
expect 3 'name a program that can be run' compare -a system -r 1 -- /nowhere/program
expect 3 "left out: /nowhere/libnone.so" compare -a /nowhere/libnone.so -r 1 -- true
expect 2 'no command' compare
# Rounds are written as they end: those before an interrupt are kept.
expect 143 '^1,system,1,ok,' compare -a system -r 3 --format csv -- \
    sh -c '[ ! -e "$1" ] && : >"$1" || kill $PPID' sh "$folder/ran"

# At the recorded pace no call comes before its time, and the time says nothing about the allocator.
printf '# heaplab text 1\n0 0 malloc 64 = 0\n300000000 0 free 0\n' >"$folder/slow.txt"
expect 0 '' import "$folder/slow.txt" "$folder/slow.trace"
expect 2 "no pace 'slow'" replay -m memory --pace slow "$folder/slow.trace"
expect 2 'needs -m memory alone' replay --pace recorded "$folder/slow.trace"
expect 0 ',full,2,' replay -a mem_ts -m memory --format csv "$folder/slow.trace"
start=$(date +%s%N)
expect 0 ',recorded,2,0,[0-9]*,[0-9]*,[0-9]*,,' replay -a mem_ts -m memory --pace recorded --format csv "$folder/slow.trace"
[ $(($(date +%s%N) - start)) -ge 1300000000 ] || { # a second of it for what drains
    echo 'the recorded pace was not kept'
    failures=$((failures + 1))
}

: >"$folder/empty.trace"
expect 3 'empty' replay "$folder/empty.trace"
expect 0 '' generate $small -o "$folder/good.trace"
expect 0 'ns/call' replay -a system -r 1 "$folder/good.trace"
expect 0 'ns/call' replay -a system -r 1 "model:$folder/good.trace,scale=2"
expect 0 'ns/call' replay -a system,mem -r 1 -m memory model:sqlite,length=20k
expect 0 'objects' generate "model:$folder/good.trace,length=100k" -o "$folder/long.trace"
expect 3 'write model:TRACE with the name of a trace' replay model:nonesuch
expect 2 'write model:TRACE with the name of a trace' generate model: -o "$folder/none.trace"
expect 3 'empty' replay "model:$folder/empty.trace"
expect 0 'model:TRACE' list workloads
head -c 300 "$folder/good.trace" >"$folder/cut.trace"
expect 3 "^heaplab: $folder/cut.trace: byte" replay "$folder/cut.trace"
head -c -1000 "$folder/good.trace" >"$folder/cut.trace"
expect 3 "^heaplab: $folder/cut.trace: byte" replay "$folder/cut.trace"
[ "$(printf '%s\n' "$output" | grep -c 'cut.trace: byte')" -eq 1 ] || wrong "said twice: $output"
expect 3 'model' generate "model:$folder/cut.trace" -o "$folder/none.trace"
expect 2 'write model:TRACE' replay model:

expect 0 'ns/call' replay -a system,null -r 2 -o "$folder/made/results" $small
for file in runs.csv timeline.csv summary.csv machine.txt command.txt overview.txt; do
    [ -s "$folder/made/results/$file" ] || { echo "no $file"; failures=$((failures + 1)); }
done
[ ! -e "$folder/made/results.partial" ] || { echo 'results.partial is left'; failures=$((failures + 1)); }
# A campaign cut off in the middle of a row is taken up: finished runs are kept, the damaged one is made again.
cp -r "$folder/made/results" "$folder/again.partial"
head -n 3 "$folder/made/results/runs.csv" >"$folder/again.partial/runs.csv"
sed -n 4p "$folder/made/results/runs.csv" | head -c 50 >>"$folder/again.partial/runs.csv"
kept=$(sed -n 3p "$folder/again.partial/runs.csv")
expect 0 '1 damaged row left out' replay -a system,null -r 2 -o "$folder/again" --resume $small
grep -qxF "$kept" "$folder/again/runs.csv" || { echo 'a finished row was lost'; failures=$((failures + 1)); }
[ "$(wc -l <"$folder/again/runs.csv")" -eq "$(wc -l <"$folder/made/results/runs.csv")" ] || {
    echo 'the resumed campaign has another number of rows'
    failures=$((failures + 1))
}
mkdir "$folder/other.partial" && echo 'schema_version,allocator' >"$folder/other.partial/runs.csv"
expect 3 'other columns' replay -a system -r 1 -o "$folder/other" --resume $small
expect 3 'no campaign to take up' replay -a system -r 1 -o "$folder/none" --resume $small
expect 2 'needs the folder' replay -a system -r 1 --resume $small
# Nor with anything else than what it was begun with, but for the seed, which is its own.
begin_and_stop() { # OPTION...
    rm -rf "$folder/begun.partial"
    "$heaplab" replay "$@" -r 10000 -m throughput -o "$folder/begun" $small >/dev/null 2>&1 &
    for attempt in $(seq 300); do
        grep -q ',ok,' "$folder/begun.partial/runs.csv" 2>/dev/null && break
        sleep 0.1
    done
    kill $! && wait $!
}
begin_and_stop -a system,mem
resume() { # STATUS WORDS OPTION...
    status=$1 words=$2
    shift 2
    expect "$status" "$words" replay --resume -o "$folder/begun" -m throughput "$@"
}
resume 2 "'throughput: 10000 runs' where 'throughput: 1 runs'" -a system,mem -r 1 $small
resume 2 "'allocator: mem' where 'throughput" -a system -r 10000 $small
resume 2 "where 'source: random'" -a system,mem -r 10000 random
resume 2 "'touch: page' where 'touch: full'" -a system,mem -r 10000 -t full $small
resume 2 "where 'seed: 1'" -a system,mem -r 10000 -s 1 $small
sed -i 's/10000 runs/3 runs/' "$folder/begun.partial/plan.txt"
kept=$(sed -n 's/^seed: //p' "$folder/begun.partial/plan.txt")
resume 0 'ns/call' -a system,mem -r 3 $small
grep -qx "seed $kept" "$folder/begun/command.txt" || wrong "the seed is not $kept: $(cat "$folder/begun/command.txt")"
[ ! -e "$folder/begun/plan.txt" ] || wrong 'plan.txt is left'
[ "$(head -n 1 "$folder/begun/command.txt")" = "heaplab replay --resume -o $folder/begun -m throughput -a system,mem -r 3 $small" ] ||
    wrong "not the command line: $(cat "$folder/begun/command.txt")"
# What can't be measured is told, and where nothing can what stood in the folder stays.
threads=larson:threads=2,generations=1,replacements=100
expect 0 'mem .*skipped' replay -a mem,mem_ts -m throughput -r 1 $threads
expect 0 ',mem,,"larson.*,skipped,it plays sources of one thread' replay -a mem,mem_ts -m throughput -r 1 -f csv $threads
expect 3 'nothing was measured' replay -a mem -r 1 -o "$folder/begun" $threads
grep -q ',mem,.*,ok,' "$folder/begun/runs.csv" || wrong 'an older campaign was lost'
[ ! -e "$folder/begun.partial" ] || wrong 'a campaign of nothing is left'
expect 3 'manages nothing that could be checked' replay -a null -m check $small
expect 3 'nothing was measured' bench -q -a /nowhere/libnone.so -o "$folder/begun"
expect 2 'different campaigns; choose one' bench --quick --full
expect 0 '' replay -a system -r 1 -m throughput,memory -o "$folder/two words" $small
[ "$(head -n 1 "$folder/two words/command.txt")" = "heaplab replay -a system -r 1 -m throughput,memory -o '$folder/two words' $small" ] ||
    wrong "no shell reads this: $(cat "$folder/two words/command.txt")"
[ "$(grep -c 'geometric mean' "$folder/two words/overview.txt")" -eq 2 ] || wrong 'the overview says a thing twice'
# Nobody's files are replaced, and no interrupted campaign.
mkdir "$folder/mine" && echo precious >"$folder/mine/notes.md"
expect 3 'holds notes.md' replay -a system -r 1 -o "$folder/mine" $small
mkdir "$folder/cut.partial"
expect 3 'a campaign was cut off here' replay -a system -r 1 -o "$folder/cut" $small

"$heaplab" replay -a system -r 10000 -m throughput -o "$folder/stopped" $small >/dev/null 2>"$folder/said" &
for attempt in $(seq 300); do
    [ "$(cat "$folder/stopped.partial/runs.csv" 2>/dev/null | wc -l)" -gt 3 ] && break
    sleep 0.1
done
kill -INT $!
wait $!
[ $? -eq 3 ] && grep -q 'stopped.partial; --resume takes it up' "$folder/said" || {
    echo 'an interrupted campaign does not say where it is:'
    cat "$folder/said"
    failures=$((failures + 1))
}

# A source that takes for ever to read does not hold an interrupt up. The limit ends the test where it does.
timeout -k 1 60 "$heaplab" replay -a system -r 1 -o "$folder/reading" random:allocations=1000G 2>"$folder/said" &
for attempt in $(seq 300); do
    [ -s "$folder/reading.partial/runs.csv" ] && break
    sleep 0.1
done
sleep 0.2
kill -TERM $! # timeout passes it on
wait $!
grep -q 'interrupted while a source was read' "$folder/said" || {
    echo 'an interrupt while a source is read does not end the program:'
    cat "$folder/said"
    failures=$((failures + 1))
}

# Sources of the same name are kept apart; the same source twice is a slip.
mkdir "$folder/one" "$folder/two"
expect 0 '' generate fixed:rounds=1 -o "$folder/one/x.trace"
expect 0 '' generate fixed:rounds=2 -o "$folder/two/x.trace"
expect 0 "^$folder/two/x.trace: " replay -a system -r 1 -m throughput "$folder/one/x.trace" "$folder/two/x.trace"
expect 2 'given twice' replay -a system $small $small

# Damage behind the header shows while decoding: told once, under the name that was given.
cp "$folder/one/x.trace" "$folder/bad.trace"
printf 'XXXX' | dd of="$folder/bad.trace" bs=1 seek=600 conv=notrunc 2>/dev/null
expect 3 "bad.trace: byte" replay -a system -r 1 "$folder/bad.trace"
[ "$(printf '%s\n' "$output" | grep -c 'byte')" -eq 1 ] || { echo 'damage is told more than once'; failures=$((failures + 1)); }

expect 2 "no allocator ''" replay -a system,,null $small
expect 2 "no allocator 'system#x'" replay -a 'system#x' $small
expect 3 'Not a directory' replay -a system -r 1 -o "$folder/good.trace" $small
expect 3 'name another folder with -o' replay -a system -r 1 -o /proc/nowhere $small

if "$heaplab" replay -a system -r 1 -m throughput $small >/dev/full 2>"$folder/said"; then
    echo 'a full standard output went unnoticed'
    failures=$((failures + 1))
fi
grep -q 'standard output' "$folder/said" || { echo 'no word about standard output'; failures=$((failures + 1)); }
exit $failures
