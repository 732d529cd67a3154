# A chart's table -> its sources on one line, in their order, quoted for gnuplot's word().

NR == 1 {
    csv_header(csv_record(), column)
    next
}

{
    csv_split(csv_record(), field)
    if (field[column["source"]] in seen)
        next
    seen[field[column["source"]]] = 1
    printf "\"%s\" ", field[column["source"]]
}
