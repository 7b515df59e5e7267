"""Formulas for what Prometheus needs for a number of series.

Memory is a line through measured runs. Disk is the formula of Prometheus' documentation
("Storage", operational aspects), and beside it what that leaves out. The runs are in
docs/operations/scaling.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ops.size.measured import (
    BASE_MEMORY,
    PEAK,
    SAMPLE_BYTES,
    SAMPLE_CPU_SECONDS,
    SERIES_MEMORY,
    WAL_SAMPLE_BYTES,
)

DAY_SECONDS = 86_400
# The head is written to disk when it spans one and a half blocks of 2 hours, and until then has
# every series that had a sample in them. The log and the head's chunks on disk span as much.
HEAD_SECONDS = 3 * 3600
# A block goes once all of it is too old; the longest spans a tenth of the retention, 31 days at
# most ("Storage", compaction).
LONGEST_BLOCK = 0.1
LONGEST_BLOCK_SECONDS = 31 * DAY_SECONDS
# Of the time: rules come all at once, and queries between them.
BUSY = 0.5
# PrometheusStorageNearLimit fires above it.
FULL = 0.9
# Of a disk: retentionSize should be no more than 80 to 85% of it ("Storage", right-sizing).
SHARE_OF_DISK = 0.8

MEBIBYTE, GIBIBYTE = 2**20, 2**30
MEMORY_STEP_MEBIBYTES = 256


@dataclass(frozen=True)
class Load:
    """`interval` and `retention` in seconds; `churn` is the share of series that end in an hour
    and are followed by new ones (0.1: a tenth of them), `sample_bytes` what a sample takes in a
    block.
    """

    series: int
    interval: float
    retention: float
    churn: float = 0.0
    sample_bytes: float = SAMPLE_BYTES


@dataclass(frozen=True)
class Demand:
    """Resources that a load needs."""

    load: Load

    @property
    def samples_a_second(self) -> float:
        """series / interval."""
        return self.load.series / self.load.interval

    @property
    def cores(self) -> float:
        """samples_a_second * SAMPLE_CPU_SECONDS: on average, without a query."""
        return self.samples_a_second * SAMPLE_CPU_SECONDS

    @property
    def cpus(self) -> int:
        """CPU limit of twice the average load."""
        return math.ceil(self.cores / BUSY)

    @property
    def head_series(self) -> int:
        """Series in memory, those that have ended among them: series * (1 + churn * 3 h)."""
        return round(self.load.series * (1 + self.load.churn * HEAD_SECONDS / 3600))

    @property
    def resident_bytes(self) -> float:
        """BASE_MEMORY + SERIES_MEMORY * head_series: what is in memory as long as nobody asks."""
        return BASE_MEMORY + SERIES_MEMORY * self.head_series

    @property
    def memory_mebibytes(self) -> int:
        """Memory limit: resident_bytes * PEAK, for queries and the writing of blocks, rounded up to
        the next 256 MiB.
        """
        steps = math.ceil(self.resident_bytes * PEAK / MEBIBYTE / MEMORY_STEP_MEBIBYTES)
        return steps * MEMORY_STEP_MEBIBYTES

    @property
    def memory(self) -> str:
        """Value for `limits.prometheus.memory`."""
        whole, rest = divmod(self.memory_mebibytes, 1024)
        return f"{self.memory_mebibytes}m" if rest else f"{whole}g"

    @property
    def needed_disk_space(self) -> float:
        """Prometheus' formula: retention_time_seconds * ingested_samples_per_second *
        bytes_per_sample.
        """
        return self.load.retention * self.samples_a_second * self.load.sample_bytes

    @property
    def oldest_block_bytes(self) -> float:
        """Bytes older than the retention that share a block with newer samples."""
        span = min(self.load.retention * LONGEST_BLOCK, LONGEST_BLOCK_SECONDS)
        return span * self.samples_a_second * self.load.sample_bytes

    @property
    def head_disk_bytes(self) -> float:
        """Bytes of the write-ahead log and the head's chunks: 3 h of samples, each in both."""
        a_sample = WAL_SAMPLE_BYTES + self.load.sample_bytes
        return HEAD_SECONDS * self.samples_a_second * a_sample

    @property
    def disk_bytes(self) -> float:
        """Bytes on disk that count towards retentionSize."""
        return self.needed_disk_space + self.oldest_block_bytes + self.head_disk_bytes

    @property
    def retention_gibibytes(self) -> int:
        """Size limit with which PrometheusStorageNearLimit does not fire, in whole GiB."""
        return math.ceil(self.disk_bytes / FULL / GIBIBYTE)

    @property
    def retention_size(self) -> str:
        """Value for `retentionSize`, which counts in powers of 2."""
        return f"{self.retention_gibibytes}GB"

    @property
    def volume_gibibytes(self) -> int:
        """Disk size for the volume, with room for a block that is being written."""
        return math.ceil(self.retention_gibibytes / SHARE_OF_DISK)
