"""Measured constants of the formulas in `ops.size.demand`.

Source: the load benchmark of commit ea5e9be; docs/operations/scaling.md has its runs of
2026-11-25.
"""

# Bytes of resident memory: of a Prometheus without series, and of each series in its head. Through
# the runs goes a line of 4,345 a series; this one is above all of them.
BASE_MEMORY = 70e6
SERIES_MEMORY = 4700.0
# Of the resident memory, the most that was seen through queries and the writing of a block.
PEAK = 1.5
# Of a sample in a block. Those of the load test had 2.3 to 3.4, those of the demo 3.1 to 3.3 in
# chunks that were half full (docs/reference/performance.md). Prometheus' documentation ("Storage")
# has 1 to 2 on average, of servers with far more series that rest.
SAMPLE_BYTES = 3.0
# In the write-ahead log, compressed, new series' records among them: 6.2 to 10.
WAL_SAMPLE_BYTES = 10.0
# Seconds of a core for each sample, its scrape and the stack's rules over all series: 15 to 23 µs.
SAMPLE_CPU_SECONDS = 25e-6
# The largest load that was measured.
MOST_SERIES = 500_000
