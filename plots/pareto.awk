# summary.csv -> one point per allocator: time per call and peak resident bytes relative to `system`, geometric means over
# the sources that every allocator ran; of recorded programs where there are any, else of workloads.
# Writes allocator, time, memory, front (1: no other is both faster and leaner), shared, kind, side (-1: the name has to stand
# to the left, since there is a point to the right); nothing without `system` and another.

BEGIN {
    NAME_WIDTH = 0.14 # of the picture
    NAME_HEIGHT = 0.05
}

NR == 1 {
    csv_header(csv_record(), column)
    print "allocator,time,memory,front,shared,kind,side"
    next
}

{
    csv_split(csv_record(), field)
    if (is_no_contender(field[column["allocator"]]) || field[column["ns_per_event"]] + 0 <= 0 || field[column["peak_rss_bytes"]] + 0 <= 0)
        next
    name = allocator_label(field[column["allocator"]])
    source = field[column["source"]]
    if (!(name in names))
        name_count++
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

# Call before print: the extent of the picture.
function measure(    name, t, m) {
    for (name in names) {
        t = exp(time_sum[name] / shared)
        m = exp(memory_sum[name] / shared)
        if (!width_known++) {
            least_time = most_time = t
            least_memory = most_memory = m
        }
        least_time = t < least_time ? t : least_time
        most_time = t > most_time ? t : most_time
        least_memory = m < least_memory ? m : least_memory
        most_memory = m > most_memory ? m : most_memory
    }
}

function side(name,    other, right, up) {
    for (other in names) {
        right = exp(time_sum[other] / shared) - exp(time_sum[name] / shared)
        up = exp(memory_sum[other] / shared) - exp(memory_sum[name] / shared)
        if (up < 0)
            up = -up
        if (other != name && right >= 0 && (right > 0 || other > name) &&
            right < NAME_WIDTH * (most_time - least_time) && up < NAME_HEIGHT * (most_memory - least_memory))
            return -1
    }
    return 1
}

END {
    if (!("system" in names) || name_count < 2)
        exit
    kind = "trace"
    add_shared(kind)
    if (!shared) {
        kind = "workload"
        add_shared(kind)
    }
    if (!shared)
        exit
    measure()
    for (name in names)
        print name "," exp(time_sum[name] / shared) "," exp(memory_sum[name] / shared) "," !is_beaten(name) "," shared "," kind "," side(name)
}
