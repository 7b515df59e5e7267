"""Merging of dead workers' metric files, so that recycled workers do not add up for ever."""

import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from vitalstream_metrics.workers import State

ENDED = 0
"""Process id in the names of the files that hold what ended processes counted."""

Value = tuple[float, float]
"""A value and the time it was set, 0 for all but `mostrecent` gauges."""


def _add(mine: Value, theirs: Value) -> Value:
    return mine[0] + theirs[0], 0.0


def _latest(mine: Value, theirs: Value) -> Value:
    return max(mine, theirs, key=lambda value: value[1])


def _lowest(mine: Value, theirs: Value) -> Value:
    return min(mine, theirs)


def _highest(mine: Value, theirs: Value) -> Value:
    return max(mine, theirs)


_MERGE: dict[str, Callable[[Value, Value], Value]] = {
    "counter": _add,
    "histogram": _add,
    "summary": _add,
    "gauge_sum": _add,
    "gauge_min": _lowest,
    "gauge_max": _highest,
    "gauge_mostrecent": _latest,
}
"""Merge functions by kind of file; gauges of mode `all` keep their process id label unmerged."""


def living_files(folder: Path, state: State) -> list[str]:
    """Return the metric files to read, after those of dead processes were merged or removed.

    To be called with the folder locked.
    """
    state.bury()
    living: list[str] = []
    dead: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.db")):
        kind, _, pid = path.stem.rpartition("_")
        if not pid.isdigit() or int(pid) == ENDED or path.stat().st_size == 0:
            continue
        if state.is_alive(int(pid)):
            state.meet(int(pid), serves=False)
            living.append(str(path))
        elif kind.startswith("gauge_live"):
            path.unlink()
        elif kind in _MERGE:
            dead.setdefault(kind, []).append(path)
        else:
            living.append(str(path))
    for kind, paths in dead.items():
        _merge(folder / f"{kind}_{ENDED}.db", paths, _MERGE[kind])
    return living + [str(path) for path in folder.glob(f"*_{ENDED}.db")]


def _merge(target: Path, paths: Iterable[Path], merge: Callable[[Value, Value], Value]) -> None:
    merged: dict[str, Value] = {}
    paths = list(paths)
    for path in (target, *paths):
        for key, value, timestamp in _read(path):
            theirs = (value, timestamp)
            merged[key] = merge(merged[key], theirs) if key in merged else theirs
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    written = MmapedDict(str(part))  # type: ignore[no-untyped-call]
    for key, (value, timestamp) in merged.items():
        written.write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    os.replace(part, target)
    for path in paths:
        path.unlink()


def _read(path: Path) -> list[tuple[str, float, float]]:
    try:
        values = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
        return [(key, value, timestamp) for key, value, timestamp, _ in values]
    except FileNotFoundError:
        return []
    except struct.error:  # the process died between creating the file and filling it
        return []
