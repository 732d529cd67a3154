# Puts real runs (first file) and replays (second file) beside each other, as a page in Markdown. Needs ../statistics.awk.
BEGIN { FS = ","; reference = "system"; control = "system#2" }
FNR == 1 { file++; delete column; for (i = 1; i <= NF; i++) column[$i] = i; next }

# ---- reading ----

function take(kind, value) {
    if (value == "") return
    figure[kind, source, allocator, repetition] = value
    if (repetition > blocks[kind, source]) blocks[kind, source] = repetition
}
$column["status"] != "ok" { failed++; next }
{ source = $column["source"]; allocator = $column["allocator"]; repetition = $column["repetition"] + 0 }
!(source in known) { known[source] = 1; sources[++source_count] = source }
!(allocator in named) && allocator != control { named[allocator] = 1; allocators[++allocator_count] = allocator }
file == 1 {
    part = $column["part"] == "loading" ? "loading" : "real"
    take(part " time", $column["processor_ns"] / 1e6)
    take(part " peak", $column["peak_rss_bytes"] / 1048576)
}
file == 2 && $column["mode"] == "throughput" {
    take("replay time", ($column["user_ns"] + $column["system_ns"]) / 1e6)
}
file == 2 && $column["mode"] == "memory" { take("replay peak", $column["peak_rss_bytes"] / 1048576) }

# ---- differences ----

# The difference of two allocators, a - b, over the blocks in which both ran: sets MEDIAN, LOW, HIGH.
function compare(kind, source, a, b,   i, n, list) {
    for (i = 1; i <= blocks[kind, source]; i++)
        if ((kind, source, a, i) in figure && (kind, source, b, i) in figure)
            list[++n] = figure[kind, source, a, i] - figure[kind, source, b, i]
    estimate(list, n)
}
function level(kind, source, allocator,   i, n, list) {
    for (i = 1; i <= blocks[kind, source]; i++)
        if ((kind, source, allocator, i) in figure) list[++n] = figure[kind, source, allocator, i]
    estimate(list, n)
    return MEDIAN
}
# What loading a more than b takes in a program of these libraries that does nothing.
function loading(what, source, a, b) {
    compare("loading " what, source, a, b)
    return MEDIAN + 0
}
# How far from 0 the control's interval reaches: the least difference that can be told; empty without a control.
function threshold(kind, source) {
    compare(kind, source, control, reference)
    if (LOW == "") return ""
    return (HIGH > -LOW ? HIGH : -LOW) + 0
}
# -1, 0, 1: a is less than b, no difference is shown, a is more. Sets DIFFERENCE.
function verdict(kind, source, a, b, offset,   limit) {
    limit = threshold(kind, source)
    compare(kind, source, a, b)
    DIFFERENCE = MEDIAN - offset
    if (limit == "" || LOW == "") return 0
    return HIGH - offset < -limit ? -1 : LOW - offset > limit ? 1 : 0
}

# ---- the page ----

function cell(kind, source, a, b, offset,   shown) {
    shown = verdict(kind, source, a, b, offset)
    return sprintf(shown ? "**%+.2f**" : "%+.2f", DIFFERENCE)
}
function noise(kind, source,   limit) {
    limit = threshold(kind, source)
    return limit == "" ? "?" : sprintf("%.2f", limit)
}
function table(what, unit,   i, j) {
    printf "| program | system (%s) | noise: real, replay |", unit
    for (j = 1; j <= allocator_count; j++) if (allocators[j] != reference) printf " %s: real, replay |", allocators[j]
    printf "\n|---|--:|--:|"
    for (j = 1; j <= allocator_count; j++) if (allocators[j] != reference) printf "--:|"
    printf "\n"
    for (i = 1; i <= source_count; i++) {
        printf "| %s | %.1f |", sources[i], level("real " what, sources[i], reference)
        printf " %s, %s |", noise("real " what, sources[i]), noise("replay " what, sources[i])
        for (j = 1; j <= allocator_count; j++) {
            if (allocators[j] == reference) continue
            printf " %s,", cell("real " what, sources[i], allocators[j], reference,
                                loading(what, sources[i], allocators[j], reference))
            printf " %s |", cell("replay " what, sources[i], allocators[j], reference, 0)
        }
        printf "\n"
    }
    printf "\n"
}
function loading_table(what, unit,   i, j, list) {
    printf "| %s |", unit
    for (j = 1; j <= allocator_count; j++) {
        if (allocators[j] == reference) continue
        delete list
        for (i = 1; i <= source_count; i++) list[i] = loading(what, sources[i], allocators[j], reference)
        estimate(list, source_count)
        printf " %+.1f (%+.1f to %+.1f) |", MEDIAN, list[1], list[source_count]
    }
    printf "\n"
}
# Every pair of allocators of every program: what the replay says of it, where the real difference is resolved and where not.
function agreement(what, words, takes_off,   i, j, k, real, replay, offset, where, a, b) {
    same = opposite = silent = unresolved = claimed = 0
    for (i = 1; i <= source_count; i++)
        for (j = 1; j <= allocator_count; j++)
            for (k = j + 1; k <= allocator_count; k++) {
                a = allocators[j]; b = allocators[k]
                offset = takes_off ? loading(what, sources[i], a, b) : 0
                real = verdict("real " what, sources[i], a, b, offset); where = DIFFERENCE
                replay = verdict("replay " what, sources[i], a, b, 0)
                if (!real) { unresolved++; claimed += replay != 0; continue }
                if (!replay) silent++
                else if (real == replay) same++
                else {
                    opposite++
                    if (takes_off) contrary[what] = contrary[what] sprintf("; %s: %s less %s (%+.1f, %+.1f)",
                                                                           sources[i], a, b, where, DIFFERENCE)
                }
            }
    printf "| %s | %d | %d | %d | %d | %d | %d |\n", words, same + opposite + silent, same, opposite, silent, unresolved, claimed
}
# Pearson's correlation of the two differences from the reference, over everything but the reference itself.
function correlation(what,   i, j, x, y, n, sx, sy, sxx, syy, sxy, spread) {
    for (i = 1; i <= source_count; i++)
        for (j = 1; j <= allocator_count; j++) {
            if (allocators[j] == reference) continue
            compare("real " what, sources[i], allocators[j], reference)
            x = MEDIAN - loading(what, sources[i], allocators[j], reference)
            compare("replay " what, sources[i], allocators[j], reference)
            y = MEDIAN; n++; sx += x; sy += y; sxx += x * x; syy += y * y; sxy += x * y
        }
    spread = (n * sxx - sx * sx) * (n * syy - sy * sy)
    return spread > 0 ? sprintf("%.2f", (n * sxy - sx * sy) / sqrt(spread)) : "unknown"
}
function list_contrary(what, unit) {
    if (contrary[what] != "") printf "Opposite order in %s (difference in %s: real, replay): %s.\n\n", what, unit, substr(contrary[what], 3)
}
END {
    printf "Medians of %d real blocks; replays of %d blocks for time and %d for memory.", blocks["real time", sources[1]],
           blocks["replay time", sources[1]], blocks["replay peak", sources[1]]
    print (failed ? " Runs that failed and are left out: " failed "." : "") "\n"
    print "## Loading alone\n"
    printf "| more than %s takes |", reference
    for (j = 1; j <= allocator_count; j++) if (allocators[j] != reference) printf " %s |", allocators[j]
    printf "\n|---|"
    for (j = 1; j <= allocator_count; j++) if (allocators[j] != reference) printf "--:|"
    printf "\n"
    loading_table("time", "ms of processor time")
    loading_table("peak", "MiB at the peak")
    print "\nMedian over the programs, least and most. Taken off the real differences below.\n"
    print "## Processor time (ms)\n"
    table("time", "ms")
    print "## Peak resident memory (MiB)\n"
    table("peak", "MiB")
    print "## How often the order is the same\n"
    print "| pairs of allocators | really differ | replay: same order | opposite order | shows none | not resolved in reality | replay claims a difference |"
    print "|---|--:|--:|--:|--:|--:|--:|"
    agreement("time", "processor time", 1)
    agreement("peak", "peak resident memory", 1)
    agreement("time", "processor time, loading left in", 0)
    agreement("peak", "peak resident memory, loading left in", 0)
    print ""
    list_contrary("time", "ms")
    list_contrary("peak", "MiB")
    print "Correlation of the differences from " reference ": " correlation("time") " for time, " correlation("peak") " for memory."
}
