"""Recordings of what a version of a service exposes: metrics with their types and labels.

A file is named `<service>-<version>.yml` and is written by `python -m tests.contract.record`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
# Labels whose values the service itself lays down: these are recorded too.
LAID_DOWN = ("mode", "state")
_OF_HISTOGRAM = {"_bucket": ("le",), "_count": (), "_sum": ()}
_OF_SUMMARY = {"": ("quantile",), "_count": (), "_sum": ()}
_EXPANDED = {"histogram": _OF_HISTOGRAM, "summary": _OF_SUMMARY}
_METRIC = re.compile(r"(?P<type>\w+)(?: \[(?P<labels>.*)\])?")
_TYPE = re.compile(r"# TYPE (?P<name>\S+) (?P<type>\w+)")
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? \S+")
_LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')
_HEADER = """\
# What {service} {version} exposes: name, type, labels. Recorded by running it, with
# `python -m tests.contract.record`; not written by hand. [] has labels, a=b|c the values of one.
"""


@dataclass(frozen=True)
class Metric:
    """`values` are those of labels in LAID_DOWN."""

    type: str
    labels: frozenset[str]
    values: dict[str, frozenset[str]]

    def __str__(self) -> str:
        shown = [
            f"{label}={'|'.join(sorted(self.values[label]))}" if label in self.values else label
            for label in sorted(self.labels)
        ]
        return f"{self.type} [{', '.join(shown)}]" if shown else self.type

    @classmethod
    def parse(cls, text: str) -> Metric:
        match = _METRIC.fullmatch(text)
        assert match, text
        labels = [part.partition("=") for part in (match["labels"] or "").split(", ") if part]
        return cls(
            match["type"],
            frozenset(name for name, _, _ in labels),
            {name: frozenset(values.split("|")) for name, equals, values in labels if equals},
        )


@dataclass(frozen=True, eq=False)
class Recording:
    """`about` says which version it was, where it came from, what it looked at, and when."""

    service: str
    version: str
    about: dict[str, str]
    metrics: dict[str, Metric]

    def series(self) -> dict[str, Metric]:
        """Return the metrics by queried names: `_bucket`, `_count` and `_sum` of histograms."""
        return {
            f"{name}{suffix}": Metric(metric.type, metric.labels | {*more}, metric.values)
            for name, metric in self.metrics.items()
            for suffix, more in _EXPANDED.get(metric.type, {"": ()}).items()
        }

    def write(self) -> Path:
        path = FOLDER / f"{self.service}-{self.version}.yml"
        content = {
            "service": self.service,
            "version": self.version,
            **self.about,
            "metrics": {name: str(self.metrics[name]) for name in sorted(self.metrics)},
        }
        text = yaml.safe_dump(content, sort_keys=False, width=1000, allow_unicode=True)
        path.write_text(_HEADER.format(service=self.service, version=self.version) + text)
        return path


def load() -> list[Recording]:
    """Every recording, by service and version, the oldest version first."""
    found = []
    for path in FOLDER.glob("*-*.yml"):
        content: dict[str, Any] = yaml.safe_load(path.read_text())
        metrics = content.pop("metrics")
        found.append(
            Recording(
                content.pop("service"),
                content.pop("version"),
                content,
                {name: Metric.parse(text) for name, text in metrics.items()},
            )
        )
    return sorted(found, key=lambda recording: (recording.service, _numbers(recording.version)))


def metrics_in(texts: Iterable[str]) -> dict[str, Metric]:
    """Merge the metrics of several expositions of one service.

    Not by the client's parser, which adds `_total` to the names of counters that have none.
    """
    seen: set[str] = set()
    types: dict[str, str] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    values: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for line in "\n".join(texts).splitlines():
        if found := _TYPE.fullmatch(line):
            types[found["name"]] = found["type"]
        elif found := _SAMPLE.match(line):
            name = _family(found["name"], types)
            seen.add(name)
            for label, value in _LABEL.findall(found["labels"] or ""):
                if label not in ("le", "quantile"):
                    labels[name].add(label)
                if label in LAID_DOWN:
                    values[name][label].add(value)
    return {
        name: Metric(
            types.get(name, "untyped"),
            frozenset(labels[name]),
            {label: frozenset(found) for label, found in values[name].items()},
        )
        for name in seen
    }


def _family(name: str, types: Mapping[str, str]) -> str:
    """Return the metric name that has the type of a histogram's or summary's sample."""
    stem = re.sub(r"_(bucket|count|sum)$", "", name)
    return stem if types.get(stem) in _EXPANDED else name


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
