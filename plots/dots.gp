# A dot plot: one row per source, one lane in it per allocator, a logarithmic value to the right. The script that loads this
# sets heading, subheading, xlabel_text, mark_at (a value with a dashed line, which is always in the picture; 0 for none), and
# either floor_text (what the grey bar of `floor` is) or an empty one.
load "palette.gp"
set datafile separator comma
stats table using "row" name "rows" nooutput
stats table using (column("floor") > 0 && column("floor") < column("low") ? column("floor") : column("low")) name "low" nooutput
stats table using "value" name "value" nooutput

rows = int(rows_max)
lane_units = 5.5
row_units = 14 + lane_units * words(allocators)
if (rows * row_units < 110) { row_units = 110.0 / rows } # less leaves no place for the legend
height = int(112 + 58 + rows * row_units)
load "style.gp"

left = low_min / 1.15
# One run that the machine disturbed must not squeeze the rest: lines that reach further end at the edge with an arrowhead.
right = value_max * 1.5
if (mark_at > 0) {
    if (left > 0.95 * mark_at) { left = 0.95 * mark_at }
    if (right < 1.05 * mark_at) { right = 1.05 * mark_at }
    set arrow 1 from first mark_at, graph 0 to first mark_at, graph 1 nohead linecolor "#444444" linewidth 1.5 dashtype 2
}
set yrange [rows + 0.5 : 0.5]
load "decades.gp"
set xlabel xlabel_text offset 0, 0.3
unset ytics
set border 1
set grid noytics
set lmargin at screen 0.335
set rmargin at screen 0.975
set bmargin at screen 58.0 / height
# Every second row is shaded, so that the eye stays on its line.
do for [row = 2:rows:2] {
    set object row rectangle from graph 0, first row - 0.5 to graph 1, first row + 0.5 behind fillcolor "#f4f4f4" fillstyle solid noborder
}

lane(name) = (place_in(allocators, name) - 0.5 * (words(allocators) + 1)) * lane_units / row_units
is(name) = stringcolumn("allocator") eq name
on(name, value) = is(name) ? value : NaN

plot table using (left):"row":(sprintf("%s ", stringcolumn("label"))) with labels right textcolor "#222222" font ",12" notitle, \
     table using (left):(floor_drawn ? column("row") : NaN):(left):(column("floor") > left ? column("floor") : left): \
                 (column("row") - 0.36):(column("row") + 0.36) with boxxyerror fillcolor "#d4d4d4" title floor_text, \
     for [name in allocators] table using (on(name, column("low"))):(column("row") + lane(name)): \
                 ((column("high") < right ? column("high") : right) - column("low")):(0) with vectors nohead linewidth 1 linecolor rgb colour_of(name) notitle, \
     for [name in allocators] table using (on(name, column("high") > right ? column("value") : NaN)):(column("row") + lane(name)): \
                 (right - column("value")):(0) with vectors head filled size screen 0.009, 20 linewidth 1 linecolor rgb colour_of(name) notitle, \
     for [name in allocators] table using (on(name, column("value"))):(column("row") + lane(name)) \
                 with points pointtype shape_of(name) pointsize 1.0 * mark linecolor rgb colour_of(name) title name
