# Reads RFC 4180: loaded before the other scripts with a second -f.

# Splits `line` into fields[1..]; returns how many. Quotes are dealt with piecewise, since files are long and most
# fields are bare.
function csv_split(line, fields,    parts, pieces, part_count, piece_count, i, j, field, count) {
    if (index(line, "\"") == 0)
        return split(line, fields, ",")
    count = 0
    field = ""
    part_count = split(line, parts, "\"")
    for (i = 1; i <= part_count; i++) {
        if (i % 2 == 0) { # between quotes
            field = field parts[i]
        } else if (parts[i] == "" && i > 1 && i < part_count) { # a doubled quote
            field = field "\""
        } else {
            piece_count = split(parts[i], pieces, ",")
            if (piece_count)
                field = field pieces[1]
            for (j = 2; j <= piece_count; j++) {
                fields[++count] = field
                field = pieces[j]
            }
        }
    }
    fields[++count] = field
    return count
}

# A quoted field may hold line breaks: returns the whole record that starts with $0.
function csv_record(    record, line, quotes) {
    record = $0
    sub(/\r$/, "", record)
    for (;;) {
        line = record
        quotes = gsub(/"/, "", line)
        if (quotes % 2 == 0 || (getline line) <= 0)
            return record
        record = record " " line
    }
}

# Call on the first record; afterwards column["name"] is a field's place, 0 where it is absent.
function csv_header(record, column,    names, count, i) {
    count = csv_split(record, names)
    for (i = 1; i <= count; i++)
        column[names[i]] = i
}

# Never an empty pair of quotes, which gnuplot misreads.
function csv_quote(text) {
    if (text == "")
        return "\" \""
    gsub(/"/, "\"\"", text)
    return "\"" text "\""
}

# What is measured for the harness's own sake, and drawn in no chart as an allocator: its cost, and a full campaign's
# controls (an allocator under a second name, and those with a planted effect).
function is_no_contender(name) {
    return name == "null" || name == "slow" || name == "fat" || name == "leaky" || name ~ /#[0-9]+$/
}

# How charts call an allocator: the library's file name where it was given by its path. Words are separated by
# spaces in gnuplot's lists, so names have none.
function allocator_label(name) {
    sub(/^.*\//, "", name)
    gsub(/ /, "_", name)
    return name
}

# How charts call a source: without the parameters that only say how much of it.
function source_label(name) {
    sub(/^.*\//, "", name)
    sub(/\.trace$/, "", name)
    gsub(/[:,](objects|rounds|allocations|reallocs|limit|seed)=[^,]*/, "", name)
    gsub(/order=/, "", name) # the word says it
    gsub(/[:,]/, " ", name)
    return length(name) > 28 ? substr(name, 1, 27) "…" : name
}

# Sorts values[1 to count].
function sort_numbers(values, count,    i, j, held) {
    for (i = 2; i <= count; i++) {
        held = values[i]
        for (j = i - 1; j >= 1 && values[j] > held; j--)
            values[j + 1] = values[j]
        values[j + 1] = held
    }
}
