# How long the slow calls take: percentiles of malloc and of free on two logarithmic axes. Reads the table of latency.awk; the
# driver sets source_text.
load "palette.gp"
set datafile separator comma
height = 500
heading = "Latency of the slow calls: " . source_text
subheading = "so many per cent of the calls were as fast or faster, reading the clock included; grey: below what it can tell"
load "style.gp"

stats table using "latency" name "latency" nooutput
stats table using "floor" name "floor" nooutput
stats table using "nines" name "nines" nooutput
bottom = floor_max > 0 ? floor_max / 1.6 : latency_min / 1.5
set logscale xy
set xrange [1.6 : nines_max * 1.5]
set yrange [bottom : latency_max * 1.5]
set xtics ("50" 2, "90" 10, "99" 100, "99.9" 1000, "99.99" 10000, "99.999" 100000)
set xlabel "per cent of the calls" offset 0, 0.3
tic_text(ns) = ns < 1000 ? sprintf("%g ns", ns) : ns < 1000000 ? sprintf("%g µs", ns / 1000) : sprintf("%g ms", ns / 1000000)
digits = latency_max / bottom > 100000 ? "1" : latency_max / bottom > 2000 ? "1 3" : "1 2 5"
set ytics (tic_text(1) 1)
do for [exponent = 0:9] {
    do for [digit in digits] {
        set ytics add (tic_text(digit * 10.0 ** exponent) digit * 10.0 ** exponent)
    }
}
set bmargin at screen 58.0 / height
if (floor_max > 0) {
    set object 1 rectangle from graph 0, graph 0 to graph 1, first floor_max behind fillcolor "#e8e8e8" fillstyle solid noborder
    set arrow 1 from graph 0, first floor_max to graph 1, first floor_max nohead linecolor "#777777" linewidth 1.2 dashtype 2
}

on(name, call, value) = stringcolumn("allocator") eq name && stringcolumn("call") eq call ? value : NaN
# The first drawn are the widest, so that none is hidden by one that runs along it.
line_width(name) = 1.3 + 0.35 * (words(allocators) - place_in(allocators, name))

set multiplot
set lmargin at screen 0.085
set rmargin at screen 0.515
set label 3 "malloc" at graph 0.03, graph 0.94 left font ",14" textcolor "#000000"
plot for [name in allocators] table using (on(name, "malloc", column("nines"))):"latency" \
         with linespoints pointtype shape_of(name) pointsize 0.8 * mark linewidth line_width(name) dashtype dash_of(name) linecolor rgb colour_of(name) title name

# The second panel repeats nothing but the scale.
unset key
unset label 1
unset label 2
set ytics ("" 1)
do for [exponent = 0:9] {
    do for [digit in digits] {
        set ytics add ("" digit * 10.0 ** exponent)
    }
}
set label 3 "free"
set lmargin at screen 0.555
set rmargin at screen 0.985
plot for [name in allocators] table using (on(name, "free", column("nines"))):"latency" \
         with linespoints pointtype shape_of(name) pointsize 0.8 * mark linewidth line_width(name) dashtype dash_of(name) linecolor rgb colour_of(name) notitle
unset multiplot
