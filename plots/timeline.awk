# timeline.csv -> the curves of one source, of its first repetition: allocator, event, live, resident (MiB), drain (seconds
# since everything was freed, -1 before).
#   -v source=NAME

BEGIN {
    seconds["drain_0"] = 0
    seconds["drain_100ms"] = 0.1
    seconds["drain_1s"] = 1
}

NR == 1 {
    csv_header(csv_record(), column)
    print "allocator,event,live,resident,drain"
    next
}

{
    csv_split(csv_record(), field)
    if (field[column["source"]] != source || is_no_contender(field[column["allocator"]]) || field[column["resident_bytes"]] == "")
        next
    if (!(field[column["allocator"]] in first))
        first[field[column["allocator"]]] = field[column["repetition"]]
    if (first[field[column["allocator"]]] != field[column["repetition"]])
        next
    point = field[column["point"]]
    print allocator_label(field[column["allocator"]]) "," field[column["event"]] "," \
          field[column["live_bytes"]] / 1048576 "," field[column["resident_bytes"]] / 1048576 "," \
          (point in seconds ? seconds[point] : -1)
}
