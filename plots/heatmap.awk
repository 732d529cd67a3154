# summary.csv -> the cells of a heat map, a row per source and one per kind's geometric mean: row, label, allocator, ratio (to
# the best of the row), colour, ink (of the figure).
#   -v metric=time|memory
# Of memory, sources whose live bytes peak below a MiB are left out: there an allocator's fixed costs drown all else.
# Rows that only one allocator ran tell nothing and have no cells. Means are over the sources that every allocator ran.

BEGIN {
    FULL = 4 # the ratio of the darkest colour
    SMALLEST_BYTES = 1048576
}

NR == 1 {
    csv_header(csv_record(), column)
    print "row,label,allocator,ratio,colour,ink"
    next
}

{
    csv_split(csv_record(), field)
    amount = field[column[metric == "time" ? "ns_per_event" : "peak_rss_bytes"]] + 0
    if (is_no_contender(field[column["allocator"]]) || amount <= 0 ||
        (metric == "memory" && field[column["peak_live_bytes"]] < SMALLEST_BYTES))
        next
    source = field[column["source"]]
    if (!(source in known))
        sources[++source_count] = source
    known[source] = 1
    name = allocator_label(field[column["allocator"]])
    if (!(name in seen))
        names[++name_count] = name
    seen[name] = 1
    kind_of[source] = field[column["source_kind"]]
    value[source, name] = amount
    if (!(source in best) || amount < best[source])
        best[source] = amount
    ran[source]++
}

# From near white at 1 to a deep orange brown at FULL and more, evenly in the logarithm; dark and light also in grey.
function shade(ratio,    part) {
    part = log(ratio) / log(FULL)
    part = part > 1 ? 1 : part
    ink = part > 0.62 ? "0xffffff" : "0x222222"
    return sprintf("0x%02x%02x%02x", 250 - 110 * part ^ 1.6, 247 - 195 * part, 240 - 236 * part ^ 0.7)
}

function print_cell(label, name, ratio,    colour) {
    colour = shade(ratio)
    print row "," csv_quote(label) "," name "," ratio "," colour "," ink
}

function print_kind(kind, mean_label,    i, a, source, sum, shared, label) {
    for (i = 1; i <= source_count; i++) {
        source = sources[i]
        if (kind_of[source] != kind || ran[source] < 2)
            continue
        row++
        label = source_label(source)
        for (a = 1; a <= name_count; a++)
            if ((source, names[a]) in value) {
                print_cell(label, names[a], value[source, names[a]] / best[source])
                label = ""
                if (ran[source] == name_count)
                    sum[a] += log(value[source, names[a]] / best[source])
            }
        shared += ran[source] == name_count
    }
    if (shared < 2)
        return
    row++
    for (a = 1; a <= name_count; a++)
        print_cell(a == 1 ? sprintf(mean_label, shared) : "", names[a], exp(sum[a] / shared))
    row += 0.4 # a gap between the kinds
}

END {
    print_kind("trace", "geometric mean of %d")
    print_kind("workload", "geometric mean of %d")
}
