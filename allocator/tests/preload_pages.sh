#!/bin/sh
# preload_pages.sh LIBRARY
# How much of the preload library's file a program holds: its code, but not its messages nor what only a debugger reads.
set -eu
library=$1 most_kib=80
# How much is mapped around what is touched depends on the page.
[ "$(getconf PAGESIZE)" = 4096 ] || exit 77
held=$(LD_PRELOAD="$library" awk -v library="${library##*/}" '
    /^[0-9a-f]+-/ { is_ours = index($0, library) }
    is_ours && /^Rss:/ { kib += $2 }
    END { print kib + 0 }' /proc/self/smaps)
echo "$held KiB of ${library##*/} are resident, $most_kib may be"
[ "$held" -gt 0 ] && [ "$held" -le "$most_kib" ]
