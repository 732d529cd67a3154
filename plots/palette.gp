# One allocator is one colour and one point shape, in every chart and for ever: never reorder these lists, only append.
# The colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), which people with any colour vision
# tell apart; the shapes say the same again for print in grey. The driver sets: campaign, the names of all allocators in
# the folder; present, those in the chart's table. Both are sorted.

palette_names   = "null    system  jemalloc mimalloc tcmalloc mem     mem_ts"
palette_colours = "#999999 #000000 #E69F00  #56B4E9  #009E73  #D55E00 #CC79A7"
palette_shapes  = "1       7       5        9        11       13      15"
# mem and mem_ts have one heap and often one curve: through the gaps of a dashed line the other is seen.
palette_dashes  = "1       1       1        1        1        1       3"
set dashtype 3 (14, 9)

# For libraries given by their path, in the order of their names.
spare_colours = "#0072B2 #A6761D #661100 #332288 #44AA99 #999933 #882255 #117733"
spare_shapes  = "6 4 8 10 12 14 2 3"
spare_dashes  = "1 3 1 3 1 3 1 3"

place_in(list, name) = sum [i = 1:words(list)] (word(list, i) eq name ? i : 0)

strangers = ""
do for [name in campaign] {
    if (!place_in(palette_names, name)) { strangers = strangers . " " . name }
}
# The order of lanes and legends.
allocators = ""
do for [name in palette_names . strangers] {
    if (place_in(present, name)) { allocators = allocators . " " . name }
}

spare_place(name) = (place_in(strangers, name) + words(spare_colours) - 1) % words(spare_colours) + 1
colour_of(name) = place_in(palette_names, name) ? word(palette_colours, place_in(palette_names, name)) \
                                                : word(spare_colours, spare_place(name))
shape_of(name) = int(place_in(palette_names, name) ? word(palette_shapes, place_in(palette_names, name)) \
                                                   : word(spare_shapes, spare_place(name)))
dash_of(name) = int(place_in(palette_names, name) ? word(palette_dashes, place_in(palette_names, name)) \
                                                  : word(spare_dashes, spare_place(name)))
