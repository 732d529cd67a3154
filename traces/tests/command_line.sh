#!/bin/bash
# What info, import and export print and how they exit, on good input and bad.
# Usage: command_line.sh HEAPLAB
set -u
heaplab=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

# expect STATUS PATTERN COMMAND...: COMMAND exits with STATUS, and its output has a line that matches PATTERN.
expect() {
    local status=$1 pattern=$2 output actual
    shift 2
    output=$("$@" 2>&1)
    actual=$?
    if [ "$actual" -ne "$status" ] || ! grep -qE -- "$pattern" <<<"$output"; then
        echo "FAILED: $*: exit status $actual, wanted $status and a line like '$pattern':"
        echo "$output"
        failures=$((failures + 1))
    fi
}

# expect_nothing_left: nothing but the named files is in the folder.
expect_files() {
    local files
    files=$(ls | tr '\n' ' ')
    if [ "$files" != "$1 " ]; then
        echo "FAILED: the folder holds $files, wanted $1"
        failures=$((failures + 1))
    fi
}

cat >hand.txt <<'END'
# heaplab text 1
# command: by hand
0 0 malloc 100 = 0
1000 0 calloc 5 10 = 1
2000 0 thread_start 1
3000 1 free 0
4000 1 realloc 1 4000 = 1
5000 0 malloc 99 = failed
6000 0 free null
END
expect 0 "good.trace: 7 events imported from the format 'text'" "$heaplab" import hand.txt good.trace
expect_files "good.trace hand.txt"

# info, text and CSV
expect 0 '^  command +by hand$' "$heaplab" info good.trace
for line in 'events +7' '  malloc +2' '  thread_start +1' 'failed calls +1' 'with NULL +1' \
    'threads +2' 'foreign releases +2' 'allocated +4,150 bytes' 'peak live +4,000 bytes after event 4' \
    'peak live +2 objects' 'live at the end +4,000 bytes' 'below 128 B +1 ' 'below 4 +1 100.0 %'; do
    expect 0 "^ +$line" "$heaplab" info good.trace
done
expect 0 '^"good.trace",[0-9]+,7,2,1,1,0,2,0,0,0,0,0,1,0,1,1,0,2,2,6000,4150,4000,4,2,4000,1,2$' \
    "$heaplab" info -f csv good.trace
expect 0 '^7$' bash -c "'$heaplab' info --format csv good.trace | cut -d, -f3"

# a long line of the description is cut, between characters, by info alone
{ printf '# heaplab text 1\n# command: '; printf 'xä%.0s' $(seq 100); printf '\nmalloc 1 = 0\n'; } >long.txt
"$heaplab" import long.txt long.trace 2>/dev/null
expect 0 '^  command            (xä){46}x \.\.\.$' "$heaplab" info long.trace
expect 0 '^# command: (xä){100}$' "$heaplab" export long.trace -
rm long.txt long.trace

# export
expect 0 '^4000 1 realloc 1 4000 = 1$' "$heaplab" export -f text good.trace -
expect 0 '' "$heaplab" export good.trace out.txt
expect 0 '^# command: by hand$' cat out.txt
rm out.txt

# bad input: status 3, the file, the place, the remedy
printf '' >empty
head -c 150 good.trace >cut.trace
{ head -c 120 good.trace; printf XXXX; tail -c +125 good.trace; } >damaged.trace
{ head -c 8 good.trace; printf '\007'; tail -c +10 good.trace; } >version.trace
expect 3 '^heaplab: missing: .*No such file' "$heaplab" info missing
expect 3 'No such file or directory; check its name' "$heaplab" info missing
expect 3 '^heaplab: empty: byte 0: the file is empty' "$heaplab" info empty
expect 3 "^heaplab: hand.txt: byte 0: not a trace of heaplab; 'heaplab import' reads" "$heaplab" info hand.txt
expect 3 "^heaplab: cut.trace: byte 45: the file was cut off.*'heaplab import FILE NEW'" "$heaplab" info cut.trace
expect 3 '^heaplab: damaged.trace: byte 45: .*damaged' "$heaplab" info damaged.trace
expect 3 '^heaplab: version.trace: byte 8: format version 7 is not known' "$heaplab" info version.trace
{ head -c 23 good.trace; printf '\377'; tail -c +25 good.trace; } >header.trace
expect 3 '^heaplab: header.trace: byte 20: the header is damaged .*; copy the file again' "$heaplab" info header.trace
{ head -c 30 good.trace; printf '\377'; tail -c +32 good.trace; } >header.trace
expect 3 '^heaplab: header.trace: byte 0: the header is damaged .*; copy the file again' "$heaplab" info header.trace
{ cat good.trace; printf XXXX; } >header.trace
expect 3 "^heaplab: header.trace: byte .*: the trace ends here, but the file goes on; 'heaplab import" "$heaplab" info header.trace
expect 0 "the file goes on; the 7 events before were kept" "$heaplab" import header.trace saved.trace
rm header.trace saved.trace
expect 3 '^heaplab: cut.trace: byte 45' "$heaplab" export cut.trace out.txt
expect 3 '^  command +by hand$' "$heaplab" info missing good.trace
expect 3 '^heaplab: empty: byte 0: the file is empty' "$heaplab" import empty out.trace
expect 3 '^heaplab: missing: ' "$heaplab" import missing out.trace
expect 3 '^heaplab: .*: not a trace of any known format; name one with -f' "$heaplab" import /bin/true out.trace
expect 3 '^heaplab: version.trace: byte 8' "$heaplab" import version.trace out.trace
expect_files "cut.trace damaged.trace empty good.trace hand.txt version.trace"

# text that cannot be: the line
cannot_be() {
    printf '# heaplab text 1\nmalloc 8 = 1\n%s\n' "$1" >wrong.txt
    expect 3 "^heaplab: wrong.txt: byte 30: line 3: $2" "$heaplab" import wrong.txt out.trace
    rm wrong.txt
}
cannot_be 'free 2' 'frees an object that is not live; allocate it before'
cannot_be 'malloc 8 = 1' 'allocates an object that is live'
cannot_be 'realloc 2 8 = 2' 'resizes an object that is not live; allocate it before'
cannot_be 'realloc 1 8 = 2' 'resizes one object and names another'
cannot_be 'malloc -1 = 2' 'negative size; write 0 or more'
cannot_be 'calloc -1 8 = 2' 'negative count'
cannot_be 'malloc 99999999999999999999 = 2' 'size too large; write less than'
cannot_be 'memalign 99999999999999999999 8 = 2' 'alignment too large'
cannot_be 'malloc 9223372036854775807 = 2' 'succeeds with a size too large for any process; write at most'
cannot_be 'malloc 140737488355329 = 2' 'succeeds with a size too large'
cannot_be 'calloc 16777217 16777216 = 2' 'succeeds with a size too large'
cannot_be 'realloc 1 9223372036854775807 = 1' 'succeeds with a size too large'
cannot_be 'malloc x = 2' 'is not '
cannot_be 'malloc 8 = 2 3' 'is not '
cannot_be 'memalign 3 8 = 2' 'succeeds with an alignment that is no power of two up to 2\^30; write one'
cannot_be 'posix_memalign 9223372036854775808 8 = 2' 'succeeds with an alignment that is no'
cannot_be 'aligned_alloc 0 8 = 2' 'succeeds with an alignment that is no'
cannot_be 'memalign 4294967296 8 = failed' 'has an alignment too large; write at most'
cannot_be 'mallok 8 = 2' 'is not '
cannot_be 'free 1 1' 'is not '
cannot_be 'thread_start 0' 'starts a thread that is running'
printf '1: malloc 0x10 5\n1: mallok 0x20 5\n' >wrong.txt
expect 3 "line 2: is not 'TID: CALL ADDRESS" "$heaplab" import wrong.txt out.trace
rm wrong.txt

# the largest request that can succeed, and one that only failed
printf '# heaplab text 1\nmalloc 140737488355328 = 1\nmalloc 18446744073709551615 = failed\n' >large.txt
expect 0 '2 events imported' "$heaplab" import large.txt out.trace
rm large.txt out.trace

# alignments of other tools are rounded, and it is said
printf 'memalign(3, 10) = 0x1000\nmemalign(64, 10) = 0x2000\n' >foreign.txt
expect 0 'foreign.txt: 1 alignment rounded: not a power of two' "$heaplab" import -f ltrace foreign.txt out.trace
expect 0 ' memalign 4 10 = 0' "$heaplab" export out.trace -
rm foreign.txt out.trace

# what is sound in a damaged trace is kept
expect 3 '^heaplab: cut.trace: byte 45: the file was cut off: [^;]*, before the first event$' \
    "$heaplab" import cut.trace saved.trace
expect 0 '' "$heaplab" import good.trace saved.trace
expect 0 '' cmp good.trace saved.trace
rm saved.trace

# output that cannot be written: status 3 and nothing left
expect 3 '^heaplab: /dev/full: .*No space left on device; make room' "$heaplab" import hand.txt /dev/full
expect 3 '^heaplab: /dev/full: .*No space left on device' "$heaplab" export good.trace /dev/full
expect 3 '^heaplab: none/out.trace: cannot be created: .*choose a folder' "$heaplab" import hand.txt none/out.trace
expect_files "cut.trace damaged.trace empty good.trace hand.txt version.trace"

expect 3 '^heaplab: folder: cannot be created: Is a directory; name a file' \
    bash -c "mkdir folder; '$heaplab' generate -o folder sawtooth; status=\$?; rmdir folder; exit \$status"

# usage: status 2
expect 2 'the name after -o is empty; name the trace' "$heaplab" generate -o '' sawtooth
expect 2 'the name after -o is empty; name the trace' "$heaplab" record -o '' true
expect 2 'a file name is empty' "$heaplab" import hand.txt ''
expect 2 'a file name is empty' "$heaplab" export good.trace ''
expect 2 'name at least one trace' "$heaplab" info
expect 2 "no format 'nonsense'" "$heaplab" import -f nonsense hand.txt out.trace
expect 2 'name the file to read' "$heaplab" import hand.txt
expect 2 'one file too many' "$heaplab" export a b c
cp good.trace same.trace && ln -s same.trace other.trace
expect 2 "is both the file to read and the trace to write; write another file" "$heaplab" import same.trace ./same.trace
expect 2 "'other.trace' is both the trace to read" "$heaplab" export same.trace other.trace
expect 0 '' cmp good.trace same.trace
rm same.trace other.trace
printf 'nothing of any call\n' >lines.txt
expect 3 '^heaplab: lines.txt: no event in it could be kept' "$heaplab" import -f ltrace lines.txt out.trace
[ ! -e out.trace ] || expect 0 'no out.trace' false
rm lines.txt
expect 2 "no format 'svg'" "$heaplab" export -f svg good.trace out
expect 2 'no compression level' "$heaplab" import -l 20 hand.txt out.trace
expect 2 'no compression level' "$heaplab" record -l 0 true
expect 2 'no compression level' "$heaplab" record --compression 20 true
expect 0 'android +Android memory_replay' "$heaplab" import --help

exit $((failures != 0))
