# summary.csv -> one point per allocator: time per call and peak resident bytes relative to `system`, geometric means over
# the sources that every allocator ran; of recorded programs where there are any, else of workloads.
# Writes allocator, time, memory, front (1: no other is both faster and leaner), shared, kind, where the middle of the name is to
# stand (name_time, name_memory), and the picture's edges (left, right, low, high); nothing without `system` and another.

BEGIN {
    # In units of 1/900 of the chart's width: the picture, a mark, the air beside it, a name's lines and letters.
    PICTURE_WIDTH = 774
    PICTURE_HEIGHT = 424
    MARK = 16
    AIR = 6
    NAME_HEIGHT = 17
    LETTER = 10
    # Where a name may stand from its mark, the best first: by the sum of the halves of their widths, and by lines.
    PLACES = split("1,0 -1,0 0,1 0,-1 1,1 1,-1 -1,1 -1,-1 0,2 0,-2 1,2 1,-2 -1,2 -1,-2 0,3 0,-3 1,3 1,-3 -1,3 -1,-3", place, " ")
}

NR == 1 {
    csv_header(csv_record(), column)
    print "allocator,time,memory,front,shared,kind,name_time,name_memory,left,right,low,high"
    next
}

{
    csv_split(csv_record(), field)
    if (is_no_contender(field[column["allocator"]]) || field[column["ns_per_event"]] + 0 <= 0 || field[column["peak_rss_bytes"]] + 0 <= 0)
        next
    name = allocator_label(field[column["allocator"]])
    source = field[column["source"]]
    if (!(name in names))
        ordered[++name_count] = name
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

# The edges: some room around all points, more of it beside them, for names.
function measure(    i, t, m) {
    for (i = 1; i <= name_count; i++) {
        t = means_time[ordered[i]] = exp(time_sum[ordered[i]] / shared)
        m = means_memory[ordered[i]] = exp(memory_sum[ordered[i]] / shared)
        left = i == 1 || t < left ? t : left
        right = i == 1 || t > right ? t : right
        low = i == 1 || m < low ? m : low
        high = i == 1 || m > high ? m : high
    }
    t = 1.8 * (right > left ? 0.12 * (right - left) : 0.1)
    m = high > low ? 0.12 * (high - low) : 0.1
    left -= t
    right += t
    low -= m
    high += m
}

function x_of(name) {
    return (means_time[name] - left) / (right - left) * PICTURE_WIDTH
}

function y_of(name) {
    return (means_memory[name] - low) / (high - low) * PICTURE_HEIGHT
}

function shared_length(middle, length_here, other, length_there,    apart) {
    apart = middle > other ? middle - other : other - middle
    return apart < (length_here + length_there) / 2 ? (length_here + length_there) / 2 - apart : 0
}

function beyond(middle, length_here, edge,    over) {
    over = middle < edge / 2 ? length_here / 2 - middle : middle + length_here / 2 - edge
    return over > 0 ? over : 0
}

# How much of a name in that place would lie on marks, names that have their place, or beyond the edges.
function covered(x, y, width,    i, name, sum) {
    for (i = 1; i <= name_count; i++) {
        name = ordered[i]
        sum += shared_length(x, width, x_of(name), MARK) * shared_length(y, NAME_HEIGHT, y_of(name), MARK)
        if (name in name_x)
            sum += shared_length(x, width, name_x[name], width_of(name)) * shared_length(y, NAME_HEIGHT, name_y[name], NAME_HEIGHT)
    }
    return sum + beyond(x, width, PICTURE_WIDTH) * NAME_HEIGHT + beyond(y, NAME_HEIGHT, PICTURE_HEIGHT) * width
}

# Letters like l are half as wide as others, those like m half as wide again.
function width_of(name,    text) {
    text = name
    return LETTER * (length(name) - 0.5 * gsub(/[ijl.]/, "", text) + 0.5 * gsub(/[mw]/, "", text))
}

function place_name(name,    i, step, x, y, cover, least, best_x, best_y) {
    for (i = 1; i <= PLACES; i++) {
        split(place[i], step, ",")
        x = x_of(name) + step[1] * ((MARK + width_of(name)) / 2 + AIR)
        y = y_of(name) + step[2] * (NAME_HEIGHT + 1)
        cover = covered(x, y, width_of(name))
        if (i == 1 || cover < least - 1) {
            least = cover
            best_x = x
            best_y = y
        }
    }
    name_x[name] = best_x
    name_y[name] = best_y
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
    for (i = 1; i <= name_count; i++) {
        name = ordered[i]
        place_name(name)
        print name "," means_time[name] "," means_memory[name] "," !is_beaten(name) "," shared "," kind "," \
              left + name_x[name] / PICTURE_WIDTH * (right - left) "," low + name_y[name] / PICTURE_HEIGHT * (high - low) "," \
              left "," right "," low "," high
    }
}
