# summary.csv -> 1 where a figure is known of any allocator on any source, else nothing.
#   -v metric=time|memory

NR == 1 {
    csv_header(csv_record(), column)
    next
}

{
    csv_split(csv_record(), field)
    if (!is_no_contender(field[column["allocator"]]) && field[column[metric == "time" ? "ns_per_event" : "peak_rss_bytes"]] + 0 > 0) {
        print 1
        exit
    }
}
