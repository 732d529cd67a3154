# Puts real runs (first file) and replays (second file) beside each other, as a page in Markdown.
BEGIN { FS = ","; reference = "system" }
FNR == 1 { file++; for (i = 1; i <= NF; i++) column[file, $i] = i; next }

function add(kind, source, allocator, value) {
    if (value == "") return
    key = kind SUBSEP source SUBSEP allocator
    values[key, ++count[key]] = value + 0
}
function median(kind, source, allocator,   key, n, i, j, kept) {
    key = kind SUBSEP source SUBSEP allocator
    n = count[key]
    for (i = 2; i <= n; i++) {
        kept = values[key, i]
        for (j = i - 1; j >= 1 && values[key, j] > kept; j--) values[key, j + 1] = values[key, j]
        values[key, j + 1] = kept
    }
    return n ? (values[key, int((n + 1) / 2)] + values[key, int(n / 2) + 1]) / 2 : ""
}
file == 1 {
    source = $column[1, "source"]; allocator = $column[1, "allocator"]
    if (!(source in known)) { known[source] = 1; sources[++source_count] = source }
    if (!(allocator in named)) { named[allocator] = 1; allocators[++allocator_count] = allocator }
    add("real time", source, allocator, $column[1, "processor_ns"])
    add("real peak", source, allocator, $column[1, "peak_rss_bytes"])
}
file == 2 && $column[2, "status"] == "ok" {
    source = $column[2, "source"]; allocator = $column[2, "allocator"]
    if ($column[2, "mode"] == "throughput") add("replay time", source, allocator, $column[2, "wall_ns"])
    if ($column[2, "mode"] == "memory") add("replay peak", source, allocator, $column[2, "peak_rss_bytes"])
}
# Pearson's correlation of the two differences from the reference, over everything but the reference itself.
function correlation(what,   i, j, x, y, n, sx, sy, sxx, syy, sxy) {
    for (i = 1; i <= source_count; i++)
        for (j = 1; j <= allocator_count; j++) {
            if (allocators[j] == reference) continue
            x = difference("real " what, sources[i], allocators[j]); y = difference("replay " what, sources[i], allocators[j])
            n++; sx += x; sy += y; sxx += x * x; syy += y * y; sxy += x * y
        }
    return (n * sxy - sx * sy) / sqrt((n * sxx - sx * sx) * (n * syy - sy * sy))
}
function difference(kind, source, allocator) {
    return median(kind, source, allocator) - median(kind, source, reference)
}
# The pairs of allocators whose order is the same in both, of those that differ by more than 2 % in reality.
function same_order(what,   i, j, k, a, b, c, d) {
    agreeing = pairs = 0
    for (i = 1; i <= source_count; i++)
        for (j = 1; j <= allocator_count; j++)
            for (k = j + 1; k <= allocator_count; k++) {
                a = median("real " what, sources[i], allocators[j]); b = median("real " what, sources[i], allocators[k])
                c = median("replay " what, sources[i], allocators[j]); d = median("replay " what, sources[i], allocators[k])
                if (a > b * 1.02 || b > a * 1.02) { pairs++; agreeing += (a > b) == (c > d) }
            }
    return agreeing " of " pairs
}
function table(what, unit, scale,   i, j, source, allocator) {
    printf "| program | %s real (%s) |", reference, unit
    for (j = 1; j <= allocator_count; j++) if (allocators[j] != reference) printf " %s: real, replay |", allocators[j]
    printf "\n|---|--:|"
    for (j = 1; j <= allocator_count; j++) if (allocators[j] != reference) printf "--:|"
    printf "\n"
    for (i = 1; i <= source_count; i++) {
        source = sources[i]
        printf "| %s | %.1f |", source, median("real " what, source, reference) / scale
        for (j = 1; j <= allocator_count; j++) {
            allocator = allocators[j]
            if (allocator == reference) continue
            printf " %+.1f, %+.1f |", difference("real " what, source, allocator) / scale, difference("replay " what, source, allocator) / scale
        }
        printf "\n"
    }
    printf "\n"
}
END {
    print "# How far a replay tells the truth\n"
    print "Each program of a shipped trace was run for real under each allocator (preloaded), and its trace was replayed on the same"
    print "allocators. A replay holds the allocator's calls and nothing else, so what can agree is the difference from one allocator to"
    print "another. The tables give the difference from " reference " in both, medians of the runs; the `measure` script beside this page made them.\n"
    print "## Processor time\n"
    table("time", "ms", 1e6)
    print "Order of two allocators that really differ by more than 2 %: the same in the replay for " same_order("time") " pairs."
    printf "Correlation of the differences: %.2f.\n\n", correlation("time")
    print "## Peak resident memory\n"
    table("peak", "MiB", 1048576)
    print "Order of two allocators that really differ by more than 2 %: the same in the replay for " same_order("peak") " pairs."
    printf "Correlation of the differences: %.2f.\n\n", correlation("peak")
    print "## Where replay misleads\n"
    print "- The program's own work between two calls uses the caches and the memory that the allocator lays out; a replay touches one byte a"
    print "  page, so an allocator that packs objects well, or badly, for the program's own accesses shows no difference here."
    print "- The peak of a real run contains what a library takes by being loaded and set up, and the libraries that it brings along; a"
    print "  replay's baseline is taken after that. It shows where the real difference is larger by about the same for every program."
    print "- The program's processor time contains its start, where a preloaded library is loaded and set up; a replay's does not."
    print "- A replay has the recorded sizes to the byte, but not what a program does by `malloc_usable_size` or by what it finds in memory."
    print "- Threads wait for nothing but each other's objects in a replay, so they run closer together than they did, and contend more."
}
