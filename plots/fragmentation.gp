# Fragmentation by allocator: one dot per source, a bar at the geometric mean. Reads the table of fragmentation.awk.
load "palette.gp"
set datafile separator comma
stats table using (stringcolumn("kind") eq "trace") name "trace" nooutput
stats table using (stringcolumn("kind") eq "workload") name "workload" nooutput
# How far from the middle of its row a kind's lane is.
aside = trace_max > 0 && workload_max > 0 ? 0.2 : 0
rows = words(allocators)
row_units = aside > 0 ? 52 : 34
bar = 17.5 / row_units
height = int(100 + 58 + rows * row_units)
heading = "Fragmentation: resident over live bytes, in the mean of a run"
subheading = "a dot per source of 1 MiB or more, the worst named; bar and figure: geometric mean"
load "style.gp"
unset key
set tmargin at screen at_height(78)

stats table using (column("value") > 0 ? column("value") : NaN) name "value" nooutput
left = value_min < 1 ? value_min / 1.05 : 0.97
right = exp(log(left) + (log(value_max) - log(left)) / 0.7) # the rest is for the names of the worst
set yrange [rows + 0.5 : 0.5]
load "decades.gp"
set xlabel "integral of resident bytes / integral of live bytes (logarithmic)" offset 0, 0.3
unset ytics
set border 1
set grid noytics
set lmargin at screen 0.295
set rmargin at screen 0.93
set bmargin at screen 58.0 / height
set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead linecolor "#444444" linewidth 1.5 dashtype 2
do for [row = 1:rows] {
    name = word(allocators, row)
    if (row % 2 == 0) {
        set object row rectangle from graph 0, first row - 0.5 to graph 1, first row + 0.5 behind \
            fillcolor "#f4f4f4" fillstyle solid noborder
    }
    set label 10 * row name at screen 0.19, first row right textcolor "#000000" font ",12"
    if (trace_max) { set label 10 * row + 1 "programs" at screen 0.285, first row - aside right textcolor "#777777" font ",11" }
    if (workload_max) { set label 10 * row + 2 "workloads" at screen 0.285, first row + aside right textcolor "#777777" font ",11" }
}

lane(name) = place_in(allocators, name) + (stringcolumn("kind") eq "trace" ? -aside : aside)
is(name) = stringcolumn("allocator") eq name
on(name, value) = is(name) ? value : NaN
faded(name) = sprintf("#90%s", substr(colour_of(name), 2, 7))

plot for [name in allocators] table using (on(name, column("mean") > 0 ? column("mean") : NaN)):(lane(name) - bar / 2):(0):(bar) \
         with vectors nohead linewidth 3 linecolor rgb colour_of(name) notitle, \
     for [name in allocators] table using (on(name, column("value") > 0 ? column("value") : NaN)):(lane(name)) \
         with points pointtype shape_of(name) pointsize 0.9 * mark linecolor rgb faded(name) notitle, \
     for [name in allocators] table using (on(name, column("value") > 0 ? column("value") : NaN)):(lane(name)):"worst" \
         with labels left offset 0.8, 0 font ",10" textcolor "#777777" notitle, \
     for [name in allocators] table using (on(name, column("mean") > 0 ? right : NaN)):(lane(name)):(sprintf("  %.2f", column("mean"))) \
         with labels left textcolor "#000000" notitle
