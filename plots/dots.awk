# summary.csv -> the table of a dot plot: one row per source, one dot per allocator in it, geometric means last.
#   awk -f csv.awk -f dots.awk -v kind=trace|workload -v metric=time|memory
# Writes row, label, allocator, value, low, high, floor, mean. `floor` is what the harness itself costs, 0 where that is not
# known. `mean` is 1 in the last row, over the sources that every allocator of the table ran. A run without a value has no line, and only the
# first line of a row has its label.

function remember_source(source,    note) {
    if (source in row)
        return
    row[source] = ++row_count
    label[row_count] = source_label(source)
    full_name[row_count] = source
    note = metric == "memory" ? amount(field[column["peak_live_bytes"]]) : ""
    if (metric != "memory" && field[column["threads"]] > 1)
        note = field[column["threads"]] " threads"
    note_of[row_count] = note
}

function amount(bytes) {
    if (bytes < 1048576)
        return sprintf("%.0f KiB", bytes / 1024)
    return sprintf(bytes < 10485760 ? "%.1f MiB" : "%.0f MiB", bytes / 1048576)
}

function known(text, otherwise) {
    return text == "" ? otherwise : text
}

function remember_allocator(name) {
    if (!(name in allocator_seen)) {
        allocator_seen[name] = 1
        allocators[++allocator_count] = name
    }
}

# Two rows that read the same would be two sources taken for one: they keep their whole names.
function tell_labels_apart(    i, j) {
    for (i = 1; i <= row_count; i++)
        for (j = i + 1; j <= row_count; j++)
            if (label[i] == label[j]) {
                label[i] = full_name[i]
                label[j] = full_name[j]
            }
}

function print_means(    i, a, shared, complete, sum) {
    for (i = 1; i <= row_count; i++) {
        complete = 1
        for (a = 1; a <= allocator_count; a++)
            if (!((i, allocators[a]) in value))
                complete = 0
        if (complete) {
            shared++
            for (a = 1; a <= allocator_count; a++)
                sum[a] += log(value[i, allocators[a]])
        }
    }
    if (shared < 2)
        return
    for (a = 1; a <= allocator_count; a++)
        print row_count + 1 "," csv_quote(a == 1 ? "geometric mean of " shared : "") "," allocators[a] "," (mean = exp(sum[a] / shared)) "," mean "," mean ",0,1"
}

NR == 1 {
    csv_header(csv_record(), column)
    print "row,label,allocator,value,low,high,floor,mean"
    next
}

{
    csv_split(csv_record(), field)
    if (field[column["source_kind"]] != kind || is_no_contender(field[column["allocator"]]))
        next
    if (metric == "memory") {
        live = field[column["peak_live_bytes"]]
        amount_shown = live > 0 ? field[column["peak_rss_bytes"]] / live : 0
        low = high = amount_shown
        floor_shown = 0
    } else {
        amount_shown = field[column["ns_per_event"]]
        low = known(field[column["ns_per_event_min"]], amount_shown)
        high = known(field[column["ns_per_event_max"]], amount_shown)
        floor_shown = known(field[column["overhead_ns_per_event"]], 0)
    }
    if (amount_shown + 0 <= 0)
        next
    remember_source(field[column["source"]])
    name = allocator_label(field[column["allocator"]])
    remember_allocator(name)
    value[row[field[column["source"]]], name] = amount_shown
    spread[row[field[column["source"]]], name] = low "," high "," floor_shown
}

END {
    tell_labels_apart()
    for (i = 1; i <= row_count; i++) {
        text = label[i] (note_of[i] == "" ? "" : " · " note_of[i])
        for (a = 1; a <= allocator_count; a++) {
            if ((i, allocators[a]) in value) {
                print i "," csv_quote(text) "," allocators[a] "," value[i, allocators[a]] "," spread[i, allocators[a]] ",0"
                text = ""
            }
        }
    }
    print_means()
}
