#!/bin/bash
# What can't be recorded, or not to the end: one sentence, the right exit status, nothing left behind.
. "$(dirname "$0")/support.sh"
says() { grep -q "$1" said || fail "wanted '$1' said: $(cat said)"; }

record 127 t.trace no-such-program
says "no-such-program: can't be run: No such file or directory; check its name"
record 126 t.trace /etc/passwd
says "/etc/passwd: can't be run: Permission denied; name a program"
record 3 missing/t.trace true
says "missing/t.trace: can't be written"
echo older >t.trace
record 3 t.trace true
says "t.trace: not written: no call was recorded"
is "an older file of that name" "$(cat t.trace)" older
rm t.trace
record 1 t.trace false # the program's own status says more
mkdir taken
record 3 taken true
says "this is a folder"
"$heaplab" record 2>said
is "the status without a command" $? 2
"$heaplab" record -l 20 -- true 2>said
is "the status of a wrong level" $? 2
is "what is left behind" "$(echo *)" "out said taken"

# A limit on the size of files ends the recording, not the program.
(ulimit -f 64; "$heaplab" record -o t.trace -- "$subject" fill 1 2>said)
is "the status under a limit" $? 0
says "the program goes on"
says "the end is missing"
[ "$(fact t.trace malloc)" -gt 100 ] || fail "nothing was kept under the limit"
rm -f t.trace

if [ "$(id -u)" -ne 0 ]; then
    echo "SKIPPED: a read-only folder and a full disk, which only root can set up"
    [ "$failures" -eq 0 ] || exit 1
    exit 77
fi
mkdir disk
mount -t tmpfs -o size=1m none disk 2>/dev/null || { echo "SKIPPED: a full disk, since nothing can be mounted here"; finish; }
clean_up() { umount "$scratch/disk"; }
record 3 disk/t.trace "$subject" fill 1 # the program ends with 0, but the trace has no room
says "the program goes on"
says "keeps what was recorded"
rm -rf disk/*
mount -o remount,ro disk
record 3 disk/t.trace true
says "Read-only file system"
finish
