# summary.csv, timeline.csv -> the curves of all sources long enough for growth to show: panel, source, allocator, event, live,
# resident (MiB), slope (of resident, KiB per million events). The first row of a panel is of allocator `live`, with its slope.

BEGIN {
    LONG_EVENTS = 10000000
    MIB = 1048576
}

FNR == 1 {
    file++
    split("", column)
    csv_header(csv_record(), column)
    if (file == 1)
        print "panel,source,allocator,event,live,resident,slope"
    next
}

{
    csv_split(csv_record(), field)
    source = field[column["source"]]
    name = field[column["allocator"]]
}

is_no_contender(name) {
    next
}

file == 1 {
    if (field[column["events"]] < LONG_EVENTS || field[column["rss_slope_bytes_per_million_events"]] == "")
        next
    if (!(source in panel)) {
        panel[source] = ++panel_count
        print panel_count "," csv_quote(source) ",live,0,0,0," field[column["live_slope_bytes_per_million_events"]] / 1024
    }
    slope[source, name] = field[column["rss_slope_bytes_per_million_events"]] / 1024
    next
}

(source, name) in slope && field[column["point"]] !~ /^drain/ {
    if (!((source, name) in first))
        first[source, name] = field[column["repetition"]]
    if (first[source, name] == field[column["repetition"]])
        print panel[source] "," csv_quote(source) "," allocator_label(name) "," field[column["event"]] "," \
              field[column["live_bytes"]] / MIB "," field[column["resident_bytes"]] / MIB "," slope[source, name]
}
