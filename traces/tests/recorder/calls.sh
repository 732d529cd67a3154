#!/bin/bash
# Every kind of call, failed ones and NULL arguments included, stands in the trace exactly as it was made.
. "$(dirname "$0")/support.sh"
record 7 calls.trace "$3"
"$heaplab" export calls.trace - | sed '/^#/d; s/^[0-9]* //' >calls.txt
diff "$(dirname "$0")/calls.txt" calls.txt || fail "the calls differ"
is "what is left behind" "$(echo *)" "calls.trace calls.txt out said"
finish
