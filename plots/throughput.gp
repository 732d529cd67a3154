# Time per call, per source and allocator, with what the harness itself costs. Reads the table of dots.awk; the driver sets
# kind (trace or workload).
heading = kind eq "trace" ? "Time per call: recorded programs" : "Time per call: synthetic workloads"
subheading = "dot: median; line: fastest to slowest run (arrow: beyond the edge); left is better; no dot: not run, or failed"
xlabel_text = "nanoseconds per event, the harness included (logarithmic)"
mark_at = 0
floor_drawn = 1
floor_text = "harness alone"
load "dots.gp"
