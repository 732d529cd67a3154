# summary.csv -> one point per allocator: time per call and peak resident bytes relative to `system`, geometric means over
# the sources that every allocator ran; of recorded programs where there are any, else of workloads.
# Writes allocator, time, memory, front (1: no other is both faster and leaner), shared, kind; nothing without `system`.

NR == 1 {
    csv_header(csv_record(), column)
    print "allocator,time,memory,front,shared,kind"
    next
}

{
    csv_split(csv_record(), field)
    if (field[column["allocator"]] == "null" || field[column["ns_per_event"]] + 0 <= 0 || field[column["peak_rss_bytes"]] + 0 <= 0)
        next
    name = allocator_label(field[column["allocator"]])
    source = field[column["source"]]
    names[name] = 1
    kind_of[source] = field[column["source_kind"]]
    time[name, source] = field[column["ns_per_event"]]
    memory[name, source] = field[column["peak_rss_bytes"]]
}

function add_shared(kind,    source, name, complete) {
    for (source in kind_of) {
        complete = kind_of[source] == kind
        for (name in names)
            complete = complete && (name, source) in time
        if (!complete)
            continue
        shared++
        for (name in names) {
            time_sum[name] += log(time[name, source] / time["system", source])
            memory_sum[name] += log(memory[name, source] / memory["system", source])
        }
    }
}

function is_beaten(name,    other) {
    for (other in names)
        if (time_sum[other] <= time_sum[name] && memory_sum[other] <= memory_sum[name] &&
            (time_sum[other] < time_sum[name] || memory_sum[other] < memory_sum[name]))
            return 1
    return 0
}

END {
    if (!("system" in names))
        exit
    kind = "trace"
    add_shared(kind)
    if (!shared) {
        kind = "workload"
        add_shared(kind)
    }
    for (name in names)
        if (shared)
            print name "," exp(time_sum[name] / shared) "," exp(memory_sum[name] / shared) "," !is_beaten(name) "," shared "," kind
}
