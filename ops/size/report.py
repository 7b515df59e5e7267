"""Estimate beside the settings, as text and as JSON, with the settings to change."""

from __future__ import annotations

from typing import Any

from components.common.quantities import memory_mebibytes, size_bytes
from ops.size.current import Current
from ops.size.demand import GIBIBYTE, MEBIBYTE, Demand
from ops.size.measured import MOST_SERIES

MEMORY_KEY, CPU_KEY = "limits.prometheus.memory", "limits.prometheus.cpus"
DISK_KEY = "retentionSize"


def changes(demand: Demand, now: Current) -> dict[str, str | int]:
    """Return the settings that are too small, with the values needed."""
    found: dict[str, str | int] = {}
    if demand.memory_mebibytes > memory_mebibytes(now.memory):
        found[MEMORY_KEY] = demand.memory
    if demand.cpus > now.cpus:
        found[CPU_KEY] = demand.cpus
    if demand.retention_gibibytes * GIBIBYTE > size_bytes(now.retention_size):
        found[DISK_KEY] = demand.retention_size
    return found


def as_json(demand: Demand, now: Current) -> dict[str, Any]:
    """Bytes, seconds, and shares of what is set (1: all of it); of each Prometheus, all but
    `volumes_gibibytes`.
    """
    return {
        "stack": now.stack,
        "series": demand.load.series,
        "interval_seconds": demand.load.interval,
        "retention_seconds": demand.load.retention,
        "churn_an_hour": demand.load.churn,
        "sample_bytes": demand.load.sample_bytes,
        "samples_a_second": round(demand.samples_a_second, 3),
        "head_series": demand.head_series,
        "replicas": now.replicas,
        "targets_at_least": _targets(demand, now),
        "memory": {
            "resident_bytes": round(demand.resident_bytes),
            "limit": demand.memory,
            "set": now.memory,
            "share": round(_memory_share(demand, now), 4),
        },
        "cpu": {
            "cores": round(demand.cores, 4),
            "limit": demand.cpus,
            "set": now.cpus,
            "share": round(demand.cores / now.cpus, 4),
        },
        "disk": {
            "needed_disk_space_bytes": round(demand.needed_disk_space),
            "oldest_block_bytes": round(demand.oldest_block_bytes),
            "head_bytes": round(demand.head_disk_bytes),
            "total_bytes": round(demand.disk_bytes),
            "retention_size": demand.retention_size,
            "set": now.retention_size,
            "share": round(_disk_share(demand, now), 4),
            "volume_gibibytes": demand.volume_gibibytes,
            "volumes_gibibytes": now.replicas * demand.volume_gibibytes,
        },
        "settings": changes(demand, now),
        "beyond_what_was_measured": demand.load.series > MOST_SERIES,
    }


def as_text(demand: Demand, now: Current, interval: str, retention: str) -> str:
    churned = f", {demand.load.churn:.0%} of them new every hour" if demand.load.churn else ""
    gone = demand.head_series - demand.load.series
    ended = f", {gone:,} that ended among them" if gone else ""
    lines = [
        f"{demand.load.series:,} series every {interval}, kept for {retention}{churned}, beside "
        f"what {now.words} {'sets' if now.stack else 'set'}:",
        "",
        f"samples  {demand.samples_a_second:,.0f} a second",
        f"memory   {_gib(demand.resident_bytes)} for {demand.head_series:,} series in memory"
        f"{ended}: {_memory_share(demand, now):.0%} of {MEMORY_KEY} ({now.memory}); "
        f"with room for queries {demand.memory}",
        f"cpu      {demand.cores:.2f} cores: {demand.cores / now.cpus:.0%} of {CPU_KEY} "
        f"({now.cpus:g})",
        f"disk     {_gib(demand.disk_bytes)}: {_disk_share(demand, now):.0%} of {DISK_KEY} "
        f"({now.retention_size})",
        f"           {_gib(demand.needed_disk_space)} retention * samples a second * "
        f"{demand.load.sample_bytes:g} bytes a sample",
        f"           {_gib(demand.oldest_block_bytes)} the oldest block, which goes as a whole",
        f"           {_gib(demand.head_disk_bytes)} write-ahead log and newest chunks",
        f"targets  {_targets(demand, now)} at least: one may show {now.sample_limit:,} "
        "(sampleLimit)",
        "",
    ]
    wanted = changes(demand, now)
    for_stack = f" --stack {now.stack}" if now.stack else ""
    if wanted:
        lines.append("Set:")
        for key, value in wanted.items():
            name = f"--path '{key}'" if "." in key else key
            lines.append(f"  pulumi config set {name} {value}{for_stack}")
    else:
        lines.append("What is set is enough.")
    if DISK_KEY in wanted:
        volumes = now.replicas * demand.volume_gibibytes
        lines.append(f"and have {volumes:,} GiB of disk where Docker keeps volumes.")
    if now.replicas > 1:
        lines.append(
            f"There are {now.replicas} Prometheuses (prometheus.replicas): memory, CPU and "
            "retentionSize are those of each, and so are their limits."
        )
    if demand.load.series > MOST_SERIES:
        lines.append(
            f"\nNo more than {MOST_SERIES:,} series were measured: beyond them this is the same "
            "line drawn on. docs/operations/scaling.md says what comes next."
        )
    return "\n".join(lines) + "\n"


def _targets(demand: Demand, now: Current) -> int:
    return -(-demand.load.series // now.sample_limit)


def _memory_share(demand: Demand, now: Current) -> float:
    return demand.resident_bytes / (memory_mebibytes(now.memory) * MEBIBYTE)


def _disk_share(demand: Demand, now: Current) -> float:
    return demand.disk_bytes / size_bytes(now.retention_size)


def _gib(size: float) -> str:
    return f"{size / GIBIBYTE:,.2f} GiB" if size >= GIBIBYTE / 10 else f"{size / MEBIBYTE:,.0f} MiB"
