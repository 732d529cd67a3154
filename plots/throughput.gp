# Time per call, per source and allocator, with what the harness itself costs. Reads the table of dots.awk; the driver sets
# kind (trace or workload).
heading = kind eq "trace" ? "Time per call: recorded programs" : "Time per call: synthetic workloads"
subheading = "median, with a line from the fastest to the slowest run; further left is better; no dot: not run, or failed"
xlabel_text = "nanoseconds per event, the harness included (logarithmic)"
floor_drawn = 1
floor_text = "harness alone"
load "dots.gp"
