"""Bounds on label values: every new value is a new series, kept as long as the process lives."""

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from vitalstream_metrics.registry import REGISTRY

OTHER = "other"
"""Label value of everything that has none of its own."""

ROOM = 30
"""Number of label values accepted beyond the known ones; later ones count as `other`."""

LONGEST = 100
"""Characters. A longer value is a text, not a kind: it counts as `other`."""

DROPPED = Counter(
    "metrics_labels_dropped_total",
    "Label values counted as other because the label had too many, by metric and label.",
    ["metric", "label"],
    registry=REGISTRY,
)


class BoundedLabel:
    """Values of one label: the known ones, `ROOM` more, then `other`."""

    __slots__ = ("_dropped", "_room", "_values")

    def __init__(self, metric: str, label: str, known: Iterable[str]) -> None:
        self._values = {*known, OTHER}
        self._room = ROOM
        self._dropped = DROPPED.labels(metric, label)

    def add(self, value: str) -> None:
        """Make `value` a known one."""
        self._values.add(value)

    def bound(self, value: Any) -> str:
        """Return the label value that `value` is counted under."""
        text = str(value)
        if text in self._values:
            return text
        # A lone surrogate cannot be encoded: it would fail every scrape from then on.
        if self._room <= 0 or len(text) > LONGEST or not text.isprintable():
            self._dropped.inc()
            return OTHER
        self._room -= 1
        self._values.add(text)
        return text


class BoundedMetric:
    """A metric whose label values are bounded; children are looked up once and kept."""

    __slots__ = ("_children", "_labels", "_method", "_metric")

    def __init__(
        self, metric: MetricWrapperBase, method: str, known: Iterable[Iterable[str]]
    ) -> None:
        """`method` is what to call on a child (`inc`); `known` has the values label by label."""
        self._metric = metric
        self._method = method
        name = metric._name + ("_total" if metric._type == "counter" else "")
        self._labels = [
            BoundedLabel(name, label, values)
            for label, values in zip(metric._labelnames, known, strict=True)
        ]
        self._children: dict[tuple[str, ...], Callable[..., None]] = {}

    def create(self, *values: str) -> None:
        """Create the series of these values at 0."""
        for label, value in zip(self._labels, values, strict=True):
            label.add(value)
        self.child(*values)

    def child(self, *values: str) -> Callable[..., None]:
        """Return the method of the child of `values`."""
        found = self._children.get(values)
        return found or self._add(values)

    def _add(self, values: tuple[str, ...]) -> Callable[..., None]:
        texts = tuple(map(BoundedLabel.bound, self._labels, values))
        child: Callable[..., None] = self._children.get(texts) or getattr(
            self._metric.labels(*texts), self._method
        )
        self._children[texts] = child
        return child
