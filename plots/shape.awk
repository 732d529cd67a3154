# summary.csv, timeline.csv or latency.csv -> what is wrong with it: the first record that is damaged, or nothing.

function is_text(name) {
    return name ~ /^(source|source_kind|allocator|allocator_version|kind|point)$/
}

NR == 1 {
    column_count = csv_split(csv_record(), name)
    next
}

{
    first = NR
    found = csv_split(csv_record(), field)
    if (found != column_count) {
        print "line " first ": " found " fields instead of " column_count
        exit
    }
    for (i = 1; i <= column_count; i++)
        if (field[i] != "" && !is_text(name[i]) && field[i] !~ /^-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$/) {
            print "line " first ": " name[i] " is no number"
            exit
        }
}
