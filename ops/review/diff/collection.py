"""Changes of scraping, retention and Grafana's data sources."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from components.common.quantities import duration_seconds, size_bytes
from ops.review.diff import targets
from ops.review.diff.comparison import Comparison
from ops.review.diff.dashboards import field_of
from ops.review.diff.report import Field, Item, Kind, Line, Mark, Quote, quoted
from ops.review.diff.snapshot import CONTAINER, DATA_SOURCE, PROMETHEUS_FILE, Resource, Snapshot
from ops.review.diff.values import ABSENT, Change, changes, load_yaml

_TIME, _SIZE = "--storage.tsdb.retention.time=", "--storage.tsdb.retention.size="
# Prometheus, "Storage": "on average, Prometheus stores 1 to 2 bytes per sample".
_BYTES_PER_SAMPLE = (1, 2)
_SERIES = 1000
_DAY = 86400
_DEFAULT_INTERVAL = "1m"
# In a list of names to keep, each name is in a line of its own behind this: it matches the line
# break, and nothing in a metric's name.
_OR = "{0}|"
_KEPT = "metrics kept"


def items(comparison: Comparison) -> list[Item]:
    return [
        *_retention(comparison.before, comparison.after),
        *_scraping(comparison.before, comparison.after),
        *targets.items(comparison.before, comparison.after, _listed(comparison.after)),
        *_data_sources(comparison),
    ]


def understood(snapshot: Snapshot) -> bool:
    """Return whether prometheus.yml can be parsed."""
    return snapshot.file(PROMETHEUS_FILE) is None or _config(snapshot) is not None


def retention(snapshot: Snapshot) -> tuple[str, str]:
    """Return retention time and size of the flags, empty where not set."""
    words = [
        str(word)
        for container in snapshot.of_type(CONTAINER)
        for word in container.inputs.get("command") or ()
    ]
    time, size = (
        next((word.removeprefix(flag) for word in words if word.startswith(flag)), "")
        for flag in (_TIME, _SIZE)
    )
    return time, size


def _retention(before: Snapshot, after: Snapshot) -> Iterator[Item]:
    (old_time, old_size), (new_time, new_size) = retention(before), retention(after)
    if not new_time and not new_size:
        return
    fewer = ("what is older is deleted, and is not there again after a revert",)
    if old_time != new_time and old_time:
        why: list[Line] = [fewer] if _less(duration_seconds, old_time, new_time) else []
        why += _disk(before, after)
        yield _kept("samples are kept for another time", "time", old_time, new_time, why)
    if old_size != new_size and old_size:
        smaller = _less(size_bytes, old_size, new_size)
        why = [("the oldest blocks beyond it are deleted",)] if smaller else []
        yield _kept("samples may take another size on disk", "size", old_size, new_size, why)


def _kept(words: str, name: str, old: str, new: str, why: list[Line]) -> Item:
    mark = Mark.CAUTION if why and "deleted" in str(why[0]) else Mark.NONE
    fields = (Field(f"retention {name}", old or None, new or None),)
    return Item(Kind.CHANGED, f"retention {name}", (words,), mark, tuple(why), fields)


def _less(measure: Any, old: str, new: str) -> bool:
    try:
        return bool(measure(new) < measure(old))
    except ValueError:
        return False


def _disk(before: Snapshot, after: Snapshot) -> Iterator[Line]:
    """Estimate disk usage per thousand series by Prometheus' rule of thumb."""
    old, new = _gigabytes(before), _gigabytes(after)
    if old and new:
        size = retention(after)[1]
        cap = (", unless the limit of ", Quote(size), " is reached first") if size else ()
        yield (
            f"disk for each {_SERIES} series, at 1 to 2 bytes a sample: {old} before, {new} now",
            *cap,
        )


def _gigabytes(snapshot: Snapshot) -> str | None:
    try:
        samples = _SERIES * duration_seconds(retention(snapshot)[0]) / _interval(snapshot)
    except ValueError:
        return None
    least, most = (f"{samples * size / 1e9:.2g}" for size in _BYTES_PER_SAMPLE)
    return f"{least} to {most} GB"


def _interval(snapshot: Snapshot) -> float:
    own = (_config(snapshot) or {}).get("global") or {}
    return duration_seconds(str(own.get("scrape_interval", _DEFAULT_INTERVAL)))


def _config(snapshot: Snapshot) -> dict[str, Any] | None:
    found = load_yaml(snapshot.file(PROMETHEUS_FILE))
    return found if isinstance(found, dict) else None


def _scraping(before: Snapshot, after: Snapshot) -> Iterator[Item]:
    old, new = _config(before), _config(after)
    if old is None or new is None:
        return
    jobs: dict[str, list[Change]] = defaultdict(list)
    for change in changes(_keyed(old), _keyed(new)):
        match change.path:
            case ("scrape_configs", str(job), *rest) if rest:
                jobs[job].append(Change(tuple(rest), change.old, change.new))
            case _:
                yield _scrape_item(change, before, after)
    found_in_files = targets.in_files(after)
    alike: dict[tuple[tuple[Field, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for job, found in jobs.items():
        lost = tuple(
            address
            for address in _lost_targets(_jobs(old).get(job), _jobs(new).get(job))
            if address not in found_in_files
        )
        alike[tuple(_job_fields(found)), lost].append(job)
    for (fields, lost), names in alike.items():
        line: Line = (f"scrape job{'s' * (len(names) > 1)} ", *quoted(names), " changed")
        why: list[Line] = [("no alert covers any more ", *quoted(lost))] if lost else []
        yield Item.judged(Kind.CHANGED, ", ".join(names), line, why, fields)


def _keyed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with the scrape jobs by name."""
    return {**config, "scrape_configs": {name: _job(job) for name, job in _jobs(config).items()}}


def _jobs(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(job.get("job_name")): job for job in config.get("scrape_configs") or ()}


def _listed(snapshot: Snapshot) -> set[str]:
    """Return the static targets of prometheus.yml."""
    jobs = _jobs(_config(snapshot) or {}).values()
    return {str(address) for job in jobs for address in _addresses(job)}


def _lost_targets(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[str]:
    """Return the targets that are no longer scraped, without those of removed jobs."""
    if old is None or new is None:
        return []
    left = _addresses(new)
    return [address for address in _addresses(old) if address not in left]


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job with the names of the metrics that it keeps."""
    found = dict(job)
    for index, relabel in enumerate(found.get("metric_relabel_configs") or ()):
        names = str(relabel.get("regex", "")).split("\n") if isinstance(relabel, Mapping) else []
        if len(names) > 1 and relabel.get("action") == "keep":
            kept = {name.removeprefix(_OR): True for name in names}
            relabels = [*found["metric_relabel_configs"]]
            relabels[index] = {**relabel, "regex": f"{_OR} (names in lines)"}
            found |= {"metric_relabel_configs": relabels, _KEPT: kept}
    return found


def _job_fields(found: list[Change]) -> Iterator[Field]:
    names = [change for change in found if change.path[0] == _KEPT and len(change.path) == 2]
    for change in found:
        if change.path == (_KEPT,):
            kept = (ABSENT if part is ABSENT else len(part) for part in (change.old, change.new))
            yield field_of(Change((), *kept), "number of metrics kept")
        elif change not in names:
            yield field_of(change, change.where)
    if more := [str(one.path[1]) for one in names if one.old is ABSENT]:
        yield Field("metrics now kept", None, ", ".join(more))
    if less := [str(one.path[1]) for one in names if one.new is ABSENT]:
        yield Field("metrics no longer kept", ", ".join(less), None)


def _scrape_item(change: Change, before: Snapshot, after: Snapshot) -> Item:
    match change.path:
        case ("scrape_configs", str(job)):
            kind = Kind.ADDED if change.old is ABSENT else Kind.REMOVED
            why: list[Line] = [("its targets are no longer scraped",)]
            listed = field_of(Change((), _targets(change.old), _targets(change.new)), "targets")
            line: Line = ("scrape job ", Quote(job), f" {kind}")
            return Item.judged(kind, job, line, why if kind is Kind.REMOVED else [], [listed])
        case ("global", ("scrape_interval" | "evaluation_interval") as key):
            scraped = key == "scrape_interval"
            name = key.replace("_", " ")
            later = tuple(_later(change))
            what = "targets are scraped" if scraped else "rules are evaluated"
            why = [*later, *(_samples(change) if scraped else ())]
            why += _disk(before, after) if scraped else ()
            mark = Mark.WEAKER if later else Mark.NONE
            line = (f"{what} at another interval",)
            return Item(Kind.CHANGED, name, line, mark, tuple(why), (field_of(change, name),))
    line = ("prometheus.yml: ", Quote(change.where), " changed")
    return Item(Kind.CHANGED, change.where, line, fields=(field_of(change, change.where),))


def _targets(job: Any) -> Any:
    if job is ABSENT:
        return ABSENT
    return ", ".join(_addresses(job)) or "found by discovery"


def _addresses(job: Mapping[str, Any]) -> list[str]:
    """Return targets by `instance`, if set: the address differs between hosts."""
    return [
        str((part.get("labels") or {}).get("instance", address))
        for part in job.get("static_configs") or ()
        for address in part.get("targets") or ()
    ]


def _later(change: Change) -> Iterator[Line]:
    """Return by how much the worst delay of alerts grows."""
    try:
        old, new = (
            duration_seconds(_DEFAULT_INTERVAL if side is ABSENT else str(side))
            for side in (change.old, change.new)
        )
    except ValueError:
        return
    if new > old:
        yield (f"every alert may come {new - old:g} s later",)


def _samples(change: Change) -> Iterator[Line]:
    try:
        ratio = duration_seconds(str(change.old)) / duration_seconds(str(change.new))
    except (ValueError, ZeroDivisionError):
        return
    yield (f"{ratio:.3g} times as many samples as before",)


def _data_sources(comparison: Comparison) -> Iterator[Item]:
    for address, _ in comparison.of_type(DATA_SOURCE):
        old, new = comparison.both(address)
        kind = Kind.of(old, new)
        name = str(((new or old) or Resource(address, {})).inputs.get("name", address.name))
        fields = [
            field_of(change, change.where)
            for change in changes(_data_source(old), _data_source(new))
        ]
        if fields:
            line: Line = ("data source ", Quote(name), f" {kind}")
            yield Item(kind, name, line, fields=tuple(fields))


def _data_source(resource: Resource | None) -> dict[str, Any]:
    if resource is None:
        return {}
    found = dict(resource.inputs)
    for key in ("jsonDataEncoded",):
        try:
            found[key] = json.loads(found[key])
        except (KeyError, TypeError, ValueError):
            continue
    return found
