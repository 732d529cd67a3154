# Speed against memory, one point per allocator. Reads the table of pareto.awk; the driver sets sources_text.
load "palette.gp"
set datafile separator comma
height = 560
heading = "Speed against memory, relative to the C library's allocator"
subheading = sprintf("geometric means over %s; lower left is better; dashed: beaten by none in both", sources_text)
load "style.gp"
unset key
set tmargin at screen at_height(78)
set lmargin at screen 0.105
set rmargin at screen 0.965
set bmargin at screen 58.0 / height

stats table using "time" name "time" nooutput
stats table using "memory" name "memory" nooutput
room(low, high) = high > low ? 0.12 * (high - low) : 0.1
set xrange [time_min - 1.8 * room(time_min, time_max) : time_max + 1.8 * room(time_min, time_max)]
set yrange [memory_min - room(memory_min, memory_max) : memory_max + room(memory_min, memory_max)]
set xlabel "time per call / that of system" offset 0, 0.3
set ylabel "peak resident bytes / those of system" offset 1, 0
set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead linecolor "#999999" linewidth 1
set arrow 2 from graph 0, first 1 to graph 1, first 1 nohead linecolor "#999999" linewidth 1
# Names stay legible where a line runs through them.
set style textbox opaque noborder fillcolor "#ffffff" margins 0.3, 0.3
is(name) = stringcolumn("allocator") eq name
on(name, value) = is(name) ? value : NaN

plot sprintf("< awk -F, '$4 == 1' '%s' | sort -t, -k2,2g", table) using 2:3 with fsteps linewidth 1 linecolor "#888888" dashtype 2 notitle, \
     table using "time":(column("side") > 0 ? column("memory") : NaN):"allocator" with labels boxed left offset 1.3, 0 textcolor "#222222" notitle, \
     table using "time":(column("side") < 0 ? column("memory") : NaN):"allocator" with labels boxed right offset -1.3, 0 textcolor "#222222" notitle, \
     for [name in allocators] table using (on(name, column("time"))):"memory" \
         with points pointtype shape_of(name) pointsize 1.9 * mark linecolor rgb colour_of(name) notitle
