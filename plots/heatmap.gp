# Every allocator on every source, relative to the best there. Reads the table of heatmap.awk; the driver sets metric (time or
# memory).
load "palette.gp"
set datafile separator comma
stats table using "row" name "rows" nooutput
height = int(92 + 24 + 19 * rows_max)
heading = metric eq "time" ? "Time per call, relative to the fastest on each source" : "Peak memory, relative to the leanest on each source"
subheading = metric eq "time" ? "1.00 is the fastest, 2.00 takes twice as long; the harness's own time is in all of them; empty: not run" \
                              : "1.00 is the leanest, 2.00 holds twice as much at its peak; sources of 1 MiB or more; empty: not run"
load "style.gp"
unset key
unset xtics
unset ytics
unset border
unset grid
set lmargin at screen 0.30
set rmargin at screen 0.985
set tmargin at screen at_height(92)
set bmargin at screen 16.0 / height
set xrange [0.5 : words(allocators) + 0.5]
set yrange [rows_max + 0.6 : 0.4]
# Long names of libraries are cut to their column.
letters = int(74.0 / words(allocators))
short(name) = strlen(name) > letters ? substr(name, 1, letters - 1) . "…" : name
do for [place = 1:words(allocators)] {
    set label 10 + place short(word(allocators, place)) at first place, screen at_height(80) center textcolor "#000000" font ",12"
}

place(unused) = place_in(allocators, stringcolumn("allocator"))
plot table using (place(0)):"row":(place(0) - 0.5):(place(0) + 0.5):(column("row") - 0.5):(column("row") + 0.5):(int(stringcolumn("colour"))) \
         with boxxyerror linecolor rgb variable notitle, \
     table using (place(0)):"row":(sprintf("%.2f", column("ratio"))):(int(stringcolumn("ink"))) with labels center font ",11" textcolor rgb variable notitle, \
     table using (0.5):"row":(stringcolumn("label")) with labels right offset -0.6, 0 textcolor "#222222" font ",12" notitle
