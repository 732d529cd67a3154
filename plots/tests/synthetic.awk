# Made-up but plausible: every allocator has a speed and a thickness, every source a difficulty.

# The same figures from every awk (Park and Miller, 1988).
function random() {
    seed = seed * 16807 % 2147483647
    return seed / 2147483647
}

function noise(spread) {
    return 1 + spread * (2 * random() - 1)
}

function add_source(name, kind, threads, events, live_mib, cost, fat) {
    source_count++
    sources[source_count] = name
    kind_of[name] = kind
    threads_of[name] = threads
    events_of[name] = events
    live_of[name] = live_mib * 1048576
    cost_of[name] = cost
    fat_of[name] = fat
}

function add_allocator(name, version, speed, thickness) {
    allocators[++allocator_count] = name
    version_of[name] = version
    speed_of[name] = speed
    thickness_of[name] = thickness
}

function quoted(name) {
    return index(name, ",") ? "\"" name "\"" : name
}

function is_left_out(source, allocator) {
    return allocator == "mem" && threads_of[source] > 1
}

function write_summary(source, allocator,    ns, live, peak, ratio) {
    live = live_of[source]
    ns = allocator == "null" ? 5.5 : 5.5 + cost_of[source] * speed_of[allocator] * noise(0.25)
    ratio = 1 + (thickness_of[allocator] - 1) * fat_of[source] * noise(0.5)
    peak = live * ratio + 300000 * noise(0.4)
    print quoted(source), kind_of[source], threads_of[source], events_of[source], live, allocator, version_of[allocator], 5, \
          ns, ns * 0.96 * noise(0.02), ns * 1.08 * noise(0.05), 5.5, (allocator == "null" ? "" : int(peak)), \
          (allocator == "null" ? "" : int(peak * 0.8)), int(peak * 0.2), ratio, ratio * 0.97, 0.08, \
          1000 * (thickness_of[allocator] - 1), 10 > (folder "/summary.csv")
    write_runs(source, allocator, ns, peak)
    write_timeline(source, allocator, ratio)
    write_occupancy(source, allocator, int(peak / 4096), live / peak)
    write_latency(source, allocator, "malloc", ns * 1.2)
    write_latency(source, allocator, "free", ns * 0.8)
    write_latency(source, allocator, "all", ns)
}

function write_runs(source, allocator, ns, peak,    repetition) {
    for (repetition = 1; repetition <= 3; repetition++)
        print 1, allocator, version_of[allocator], quoted(source), "throughput", "page", threads_of[source], repetition, 42, \
              events_of[source], 0, int(ns * events_of[source]), ns, 5.5, live_of[source], int(peak), "ok", \
              (repetition == 1 ? "\"a comma, a \"\"quote\"\" and\na line break\"" : "") > (folder "/runs.csv")
}

# The timer's floor hides the fast half.
function write_latency(source, allocator, call, ns,    i, repetition, percentile, steps) {
    split("50 90 99 99.9 99.99 100", percentile, " ")
    split("1 1.6 5 40 400 9000", steps, " ")
    for (repetition = 1; repetition <= 2; repetition++)
        for (i = 1; i in percentile; i++)
            print 1, allocator, quoted(source), repetition, call, int(events_of[source] / 2), percentile[i], \
                  int(ns * steps[i] * thickness_of[allocator] ^ (2 * i)) + 20, 32 > (folder "/latency.csv")
}

# Empty pages at the end and behind a gap, a hole, and the rest more or less full.
function write_occupancy(source, allocator, pages, share,    size, left, count, full) {
    for (size = 1; pages / size > 1500; size *= 2)
        continue
    for (left = int(pages / size); left > 0; left -= count) {
        count = left < 8 ? left : int(1 + 12 * random())
        if (count > left)
            count = left
        full = random() < share ? 0.8 + 0.2 * random() : random() < 0.5 ? 0 : random() * 0.7
        print 1, allocator, quoted(source), 1, size, (random() < 0.02 ? 4000 : 0), count, size, (random() < 0.03 ? 0 : size), \
              int(full * size * 4096) > (folder "/occupancy.csv")
    }
}

# Three teeth, with a base that allocators hold on to.
function write_timeline(source, allocator, ratio,    i, live, resident, high) {
    high = 0
    for (i = 0; i <= 200; i++) {
        live = live_of[source] * (0.15 + 0.85 * (i % 67) / 67) * noise(0.01)
        resident = live * ratio + 300000
        if (resident < high * (thickness_of[allocator] - 0.75))
            resident = high * (thickness_of[allocator] - 0.75)
        if (resident > high)
            high = resident
        print allocator, quoted(source), 1, int(i * events_of[source] / 200), int(live), int(live * 1.08), int(resident), \
              (i == 66 ? "peak_live" : i == 200 ? "end" : "sample") > (folder "/timeline.csv")
    }
    print allocator, quoted(source), 1, events_of[source], 0, 0, int(resident * 0.7), "drain_0" > (folder "/timeline.csv")
    print allocator, quoted(source), 1, events_of[source], 0, 0, int(resident * 0.5), "drain_100ms" > (folder "/timeline.csv")
    print allocator, quoted(source), 1, events_of[source], 0, 0, int(resident * (thickness_of[allocator] - 1)), "drain_1s" > (folder "/timeline.csv")
}

BEGIN {
    seed = 2
    OFS = ","
    print "schema_version,allocator,allocator_version,source,mode,touch,threads,repetition,seed,events,unsupported_events,wall_ns," \
          "ns_per_event,overhead_ns_per_event,peak_live_bytes,peak_rss_bytes,status,error" > (folder "/runs.csv")
    print "schema_version,allocator,source,repetition,kind,calls,percentile,latency_ns,floor_ns" > (folder "/latency.csv")
    print "schema_version,allocator,source,repetition,pages_per_cell,gap_pages,cells,pages,resident_pages,live_bytes" \
          > (folder "/occupancy.csv")
    print "allocator,source,repetition,event,live_bytes,usable_bytes,resident_bytes,point" > (folder "/timeline.csv")
    print "source,source_kind,threads,events,peak_live_bytes,allocator,allocator_version,runs,ns_per_event,ns_per_event_min," \
          "ns_per_event_max,overhead_ns_per_event,peak_rss_bytes,mean_rss_bytes,drained_rss_bytes,fragmentation_integral," \
          "fragmentation_peak_ratio,internal_fragmentation,rss_slope_bytes_per_million_events,live_slope_bytes_per_million_events" \
          > (folder "/summary.csv")

    add_allocator("null", "1", 0, 1)
    add_allocator("system", "2.36", 1.6, 1.12)
    add_allocator("jemalloc", "5.3.0", 1.0, 1.3)
    add_allocator("mimalloc", "2.0.9", 0.6, 1.35)
    add_allocator("tcmalloc", "2.10", 0.65, 1.25)
    add_allocator("mem", "0.1.0", 0.7, 1.1)
    add_allocator("mem_ts", "0.1.0", 0.85, 1.11)
    add_allocator("/opt/new builds/libmimalloc.so.3.1", "3.1", 0.62, 1.5)

    add_allocator("system#2", "2.36", 1.6, 1.12)
    add_allocator("slow", "2.36", 1.7, 1.12)
    add_allocator("fat", "2.36", 1.6, 1.25)

    add_source("sqlite3", "trace", 1, 900000, 2.4, 20, 1)
    add_source("redis", "trace", 4, 1200000, 18, 25, 1)
    add_source("gcc", "trace", 1, 450000, 31, 40, 0.8)
    add_source("python3", "trace", 1, 2500000, 9, 18, 1.2)
    add_source("perl", "trace", 1, 800000, 6, 17, 1)
    add_source("ghostscript", "trace", 1, 300000, 42, 90, 0.7)
    add_source("git", "trace", 1, 600000, 55, 60, 0.5)
    add_source("ffmpeg", "trace", 5, 150000, 88, 200, 0.6)
    add_source("memcached", "trace", 5, 500000, 12, 30, 1)
    add_source("zstd-threads", "trace", 3, 120000, 140, 500, 0.3)
    add_source("xz", "trace", 3, 100000, 97, 350, 0.4)

    add_source("checkerboard", "workload", 1, 552000, 14.7, 30, 3)
    add_source("sawtooth", "workload", 1, 633348, 8, 25, 2.5)
    add_source("size-shift", "workload", 1, 718975, 8, 30, 4)
    add_source("random", "workload", 1, 778195, 14.2, 45, 1.5)
    add_source("fixed:size=16", "workload", 1, 524288, 0.0625, 8, 1)
    add_source("fixed:size=64", "workload", 1, 524288, 0.25, 8, 1)
    add_source("fixed:size=256", "workload", 1, 524288, 1, 10, 1)
    add_source("fixed:size=1k", "workload", 1, 524288, 4, 20, 1)
    add_source("fixed:size=4k,rounds=8", "workload", 1, 131072, 16, 120, 0.3)
    add_source("fixed:size=16k,objects=1k,rounds=8", "workload", 1, 32768, 16, 300, 0.2)
    add_source("fixed:size=64k,objects=256,rounds=16", "workload", 1, 16384, 16, 900, 0.2)
    add_source("fixed:size=256k,objects=64,rounds=16", "workload", 1, 4096, 16, 6000, 0.1)
    add_source("fixed:size=1M,objects=16,rounds=16", "workload", 1, 1024, 16, 25000, 0.1)
    add_source("fixed:size=64,order=fifo", "workload", 1, 524288, 0.25, 10, 1)
    add_source("fixed:size=64,order=random", "workload", 1, 524288, 0.25, 15, 1)
    add_source("model:redis,length=20M", "workload", 1, 20971520, 6, 30, 0.5)
    add_source("server:allocations=10M", "workload", 1, 20000000, 32, 30, 0.5)
    add_source("calloc", "workload", 1, 395904, 9.2, 60, 1)
    add_source("realloc-grow", "workload", 1, 333325, 3, 300, 2)
    add_source("realloc-append", "workload", 1, 309547, 0.77, 60, 1)

    for (s = 1; s <= source_count; s++)
        for (a = 1; a <= allocator_count; a++)
            if (!is_left_out(sources[s], allocators[a]))
                write_summary(sources[s], allocators[a])
}
