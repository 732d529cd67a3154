# A filter for JSON: a tree of small reference-counted values.
PACKAGE=jq
awk 'BEGIN { for (i = 0; i < 20000; i++)
    printf "{\"id\":%d,\"name\":\"n%x\",\"tags\":[\"a%d\",\"b%d\"],\"at\":{\"x\":%.3f,\"y\":%d}}\n",
           i, i * 7919, i % 31, i % 17, i / 7, i * 37 % 1000 }' >rows.json
record jq -s 'group_by(.tags[0]) | map({tag: .[0].tags[0], n: length, far: (map(.at.x) | add),
    names: (map(select(.at.y > 900).name) | sort)})' rows.json >groups.json
