# Resident and live bytes of long sources, a panel each, with the slope over the second half of each run in its key. Reads the table
# of growth.awk; the driver sets sources, their names.
load "palette.gp"
set datafile separator comma
stats table using "panel" name "panel" nooutput
panels = int(panel_max)
panel_units = 236
head = 62
height = head + panel_units * panels + 8
heading = "Memory over a long time"
subheading = "resident bytes (live: grey) by events; in the key, KiB more per million events of the second half"
load "style.gp"
unset key
curves = "live " . allocators
shade = word(allocators, 1)
line_width(name) = 1.3 + 0.35 * (words(allocators) - place_in(allocators, name))
of(number, name, value) = column("panel") == number && stringcolumn("allocator") eq name ? value : NaN

set multiplot
set lmargin at screen 0.075
set rmargin at screen 0.72
set key left top vertical maxrows 20 reverse Left samplen 1.5 spacing 1.25 textcolor "#222222" font ",12"
set ylabel "MiB" offset 1.2, 0
do for [number = 1:panels] {
    top = head + panel_units * (number - 1)
    set tmargin at screen at_height(top + 24)
    set bmargin at screen at_height(top + panel_units - 38)
    set key at screen 0.735, screen at_height(top + 24)
    set autoscale # stats leaves out what is out of range
    stats table using (column("panel") == number ? column("event") : NaN) name "event" nooutput
    stats table using (column("panel") == number ? column("resident") : NaN) name "resident" nooutput
    stats table using (column("panel") == number ? column("live") : NaN) name "live" nooutput
    array slopes[words(curves)]
    do for [place = 1:words(curves)] {
        stats table using (of(number, word(curves, place), column("slope"))) name "slope" nooutput
        slopes[place] = exists("slope_max") ? sprintf(" %+.2f", slope_max) : ""
    }
    with_slope(name) = name . slopes[place_in(curves, name)]
    set label 3 word(sources, number) at screen 0.075, screen at_height(top + 12) left textcolor "#000000" font ",13"
    set xrange [0 : event_max / 1e6]
    set yrange [0 : 1.06 * (resident_max > live_max ? resident_max : live_max)]
    set format x "%g M"
    plot table using (of(number, shade, column("event")) / 1e6):"live" with filledcurves y=0 fillcolor "#d4d4d4" \
             title with_slope("live"), \
         for [name in allocators] table using (of(number, name, column("event")) / 1e6):"resident" \
             with lines linewidth line_width(name) linecolor rgb colour_of(name) title with_slope(name)
    unset label 1
    unset label 2
}
unset multiplot
