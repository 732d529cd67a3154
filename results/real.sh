# What fidelity/measure and programs/measure share: programs run for real under each allocator, a row a run.
#
# A script of traces/data/programs, or of the folder of the measurement, prepares an empty folder and calls `record COMMAND...`
# once; here that runs the command in randomised blocks. AGAIN is a command that makes it possible to run it twice in
# the same folder. Sourced, with `here` set to the folder of the measurement.
root=$here/../..
export HEAPLAB="${HEAPLAB:-$root/build/heaplab}" PROGRAMS="$root/traces/data/programs" REAL="$here/../real.sh" here
export PATH=/usr/bin:/bin LC_ALL=C.UTF-8 TZ=UTC
# glibc under two names is the control: what lies between them is noise.
export ALLOCATORS=system,system#2,jemalloc,mimalloc,tcmalloc,mem_ts
# Seconds after which a program that hangs is given up: five times what the longest takes.
PROGRAM_LIMIT_S=600

scratch='' running=''

# ---- within the script of a program ----

AGAIN=:
record() { # COMMAND...
    [ -z "${WITH_LOADING-}" ] || { link_empty "$1" && in_blocks loading ./empty; }
    in_blocks program "$@"
}

in_blocks() { # PART COMMAND...
    part=$1 blocks=$((BLOCKS - $(blocks_of "$NAME" "$1")))
    shift
    [ "$blocks" -gt 0 ] || return 0
    "$HEAPLAB" compare --format csv -a "$ALLOCATORS" --runs "$blocks" -- sh -c "$AGAIN"' && exec "$@"' sh "$@" >"$part.rows"
}

# Makes ./empty: a program that loads the libraries of COMMAND and does nothing. Its ballast keeps its peak above that of the
# process that starts it, which the kernel counts with it (getrusage(2), ru_maxrss).
link_empty() { # COMMAND
    echo 'static volatile char ballast[4 << 20];
        int main(void) { for (unsigned i = 0; i < sizeof ballast; i += 4096) ballast[i] = 1; }' >empty.c
    # shellcheck disable=SC2046  # one argument a library
    gcc -O1 -o empty empty.c -Wl,--no-as-needed $(ldd "$(command -v "$1")" | awk '$2 == "=>" { print $3 }')
}

# ---- the measurement ----

# Prints how many blocks of a part of a program real.csv holds.
blocks_of() { # NAME PART
    [ -e "$here/real.csv" ] || { echo 0 && return; }
    awk -F, -v source="$1" -v part="$2" \
        '$2 == source && $3 == part && $5 > blocks { blocks = $5 } END { print blocks + 0 }' "$here/real.csv"
}

# Adds what the program's comparisons wrote to real.csv; a row that was cut off is left out.
collect() { # NAME
    for part in loading program; do
        [ -s "$scratch/$1/$part.rows" ] || continue
        [ -e "$here/real.csv" ] ||
            echo 'schema_version,source,part,allocator,repetition,status,wall_ns,processor_ns,peak_rss_bytes' >"$here/real.csv"
        awk -F, -v OFS=, -v source="$1" -v part="$part" -v before="$(blocks_of "$1" "$part")" \
            'NR > 1 && NF == 7 { print $1, source, part, $2, $3 + before, $4, $5, $6, $7 }' "$scratch/$1/$part.rows" \
            >"$scratch/rows"
        cat "$scratch/rows" >>"$here/real.csv"
        rm "$scratch/$1/$part.rows"
    done
}

# Whatever ends the measurement, the program at work ends first, and what it gave is kept.
clean_up() {
    if [ -n "$running" ]; then
        kill "$running" 2>/dev/null
        wait "$running" 2>/dev/null
        collect "$NAME"
    fi
    rm -rf "$scratch"
}

# What a row depends on; rows of two machines or builds do not belong in one file.
subjects() {
    uname -srm
    sed -n 's/^model name[[:space:]]*: /processor: /p' /proc/cpuinfo | sort | uniq -c | sed 's/^ *//'
    echo "transparent huge pages: $(cat /sys/kernel/mm/transparent_hugepage/enabled)"
    dpkg-query -W -f '${Package} ${Version}\n' libc6 libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4
    (cd "${HEAPLAB%/*}" && sha256sum liballocator-preload.so)
}

need_same_subjects() {
    subjects >"$scratch/machine.txt"
    if [ -e "$here/real.csv" ] && ! diff "$here/machine.txt" "$scratch/machine.txt" >&2; then
        echo "measure: $here/real.csv holds runs of another machine or build; move it away to begin again" >&2
        exit 3
    fi
    cp "$scratch/machine.txt" "$here/machine.txt"
}

run_program() { # as $NAME
    script=$here/$NAME.sh
    [ -e "$script" ] || script=$PROGRAMS/$NAME.sh
    [ -e "$script" ] || { echo "measure: there is no program '$NAME' in $PROGRAMS" >&2 && return 2; }
    export HOME="$scratch/$NAME" SCRIPT="$script"
    mkdir -p "$HOME" && cd "$HOME" || return 3
    # shellcheck disable=SC2016  # for the shell that is started
    timeout "$PROGRAM_LIMIT_S" sh -eu -c '. "$PROGRAMS/support.sh"; . "$REAL"; . "$SCRIPT"' >"$scratch/log" 2>&1 </dev/null &
    running=$!
    wait "$running"
    status=$?
    running=
    collect "$NAME"
    cd "$here" && rm -rf "$HOME"
    [ "$status" -eq 0 ] || { echo "measure: $NAME failed with status $status:" && tail -n 5 "$scratch/log"; } >&2
    return "$status"
}

# Runs the programs until real.csv holds BLOCKS blocks of each, and returns whether all went well.
measure_programs() { # BLOCKS NAME...
    export BLOCKS="$1"
    shift
    "$root/.ci/ensure-packages" record bench || exit 3
    [ -x "$HEAPLAB" ] || { echo "measure: $HEAPLAB is missing; build it with make" >&2 && exit 3; }
    scratch=$(mktemp -d) || exit 3
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    failed=0 number=0
    for NAME; do
        export NAME
        number=$((number + 1))
        [ "$(blocks_of "$NAME" program)" -lt "$BLOCKS" ] || continue
        [ -e "$scratch/machine.txt" ] || need_same_subjects
        echo "measure: $NAME ($number of $#), from block $(($(blocks_of "$NAME" program) + 1)) to $BLOCKS" >&2
        run_program || failed=1
    done
    return "$failed"
}

# Replaces what stands between "<!-- Tables" and "<!-- End" in a page.
put_between_marks() { # PAGE FILE
    sed -e "/^<!-- Tables/r $2" -e '/^<!-- Tables/,/^<!-- End/{ /^<!--/!d }' "$1" >"$scratch/page" && cat "$scratch/page" >"$1"
}
