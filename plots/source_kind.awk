# summary.csv -> the kind of one source (trace or workload), or nothing where there is no such source.
#   -v source=NAME

NR == 1 {
    csv_header(csv_record(), column)
    next
}

{
    csv_split(csv_record(), field)
    if (field[column["source"]] == source) {
        print field[column["source_kind"]]
        exit
    }
}
