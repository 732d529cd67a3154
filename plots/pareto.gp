# Speed against memory, one point per allocator. Reads the table of pareto.awk, which places the names in a picture of this size;
# the driver sets sources_text.
load "palette.gp"
set datafile separator comma
# The front is a line where several are on it.
stats table using "front" name "front" nooutput
stats table using "left" name "left" nooutput
stats table using "right" name "right" nooutput
stats table using "low" name "low" nooutput
stats table using "high" name "high" nooutput
height = 560
heading = "Speed against memory, relative to the C library's allocator"
subheading = sources_text . "; lower left is better" . (front_sum > 1 ? "; dashed: beaten by none in both" : "")
load "style.gp"
unset key
set tmargin at screen at_height(78)
set lmargin at screen 0.105
set rmargin at screen 0.965
set bmargin at screen 58.0 / height

set xrange [left_min : right_max]
set yrange [low_min : high_max]
set xlabel "time per call / that of system" offset 0, 0.3
set ylabel "peak resident bytes / those of system" offset 1, 0
set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead linecolor "#999999" linewidth 1
set arrow 2 from graph 0, first 1 to graph 1, first 1 nohead linecolor "#999999" linewidth 1
# Names stay legible where a line runs through them.
set style textbox opaque noborder fillcolor "#ffffff" margins 0.3, 0.3
is(name) = stringcolumn("allocator") eq name
on(name, value) = is(name) ? value : NaN

plot sprintf("< awk -F, '$4 == 1' '%s' | sort -t, -k2,2g", table) using 2:3 with fsteps linewidth 1 linecolor "#888888" dashtype 2 notitle, \
     table using "name_time":"name_memory":"allocator" with labels boxed center textcolor "#222222" notitle, \
     for [name in allocators] table using (on(name, column("time"))):"memory" \
         with points pointtype shape_of(name) pointsize 1.9 * mark linecolor rgb colour_of(name) notitle
