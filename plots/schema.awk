# runs.csv -> its schema version, that of the first row.

NR == 1 {
    csv_header(csv_record(), column)
    next
}

NR == 2 {
    csv_split(csv_record(), field)
    if (column["schema_version"])
        print field[column["schema_version"]]
    exit
}
