# summary.csv, timeline.csv -> the curves of all sources long enough for growth to show: panel, source, allocator, event, live,
# resident (MiB), slope (of resident, KiB per million events), doubt (what may be no growth of it, above and below). The first
# row of a panel is of allocator `live`, with its slope.

BEGIN {
    LONG_EVENTS = 10000000
    MIB = 1048576
}

FNR == 1 {
    file++
    split("", column)
    csv_header(csv_record(), column)
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
        sources[panel_count] = source
        live_slope[source] = field[column["live_slope_bytes_per_million_events"]] / 1024
    }
    slope[source, name] = field[column["rss_slope_bytes_per_million_events"]] / 1024
    next
}

(source, name) in slope && field[column["point"]] !~ /^drain/ {
    if (!((source, name) in first)) {
        first[source, name] = field[column["repetition"]]
        curves[panel[source], ++curve_count[panel[source]]] = name
    }
    if (first[source, name] != field[column["repetition"]])
        next
    place = ++points[source, name]
    event[source, name, place] = field[column["event"]]
    live[source, name, place] = field[column["live_bytes"]]
    resident[source, name, place] = field[column["resident_bytes"]]
}

# How often values[1 to count] come up from their lowest quarter to their highest.
function waves(values, count,    i, sorted, low, high, is_down, found) {
    for (i = 1; i <= count; i++)
        sorted[i] = values[i]
    sort_numbers(sorted, count)
    low = sorted[int(count / 4) + 1]
    high = sorted[int(count * 3 / 4) + 1]
    for (i = 1; i <= count && low < high; i++) {
        found += is_down && values[i] >= high
        is_down = values[i] <= low || (is_down && values[i] < high)
    }
    return found
}

# What a slope may be that is no growth, in its unit: n like waves of height h, cut off anywhere, have one of up to about h over n
# times the length in least squares (a sine 0.95 of it, a sawtooth all). The height is what the second half leaves of a straight line.
function doubt(of, source, name, slope,    i, count, from, length_events, rest, low, high, found) {
    for (i = 1; i <= points[source, name]; i++) {
        if (2 * event[source, name, i] < event[source, name, points[source, name]])
            continue
        if (!count++)
            from = event[source, name, i]
        length_events = event[source, name, i] - from
        rest[count] = of[source, name, i] / 1024 - slope * length_events / 1000000
        low = count == 1 || rest[count] < low ? rest[count] : low
        high = count == 1 || rest[count] > high ? rest[count] : high
    }
    found = waves(rest, count)
    return length_events ? (high - low) / (length_events / 1000000) / (found ? found : 1) : 0
}

function print_curve(number, source, name,    i, growth) {
    growth = slope[source, name] "," doubt(resident, source, name, slope[source, name])
    for (i = 1; i <= points[source, name]; i++)
        print number "," csv_quote(source) "," allocator_label(name) "," event[source, name, i] "," \
              live[source, name, i] / MIB "," resident[source, name, i] / MIB "," growth
}

END {
    print "panel,source,allocator,event,live,resident,slope,doubt"
    for (number = 1; number <= panel_count; number++) {
        source = sources[number]
        print number "," csv_quote(source) ",live,0,0,0," live_slope[source] "," \
              doubt(live, source, curves[number, 1], live_slope[source])
        for (i = 1; i <= curve_count[number]; i++)
            print_curve(number, source, curves[number, i])
    }
}
