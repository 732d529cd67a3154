# Peak resident against peak live bytes, per source and allocator. Reads the table of dots.awk; the driver sets kind.
heading = kind eq "trace" ? "Peak memory: recorded programs" : "Peak memory: synthetic workloads"
subheading = "peak live bytes stand beside the names; 1 is what the program asked for; further left is better"
xlabel_text = "peak resident bytes / peak live bytes (logarithmic)"
floor_drawn = 0
floor_text = ""
mark_at = 1
load "dots.gp"
