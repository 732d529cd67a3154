# The pages of each allocator's heap where live bytes peak. Reads the table of occupancy.awk; the driver sets source_text.
load "palette.gp"
set datafile separator comma
stats table using (stringcolumn("kind") eq "cell" ? column("y2") : NaN) name "depth" nooutput
panel_top = 96
title_units = 22
panel_units = title_units + depth_max + 18
height = int(panel_top + panel_units * int((words(allocators) + 2) / 3))
heading = "Pages of the heap where live bytes peak: " . source_text
subheading = "boxes in address order, row by row, by how much of their resident bytes is live"
load "style.gp"
unset key
unset xtics
unset ytics
unset border
unset grid
set lmargin at screen 0
set rmargin at screen 1
set tmargin at screen 1
set bmargin at screen 0
set xrange [0 : width]
set yrange [height : 0]

# The legend: the colours as in occupancy.awk.
level_colours = "0xd7191c 0xfdae61 0xfee6a8 0xc6dbef 0x6baed6 0x08519c 0xffffff 0xaaaaaa"
array level_names[8] = ["resident, empty", "≤ 25 % live", "≤ 50 %", "≤ 75 %", "≤ 90 %", "more", "not resident", "addresses left out"]
array level_places[8] = [14, 164, 280, 360, 440, 520, 586, 714]
do for [i = 1:8] {
    set object 100 + i rectangle from level_places[i], 66 to level_places[i] + 11, 77 fillcolor rgb int(word(level_colours, i)) \
        fillstyle solid 1.0 border linecolor "#999999"
    set label 100 + i level_names[i] at first level_places[i] + 16, first 71.5 left textcolor "#222222" font ",12"
}

corner_x(name) = 14 + 299 * ((place_in(allocators, name) - 1) % 3)
corner_y(name) = panel_top + panel_units * int((place_in(allocators, name) - 1) / 3)
x_of(name, value) = corner_x(name) + value
y_of(name, value) = corner_y(name) + title_units + value
short(name) = strlen(name) > 18 ? substr(name, 1, 17) . "…" : name
is(kind) = stringcolumn("kind") eq kind
name(unused) = stringcolumn("allocator")

plot table using (is("cell") ? x_of(name(0), column("x1")) : NaN):(y_of(name(0), column("y1"))): \
                 (x_of(name(0), column("x1"))):(x_of(name(0), column("x2"))):(y_of(name(0), column("y1"))):(y_of(name(0), column("y2"))): \
                 (int(stringcolumn("colour"))) with boxxyerror linecolor rgb variable notitle, \
     table using (is("title") ? corner_x(name(0)) : NaN):(corner_y(name(0)) + 8):(short(name(0))) with labels left font ",13" textcolor "#000000" notitle, \
     table using (is("title") ? corner_x(name(0)) + 280 : NaN):(corner_y(name(0)) + 8):(stringcolumn("label")) \
         with labels right font ",11" textcolor "#555555" notitle, \
     table using (is("scale") ? width - 14 : NaN):(43):(stringcolumn("label")) with labels right font ",12" textcolor "#555555" notitle
