# occupancy.csv -> boxes of a picture, for each allocator the pages of one source at the peak of live bytes, in address order,
# wrapped into rows: kind (cell or title), allocator, x1, x2, y1, y2 (in units of 1/900 of the width, from the panel's corner),
# colour, label. Cells hold as many pages in every panel; neighbours of one colour are one box.
#   -v source=NAME

BEGIN {
    PAGE_BYTES = 4096
    PANEL_WIDTH = 280
    PANEL_HEIGHT = 168
    GAP = -1
    ABSENT = -2
    split("10 8 7 5 4", cell_sizes, " ")
    MIB = 1048576
}

NR == 1 {
    csv_header(csv_record(), column)
    next
}

{
    csv_split(csv_record(), field)
    if (field[column["source"]] != source || is_no_contender(field[column["allocator"]]))
        next
    name = allocator_label(field[column["allocator"]])
    if (!(name in first)) {
        first[name] = field[column["repetition"]]
        names[++name_count] = name
    }
    if (first[name] != field[column["repetition"]])
        next
    if (field[column["pages_per_cell"]] > coarsest)
        coarsest = field[column["pages_per_cell"]]
    for (i = 1; i <= field[column["cells"]]; i++) {
        place = ++row_count[name]
        gap[name, place] = i == 1 ? field[column["gap_pages"]] : 0
        pages[name, place] = field[column["pages"]]
        resident[name, place] = field[column["resident_pages"]]
        live[name, place] = field[column["live_bytes"]]
        resident_sum[name] += field[column["resident_pages"]]
        live_sum[name] += field[column["live_bytes"]]
    }
}

# Gathers neighbours into cells of up to `size` pages; a gap is a cell of its own. Returns how many there are.
function gather(name, size,    i, count, held) {
    count = held = 0
    for (i = 1; i <= row_count[name]; i++) {
        if (gap[name, i] && count)
            level[name, ++count] = GAP
        if (!count || gap[name, i] || held + pages[name, i] > size) {
            count++
            held = cell_resident = cell_live = 0
        }
        held += pages[name, i]
        cell_resident += resident[name, i]
        cell_live += live[name, i]
        level[name, count] = cell_resident ? cell_live / (cell_resident * PAGE_BYTES) : ABSENT
    }
    return count
}

# Chooses the size of pages and of boxes by the largest heap. Sets cell_pages, box, columns and cell_count[].
function choose_scale(    most, i) {
    for (cell_pages = coarsest; ; cell_pages *= 2) {
        most = 0
        for (i = 1; i <= name_count; i++) {
            cell_count[names[i]] = gather(names[i], cell_pages)
            if (cell_count[names[i]] > most)
                most = cell_count[names[i]]
        }
        for (i = 1; i in cell_sizes; i++) {
            box = cell_sizes[i]
            columns = int(PANEL_WIDTH / box)
            if (int((most + columns - 1) / columns) * box <= PANEL_HEIGHT)
                return
        }
    }
}

# From a warning at no live byte over pale colours to a dark one; headers are dead bytes, so no page of small objects is all live.
function colour_of_level(level) {
    return level == GAP ? "0xaaaaaa" : level == ABSENT ? "0xffffff" : level == 0 ? "0xd7191c" : level <= 0.25 ? "0xfdae61" : \
           level <= 0.5 ? "0xfee6a8" : level <= 0.75 ? "0xc6dbef" : level <= 0.9 ? "0x6baed6" : "0x08519c"
}

function print_box(name, from, to, row, colour) {
    # A little of the next row, which covers it: no seams.
    print "cell," name "," from * box "," to * box "," row * box "," (row + 1) * box + 0.4 "," colour ", "
}

function print_panel(name,    i, row, place, colour, started, last) {
    for (i = 0; i < cell_count[name]; i++) {
        row = int(i / columns)
        place = i % columns
        colour = colour_of_level(level[name, i + 1])
        if (place == 0 || colour != last) {
            if (i)
                print_box(name, started, place ? place : columns, place ? row : row - 1, last)
            started = place
        }
        last = colour
    }
    print_box(name, started, place + 1, row, last)
    printf "title,%s,0,0,0,0,0x222222,\"%.1f MiB · %.0f %% live\"\n", name, resident_sum[name] * PAGE_BYTES / MIB, \
           100 * live_sum[name] / (resident_sum[name] * PAGE_BYTES)
}

END {
    print "kind,allocator,x1,x2,y1,y2,colour,label"
    if (!name_count)
        exit
    choose_scale()
    for (i = 1; i <= name_count; i++)
        print_panel(names[i])
    printf "scale,%s,0,0,0,0,0x222222,\"%s\"\n", names[1], \
           cell_pages == 1 ? "one box is a page of 4 KiB" : "one box is " cell_pages " pages of 4 KiB"
}
