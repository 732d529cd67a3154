#!/bin/sh
# preload.sh LIBRARY PROGRAM
# Runs one real program with and without the preloaded allocator: the output must be the same.
set -eu
library=$1 program=$2
command -v "$program" >/dev/null || { echo "$program is not installed"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

workload() {
    case $program in
    python3) python3 -c '
import json, re, threading
data = {str(n): [n] * (n % 50) for n in range(20000)}
print(len(json.dumps(data)), sum(len(re.sub("1", "ab", k)) for k in data))
def work():
    for n in range(200): bytearray(n * 1000)
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print("joined")' ;;
    git)
        export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
        rm -rf "$folder/repository"
        git -c init.defaultBranch=main init -q "$folder/repository"
        cd "$folder/repository"
        for n in 1 2 3 4 5 6 7 8; do
            seq $n 3000 >file$n
            git add . && git -c user.name=t -c user.email=t@t commit -qm "step $n"
        done
        git repack -adq --threads=2 && git log --stat -p | cksum ;;
    gcc)
        printf '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts("compiled"); }\n' \
            >"$folder/p.c"
        gcc -O2 -g -o "$folder/p" "$folder/p.c" && "$folder/p" ;;
    g++)
        cat >"$folder/p.cc" <<'CPP'
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
struct alignas(256) Wide { char bytes[300]; };
int main() {
    std::map<std::string, std::unique_ptr<int>> map;
    for (int i = 0; i < 1000; i++) map[std::to_string(i)] = std::make_unique<int>(i);
    Wide *wide = new Wide[3];
    bool aligned = reinterpret_cast<std::uintptr_t>(wide) % 256 == 0;
    delete[] wide;
    void *none = ::operator new(static_cast<std::size_t>(-1) / 4, std::nothrow);
    bool thrown = false;
    try { void *volatile p = ::operator new(static_cast<std::size_t>(-1) / 4); (void)p; }
    catch (const std::bad_alloc &) { thrown = true; }
    std::printf("%zu %d %d %d\n", map.size(), aligned, none == nullptr, thrown);
}
CPP
        g++ -std=c++17 -o "$folder/p" "$folder/p.cc" && "$folder/p" ;;
    perl) perl -e 'my %h; $h{$_} = $_ x ($_ % 30) for 1..50000;
        my $t = 0; $t += length for values %h; print "$t\n"' ;;
    sqlite3) sqlite3 :memory: "create table t(a integer primary key, b text);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
        insert into t select i, hex(i * 7919) from n; create index x on t(b);
        select count(*), sum(length(b)), max(b) from t;" ;;
    esac
}

expected=$(workload)
got=$(export LD_PRELOAD="$library"; workload)
[ -n "$expected" ] && [ "$expected" = "$got" ] && exit 0
printf 'preload: %s gave\n%s\ninstead of\n%s\n' "$program" "$got" "$expected" >&2
exit 1
