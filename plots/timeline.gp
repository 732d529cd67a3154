# Resident and live bytes of one source as it runs, and what goes back once everything is freed. Reads the table of
# timeline.awk; the driver sets source_text.
load "palette.gp"
set datafile separator comma
height = 460
heading = "Memory over time: " . source_text
subheading = "lines: resident bytes; grey area: what the program holds; right: after everything was freed"
load "style.gp"

stats table using "event" name "event" nooutput
stats table using "resident" name "resident" nooutput
stats table using "live" name "live" nooutput
unit = event_max >= 2e6 ? 1e6 : 1e3
top = 1.06 * (resident_max > live_max ? resident_max : live_max)
set yrange [0 : top]
set ylabel "MiB" offset 1.2, 0
set bmargin at screen 58.0 / height
shade = word(allocators, 1)
before(name, value) = stringcolumn("allocator") eq name && column("drain") < 0 ? value : NaN
after(name, value) = stringcolumn("allocator") eq name && column("drain") >= 0 ? value : NaN

# The first drawn are the widest, so that none is hidden by one that runs along it.
line_width(name) = 1.3 + 0.35 * (words(allocators) - place_in(allocators, name))

set multiplot
set lmargin at screen 0.075
set rmargin at screen 0.78
set xrange [0 : event_max / unit]
set xlabel (unit == 1e6 ? "million events" : "thousand events") offset 0, 0.3
plot table using (before(shade, column("event") / unit)):"live" with filledcurves y=0 fillcolor "#d4d4d4" title "live", \
     for [name in allocators] table using (before(name, column("event") / unit)):"resident" \
         with lines linewidth line_width(name) dashtype dash_of(name) linecolor rgb colour_of(name) title name

# The second panel repeats nothing but the scale.
unset key
unset label 1
unset label 2
unset ylabel
set format y ""
set lmargin at screen 0.835
set rmargin at screen 0.975
set xrange [-0.4 : 2.4]
set xtics ("0" 0, "0.1" 1, "1" 2)
set xlabel "seconds after" offset 0, 0.3
place(seconds) = seconds == 0 ? 0 : seconds < 0.5 ? 1 : 2
plot for [name in allocators] table using (after(name, place(column("drain")))):"resident" \
         with linespoints pointtype shape_of(name) pointsize 0.9 * mark linewidth 1.2 dashtype dash_of(name) linecolor rgb colour_of(name) notitle
unset multiplot
