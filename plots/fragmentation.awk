# summary.csv -> the table of the fragmentation chart, one dot per allocator and source whose live bytes peak at a MiB or
# more: below, an allocator's fixed costs drown what fragmentation does.
# Writes: allocator, kind (trace or workload), value, and for means: mean (their value, else 0), shared (over how many
# sources: those that every allocator ran). The largest of each allocator and kind has its source's name in `worst`.

BEGIN {
    SMALLEST_BYTES = 1048576
}

NR == 1 {
    csv_header(csv_record(), column)
    print "allocator,kind,value,worst,mean,shared"
    next
}

{
    csv_split(csv_record(), field)
    ratio = field[column["fragmentation_integral"]]
    if (is_no_contender(field[column["allocator"]]) || ratio + 0 <= 0 || field[column["peak_live_bytes"]] < SMALLEST_BYTES)
        next
    name = allocator_label(field[column["allocator"]])
    kind = field[column["source_kind"]]
    source = field[column["source"]]
    names[name] = 1
    kind_of[source] = kind
    value[name, source] = ratio
    if (!((name, kind) in worst) || ratio > value[name, worst[name, kind]] + 0)
        worst[name, kind] = source
}

function is_shared(source,    name) {
    for (name in names)
        if (!((name, source) in value))
            return 0
    return 1
}

function print_means(kind,    name, source, shared, sum) {
    shared = 0
    for (source in kind_of) {
        if (kind_of[source] == kind && is_shared(source)) {
            shared++
            for (name in names)
                sum[name] += log(value[name, source])
        }
    }
    for (name in names)
        if (shared)
            print name "," kind ",0,\" \"," exp(sum[name] / shared) "," shared
}

END {
    for (source in kind_of)
        for (name in names)
            if ((name, source) in value)
                print name "," kind_of[source] "," value[name, source] "," \
                      csv_quote(worst[name, kind_of[source]] == source ? source_label(source) : "") ",0,0"
    print_means("trace")
    print_means("workload")
}
