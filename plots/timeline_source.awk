# summary.csv -> the source whose resident bytes differ most between allocators, of those large enough for the difference
# to be more than fixed costs, and long enough to have a history: the one worth drawing over time. Of smaller and shorter
# ones any, if there is no other.
#   -v kind=trace|workload

BEGIN {
    LARGE_BYTES = 4194304
    LONG_EVENTS = 100000
}

NR == 1 {
    csv_header(csv_record(), column)
    next
}

{
    csv_split(csv_record(), field)
    mean = field[column["mean_rss_bytes"]]
    source = field[column["source"]]
    if (field[column["source_kind"]] != kind || is_no_contender(field[column["allocator"]]) || mean + 0 <= 0)
        next
    if (field[column["peak_live_bytes"]] < LARGE_BYTES || field[column["events"]] < LONG_EVENTS)
        mean = 1
    if (!(source in least) || mean < least[source])
        least[source] = mean
    if (!(source in most) || mean > most[source])
        most[source] = mean
}

END {
    for (source in least)
        if (chosen == "" || most[source] / least[source] > most[chosen] / least[chosen])
            chosen = source
    print chosen
}
