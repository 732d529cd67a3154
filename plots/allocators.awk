# Any table with a column `allocator` -> the labels in it, one a line.

NR == 1 {
    csv_header(csv_record(), column)
    next
}

{
    csv_split(csv_record(), field)
    name = allocator_label(field[column["allocator"]])
    if (!(name in seen)) {
        seen[name] = 1
        print name
    }
}
