#!/bin/sh
# Imports each sample of import/ by its content and compares the text of the result.
# Usage: import.sh HEAPLAB FORMAT
set -eu
heaplab=$1 format=$2
samples=$(cd "$(dirname "$0")/import" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$samples"
"$heaplab" import "$format.in" "$folder/by-content.trace" 2>"$folder/messages"
grep -q "from the format '$format'" "$folder/messages"
"$heaplab" export "$folder/by-content.trace" "$folder/text"
diff -u "$format.out" "$folder/text"

# The same when the format is named, the file has the line ends of another system, and is packed.
sed 's/$/\r/' "$format.in" | gzip >"$folder/$format.in"
"$heaplab" import -f "$format" "$folder/$format.in" "$folder/by-name.trace" 2>/dev/null
cmp "$folder/by-content.trace" "$folder/by-name.trace"

# And text is text: what was written reads back as the same trace.
"$heaplab" import "$folder/text" "$folder/again.trace" 2>/dev/null
cmp "$folder/by-content.trace" "$folder/again.trace"
"$heaplab" info "$folder/again.trace" >/dev/null
"$heaplab" import "$folder/again.trace" "$folder/copy.trace" 2>/dev/null
cmp "$folder/again.trace" "$folder/copy.trace"
