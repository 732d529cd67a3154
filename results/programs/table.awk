# What whole programs take under each allocator (real.csv), as a page in Markdown. Needs ../statistics.awk.
BEGIN {
    FS = ","
    subject = "mem_ts"; control = "system#2"; reference = "system"; rivals[1] = "system"; rivals[2] = "mimalloc"
    words["system"] = "glibc"
    columns[1] = "wall_ns"; columns[2] = "processor_ns"; columns[3] = "peak_rss_bytes"
    title["wall_ns"] = "wall time"; title["processor_ns"] = "processor time"; title["peak_rss_bytes"] = "peak resident"
    unit["wall_ns"] = "ms"; unit["processor_ns"] = "ms"; unit["peak_rss_bytes"] = "MiB"
    scale["wall_ns"] = scale["processor_ns"] = 1e6; scale["peak_rss_bytes"] = 1048576
}
NR == 1 { for (i = 1; i <= NF; i++) place[$i] = i; next }
$place["status"] != "ok" { failed++; next }
{
    source = $place["source"]; allocator = $place["allocator"]; block = $place["repetition"] + 0
    if (!(source in known)) { known[source] = 1; sources[++source_count] = source }
    if (!(allocator in named) && allocator != control) { named[allocator] = 1; allocators[++allocator_count] = allocator }
    for (i = 1; i <= 3; i++) figure[columns[i], source, allocator, block] = $place[columns[i]]
    if (block > blocks[source]) blocks[source] = block
}

# Sets MEDIAN, LOW and HIGH for the ratio of two allocators over the blocks in which both ran.
function ratio(column, source, a, b,   i, n, list) {
    for (i = 1; i <= blocks[source]; i++)
        if ((column, source, a, i) in figure && (column, source, b, i) in figure)
            list[++n] = figure[column, source, a, i] / figure[column, source, b, i]
    estimate(list, n)
}
function level(column, source, allocator,   i, n, list) {
    for (i = 1; i <= blocks[source]; i++)
        if ((column, source, allocator, i) in figure) list[++n] = figure[column, source, allocator, i]
    estimate(list, n)
    return MEDIAN
}
# The factor above 1 that a ratio must exceed to count, as the control says; empty without one.
function threshold(column, source) {
    ratio(column, source, control, reference)
    if (LOW == "") return ""
    return HIGH > 1 / LOW ? HIGH : 1 / LOW
}
function name_of(allocator) {
    return allocator in words ? words[allocator] : allocator
}
# The rival that takes least.
function better(column, source,   i, best) {
    for (i in rivals)
        if (best == "" || level(column, source, rivals[i]) < level(column, source, best)) best = rivals[i]
    return best
}
# Met: no more than the better rival takes, to within the noise. Missed: the whole interval is beyond it. Else open.
function verdict(limit) {
    if (limit == "" || LOW == "") return "refused"
    return LOW > limit ? "missed" : MEDIAN <= limit ? "met" : "open"
}
function acceptance_row(column, source,   best, limit) {
    best = better(column, source)
    limit = threshold(column, source)
    ratio(column, source, subject, best)
    printf "| %s | %s | %s | %.3f | ", source, title[column], name_of(best), MEDIAN
    print (LOW == "" ? "too few blocks" : sprintf("%.3f to %.3f", LOW, HIGH)) " | " \
        (limit == "" ? "unknown" : sprintf("%.3f", limit)) " | " verdict(limit) " |"
}
function levels_table(column,   i, j) {
    printf "| %s (%s) |", title[column], unit[column]
    for (j = 1; j <= allocator_count; j++) printf " %s |", name_of(allocators[j])
    printf "\n|---|"
    for (j = 1; j <= allocator_count; j++) printf "--:|"
    printf "\n"
    for (i = 1; i <= source_count; i++) {
        printf "| %s |", sources[i]
        for (j = 1; j <= allocator_count; j++) printf " %.2f |", level(column, sources[i], allocators[j]) / scale[column]
        printf "\n"
    }
    printf "\n"
}
END {
    print "## mem_ts against the better of glibc and mimalloc\n"
    print "| program | | better | ratio | 95 % | noise | verdict |"
    print "|---|---|---|--:|--:|--:|---|"
    for (i = 1; i <= source_count; i++)
        for (j = 1; j <= 3; j++) acceptance_row(columns[j], sources[i])
    printf "\nBlocks:"
    for (i = 1; i <= source_count; i++) printf "%s %s %d", (i > 1 ? "," : ""), sources[i], blocks[sources[i]]
    print "." (failed ? " Runs that failed and are left out: " failed "." : "") "\n"
    print "## Medians\n"
    for (j = 1; j <= 3; j++) levels_table(columns[j])
}
