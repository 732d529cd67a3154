# What the scripts that call heaplab share; sourced, with `heaplab` set to the program. `failures` counts what was wrong.
failures=0

wrong() {
    echo "$*"
    failures=$((failures + 1))
}

# Fails unless heaplab ends with that status and says the words.
expect() { # STATUS WORDS ARGUMENT...
    status=$1 words=$2
    shift 2
    output=$("$heaplab" "$@" 2>&1)
    got=$?
    if [ $got -ne "$status" ] || ! printf '%s\n' "$output" | grep -q -e "$words"; then
        wrong "heaplab $*: exit status $got, expected $status and '$words' in: $output"
    fi
}
