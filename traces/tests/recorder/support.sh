# For the recorder's tests: a scratch folder as the current one, and ways to say what must hold.
# Usage of each: TEST HEAPLAB SUBJECT [CALLS]
set -u
heaplab=$1 subject=$2
scratch=$(mktemp -d)
trap 'cd /; clean_up; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0
clean_up() { :; }

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# is WHAT ACTUAL WANTED
is() {
    [ "$2" = "$3" ] || fail "$1 is '$2', wanted '$3'"
}

# record WANTED_STATUS TRACE COMMAND...: what heaplab says goes to the file `said`, the output to `out`.
record() {
    local wanted=$1 trace=$2 status
    shift 2
    "$heaplab" record -o "$trace" -- "$@" >out 2>said
    status=$?
    [ "$status" -eq "$wanted" ] || fail "recording $* ends with $status, wanted $wanted: $(cat said)"
}

# fact TRACE COLUMN: a number from heaplab info, which also checks that the whole trace is legal.
fact() {
    "$heaplab" info -f csv "$1" | awk -F, -v want="$2" \
        'NR == 1 { for (i = 1; i <= NF; i++) if ($i == want) column = i } NR == 2 { print $column }'
}

# wait_for FILE: at most 20 s; whoever is late has failed.
wait_for() {
    local attempt
    for attempt in $(seq 200); do
        [ -e "$1" ] && return
        sleep 0.1
    done
    fail "$1 does not appear"
    finish
}

# traces_of PROGRAM: the traces of that executable.
traces_of() {
    local trace
    for trace in *.trace; do
        "$heaplab" info "$trace" | grep -q "^  program  *$1\$" && echo "$trace"
    done
}

finish() {
    [ "$failures" -eq 0 ] || exit 1
    exit 0
}
