# latency.csv -> the percentile curves of one source, malloc and free, the median over repetitions: allocator, call, nines
# (1 / the share of slower calls: 10 for 90 %), latency, floor. Nothing below the timer's floor is claimed, so nothing below is
# drawn; the slowest call of all is left out, since it tells of the machine.
#   -v source=NAME

NR == 1 {
    csv_header(csv_record(), column)
    print "allocator,call,nines,latency,floor"
    next
}

{
    csv_split(csv_record(), field)
    call = field[column["kind"]]
    percentile = field[column["percentile"]] + 0
    if (field[column["source"]] != source || is_no_contender(field[column["allocator"]]) || field[column["latency_ns"]] == "" ||
        (call != "malloc" && call != "free") || percentile >= 100)
        next
    name = allocator_label(field[column["allocator"]])
    if (!(name in names))
        ordered[++name_count] = name
    names[name] = 1
    percentiles[percentile] = 1
    run = ++runs[name, call, percentile]
    value[name, call, percentile, run] = field[column["latency_ns"]] + 0
    if (field[column["floor_ns"]] + 0 > floor_ns)
        floor_ns = field[column["floor_ns"]] + 0
}

# The median of value[name, call, percentile, 1 to count].
function median(name, call, percentile, count,    i, sorted) {
    for (i = 1; i <= count; i++)
        sorted[i] = value[name, call, percentile, i]
    sort_numbers(sorted, count)
    return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}

function print_curve(name, call,    i, count, latency) {
    for (i = 1; i <= percentile_count; i++) {
        count = runs[name, call, rising[i]]
        if (!count)
            continue
        latency = median(name, call, rising[i], count)
        print name "," call "," 100 / (100 - rising[i]) "," (latency < floor_ns ? floor_ns : latency) "," floor_ns
    }
}

END {
    for (percentile in percentiles)
        rising[++percentile_count] = percentile + 0
    sort_numbers(rising, percentile_count)
    for (i = 1; i <= name_count; i++) {
        print_curve(ordered[i], "malloc")
        print_curve(ordered[i], "free")
    }
}
