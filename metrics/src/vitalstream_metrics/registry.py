"""Registry of the library, separate from prometheus-client's default one.

The metrics live in `REGISTRY`, not in prometheus-client's default registry: there the first to use
a name wins, and prometheus-fastapi-instrumentator uses two of ours with other labels. A bridge
shows them in the default registry all the same, for applications that expose that one themselves.
"""

import logging
import threading
from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY as DEFAULT_REGISTRY
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vitalstream_metrics import workers

# Before the first metric is made: that is when prometheus-client opens its files.
workers.directory()
workers.forget_predecessor()

_log = logging.getLogger("vitalstream_metrics")
_warned: set[str] = set()
_bridge_state = threading.local()


class _Registry(CollectorRegistry):
    def collect(self) -> Iterable[Metric]:
        """Collect without `_created` samples: one more series beside each, which nobody reads."""
        for family in super().collect():
            family.samples = [s for s in family.samples if not s.name.endswith("_created")]
            yield family


REGISTRY: CollectorRegistry = _Registry()


def own_labels() -> dict[str, frozenset[str]]:
    """Return the label names of the library's metrics, by metric name and its suffixed names."""
    return {
        name: frozenset(getattr(collector, "_labelnames", ()))
        for name, collector in REGISTRY._names_to_collectors.items()
    }


def warn_of_namesake(name: str, lost_from: str) -> None:
    """Log once that a metric of another package has the name of one of ours, with other labels."""
    if name not in _warned:
        _warned.add(name)
        _log.warning(
            "metric %s is defined by another package too (prometheus-fastapi-instrumentator?), with"
            " other labels: %s. fix: see 'Beside prometheus-fastapi-instrumentator' in the guide"
            " backend-metrics.md",
            name,
            lost_from,
        )


class _Bridge(Collector):
    """Shows `REGISTRY` in the default registry, except names that others took there."""

    def describe(self) -> Iterable[Metric]:
        return []  # so that no name is taken: others may register the same

    def collect(self) -> Iterator[Metric]:
        if getattr(_bridge_state, "closed", False):
            return
        taken = DEFAULT_REGISTRY._names_to_collectors
        for family in REGISTRY.collect():
            if family.name in taken:
                warn_of_namesake(family.name, "ours is left out of the default registry")
            else:
                yield family


class AllMetrics(Collector):
    """This process's metrics: the library's, then those of the default registry."""

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        ours = own_labels()
        _bridge_state.closed = True
        try:
            others = list(DEFAULT_REGISTRY.collect())
        finally:
            _bridge_state.closed = False
        for family in others:
            if family.name in ours:
                warn_of_namesake(family.name, "theirs is left out of this page")
            else:
                yield family


DEFAULT_REGISTRY.register(_Bridge())
