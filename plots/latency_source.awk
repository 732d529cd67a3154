# summary.csv and latency.csv -> the source of that kind whose 99.9th percentiles of malloc differ most between allocators.
# Where the timer's floor hides all of them, any will do.
#   -v kind=trace|workload

FNR == 1 {
    file++
    delete column
    csv_header(csv_record(), column)
    next
}

{
    csv_split(csv_record(), field)
    source = field[column["source"]]
}

file == 1 {
    kind_of[source] = field[column["source_kind"]]
    next
}

kind_of[source] == kind && !is_no_contender(field[column["allocator"]]) && field[column["kind"]] == "malloc" &&
field[column["percentile"]] == 99.9 && field[column["latency_ns"]] != "" {
    latency = field[column["latency_ns"]] + 0
    if (latency < field[column["floor_ns"]] + 0)
        latency = field[column["floor_ns"]] + 0
    if (!(source in least) || latency < least[source])
        least[source] = latency
    if (!(source in most) || latency > most[source])
        most[source] = latency
}

END {
    for (source in least)
        if (least[source] > 0 && (chosen == "" || most[source] / least[source] > most[chosen] / least[chosen]))
            chosen = source
    print chosen
}
