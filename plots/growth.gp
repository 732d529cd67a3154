# Resident and live bytes of long sources, a panel each, with the slope over the second half of each run in its key. Reads the table
# of growth.awk; the driver sets sources, their names.
load "palette.gp"
set datafile separator comma
stats table using "panel" name "panel" nooutput
panels = int(panel_max)
curves = "live " . allocators
# gnuplot leaves curves out of a key that is higher than its picture.
panel_units = words(curves) > 7 ? 62 + 24.5 * words(curves) : 236
head = 62
height = int(head + panel_units * panels + 8)
heading = "Memory over a long time"
subheading = "resident bytes (live: grey); key: KiB more per million events, second half, ± what waves can feign"
load "style.gp"
unset key
shade = word(allocators, 1)
line_width(name) = 1.3 + 0.35 * (words(allocators) - place_in(allocators, name))
of(number, name, value) = column("panel") == number && stringcolumn("allocator") eq name ? value : NaN
# No more digits than are certain; what has no doubt is a level line.
digits(doubt) = doubt >= 2 ? 0 : doubt >= 0.2 ? 1 : 2
rounded(value, digits) = (text = sprintf(sprintf("%%+.%df", digits), value), text == 0 ? "0" : text)
growth_text(slope, doubt) = rounded(slope, digits(doubt)) . (doubt > 0 ? sprintf(sprintf(" ± %%.%df", digits(doubt)), doubt) : "")
short(name) = strlen(name) > 13 ? substr(name, 1, 12) . "…" : name

set multiplot
set lmargin at screen 0.085
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
        stats table using (of(number, word(curves, place), column("doubt"))) name "doubt" nooutput
        slopes[place] = exists("slope_max") ? " " . growth_text(slope_max, doubt_max) : ""
    }
    with_slope(name) = short(name) . slopes[place_in(curves, name)]
    set label 3 word(sources, number) at screen 0.085, screen at_height(top + 12) left textcolor "#000000" font ",13"
    set xrange [0 : event_max / 1e6]
    set yrange [0 : 1.06 * (resident_max > live_max ? resident_max : live_max)]
    set format x "%g M"
    plot table using (of(number, shade, column("event")) / 1e6):"live" with filledcurves y=0 fillcolor "#d4d4d4" \
             title with_slope("live"), \
         for [name in allocators] table using (of(number, name, column("event")) / 1e6):"resident" \
             with lines linewidth line_width(name) dashtype dash_of(name) linecolor rgb colour_of(name) title with_slope(name)
    unset label 1
    unset label 2
}
unset multiplot
