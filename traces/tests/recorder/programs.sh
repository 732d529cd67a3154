#!/bin/bash
# Real programs behave under the recorder as without it, on the system's allocator and on others.
. "$(dirname "$0")/support.sh"
# PATH without shims of other managers of versions: a shim would be what is recorded.
export PATH=/usr/bin:/bin HOME=$scratch GIT_CONFIG_GLOBAL=/dev/null
unset LD_PRELOAD

same() { # COMMAND...
    "$@" >plain 2>&1
    record $? t.trace "$@"
    cmp -s plain out || fail "$* prints something else when recorded: $(cat said)"
    [ "$(fact t.trace events)" -gt 50 ] || fail "$* left a trace of few events"
    is "the calls of $* that were dropped" "$(fact t.trace dropped)" 0
    rm -f t.*
}

printf '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts("compiled"); return 3; }\n' >a.c
git init -q repository
git -C repository -c user.name=a -c user.email=a@b commit -q --allow-empty -m "The first"
same python3 -c 'import json, re; print(json.dumps({str(n): [n] * 3 for n in range(500)})); print(re.sub("a", "b", "cab"))'
same git -C repository log -p --stat
same gcc -O1 -S -o - a.c
same perl -e 'my %h; $h{$_ % 37} .= "x$_" for 1 .. 5000; print length($h{$_}), "\n" for sort keys %h'
same sqlite3 :memory: 'create table t (a); with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)
    insert into t select hex(i) from n; select count(*), max(a) from t group by length(a)'
# A command of many arguments is cut in the description.
record 0 t.trace gcc -S -o - a.c $(seq -f -DNUMBER_%g 200)
"$heaplab" export t.trace - | grep -q '^# command: gcc -S -o - a.c -DNUMBER_1 .\{360,380\} \.\.\.$' || fail "a long command is not cut at 400 bytes"
rm -f t.*
# The allocators are preloaded into heaplab itself too, which one with a sanitizer refuses.
ldd "$heaplab" | grep -q 'lib[at]san' && { echo "SKIPPED: other allocators, under a sanitizer"; finish; }
for library in libjemalloc.so.2 libmimalloc.so.2.0 libtcmalloc_minimal.so.4; do
    path=$(ls /usr/lib/*/"$library" 2>/dev/null | head -n 1)
    [ -n "$path" ] || { echo "SKIPPED: $library is not installed"; continue; }
    LD_PRELOAD=$path "$heaplab" record -o t.trace -- perl -e 'print join ",", map { "n$_" } 1 .. 999' >out 2>said ||
        fail "perl on $library: $(cat said)"
    is "the allocator" "$("$heaplab" info t.trace | sed -n 's/^  allocator  *//p')" "$library"
done
finish
