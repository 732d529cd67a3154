# Resident over live bytes of one source as it runs. Reads the table of timeline.awk; the driver sets source_text.
load "palette.gp"
set datafile separator comma
height = 420
heading = "Fragmentation over time: " . source_text
subheading = "resident over live bytes (logarithmic), where at least 2 % of the peak is live; lower is better"
load "style.gp"

stats table using "event" name "event" nooutput
stats table using "live" name "live" nooutput
ratio(unused) = column("drain") < 0 && column("live") > 0.02 * live_max && column("resident") > 0 ? column("resident") / column("live") : NaN
stats table using (ratio(0)) name "ratio" nooutput
unit = event_max >= 2e6 ? 1e6 : 1e3
set logscale y
set xrange [0 : event_max / unit]
set yrange [(ratio_min < 1 ? ratio_min / 1.05 : 0.95) : ratio_max * 1.08]
if (ratio_max > 12) {
    set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
} else {
    set ytics (1, 1.2, 1.5, 2, 3, 4, 5, 7, 10)
}
set ylabel "resident / live" offset 1.2, 0
set xlabel (unit == 1e6 ? "million events" : "thousand events") offset 0, 0.3
set lmargin at screen 0.085
set rmargin at screen 0.96
set bmargin at screen 58.0 / height
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead linecolor "#444444" linewidth 1.5 dashtype 2
on(name, value) = stringcolumn("allocator") eq name ? value : NaN
# The first drawn are the widest, so that none is hidden by one that runs along it.
line_width(name) = 1.3 + 0.35 * (words(allocators) - place_in(allocators, name))

plot for [name in allocators] table using (on(name, column("event") / unit)):(ratio(0)) \
         with lines linewidth line_width(name) dashtype dash_of(name) linecolor rgb colour_of(name) title name
