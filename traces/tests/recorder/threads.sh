#!/bin/bash
# Threads that reuse each other's addresses leave a legal order, with nothing missing; ten thousand threads leak nothing.
. "$(dirname "$0")/support.sh"
for threads in 2 4 16; do
    record 0 contend.trace "$subject" contend "$threads"
    is "the mallocs and reallocs of $threads threads" \
        "$(fact contend.trace malloc) $(fact contend.trace realloc)" "$(cat out)"
    is "the calls dropped with $threads threads" "$(fact contend.trace dropped)" 0
    is "the threads" "$(fact contend.trace threads) $(fact contend.trace thread_end)" "$((threads + 1)) $threads"
done

record 0 churn.trace "$subject" churn 10000
is "the threads in turn" "$(fact churn.trace threads) $(fact churn.trace thread_end)" "10001 10000"
is "their mallocs" "$(fact churn.trace malloc)" 100000
[ "$(cut -d " " -f 1 out)" -lt 150 ] || fail "threads leave $(cat out) mappings behind"

record 0 many.trace "$subject" many 1000
is "the threads at one time" "$(fact many.trace threads) $(fact many.trace malloc)" "1001 10000"
finish
