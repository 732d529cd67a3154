# summary.csv, occupancy.csv -> the source of which allocators hold the largest share in vain: dead bytes of resident pages where live
# bytes peak, over all allocators. Of those large enough for pages to tell; of smaller ones any, if there is no other.
#   -v kind=trace|workload

BEGIN {
    LARGE_BYTES = 4194304
    PAGE_BYTES = 4096
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
}

file == 1 {
    kind_of[source] = field[column["source_kind"]]
    is_large[source] = field[column["peak_live_bytes"]] >= LARGE_BYTES
    next
}

!is_no_contender(field[column["allocator"]]) {
    resident[source] += field[column["cells"]] * field[column["resident_pages"]] * PAGE_BYTES
    live[source] += field[column["cells"]] * field[column["live_bytes"]]
}

END {
    for (source in resident) {
        if (kind_of[source] != kind || resident[source] <= 0)
            continue
        share = 1 - live[source] / resident[source] + is_large[source]
        if (chosen == "" || share > most || (share == most && source < chosen)) {
            chosen = source
            most = share
        }
    }
    print chosen
}
