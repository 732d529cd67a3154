# A logarithmic x axis from `left` to `right`, with as many tics as people can read off it; k is a
# thousand, M a million.
set logscale x
digits = right / left > 1000000 ? "1" : right / left > 2000 ? "1 3" : right / left > 12 ? "1 2 5" : "1 1.2 1.5 2 3 4 5 7"
tic_text(value) = value >= 1000000 ? sprintf("%gM", value / 1000000) : right > 50000 && value >= 1000 ? sprintf("%gk", value / 1000) : sprintf("%g", value)
set xtics ("1" 1)
do for [exponent = -2:7] {
    do for [digit in digits] {
        set xtics add (tic_text(digit * 10.0 ** exponent) digit * 10.0 ** exponent)
    }
}
set xrange [left : right]
