# What all charts share. The driver sets: format (svg or png), output, height (in units of 1/900 of the width), and the script
# its heading and subheading, before it loads this. Text of 13 units is legible where a README shows 900 pixels.

width = 900
# The SVG terminal draws text smaller and marks larger than cairo does: `mark` and fontscale make up for it.
if (format eq "svg") {
    set terminal svg size width, height font "DejaVu Sans,13" fontscale 1.25 background "#ffffff" noenhanced
    mark = 0.6
} else {
    # Twice the pixels, for dense screens; everything scales with it.
    set terminal pngcairo size 2 * width, 2 * height font "DejaVu Sans,13" fontscale 2 linewidth 2 pointscale 2 noenhanced
    mark = 1.0
}
set output output

set datafile separator comma
set encoding utf8
set border 3 linecolor "#444444" linewidth 1
set tics nomirror textcolor "#222222"
set grid x y linetype 1 linecolor "#dddddd" linewidth 0.7
set style fill solid 1.0 noborder
at_height(units) = 1.0 - units * 1.0 / height
set label 1 heading at screen 0.015, screen at_height(20) left font ",16" textcolor "#000000"
set label 2 subheading at screen 0.015, screen at_height(43) left font ",12" textcolor "#555555"
# The legend has two lines of its own between the subheading and the picture.
set key at screen 0.015, screen at_height(62) left top vertical maxrows 2 reverse Left samplen 1 width 1.5 spacing 1.1 \
    textcolor "#222222" font ",12"
head_units = 112
set tmargin at screen at_height(head_units)
