"""The ASGI application that Prometheus scrapes; import it from `app.metrics`."""

import os
import time

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Gauge,
    disable_created_metrics,
    make_asgi_app,
)
from prometheus_client.multiprocess import MultiProcessCollector

from app.middleware import Receive, Scope, Send

# A `_created` series beside every counter and histogram child would only be stored, never read.
disable_created_metrics()  # type: ignore[no-untyped-call]


class MetricsApp:
    """ASGI application that answers a scrape: all metrics of this process, or of all workers.

    An object and not a function, so that Starlette and FastAPI take it as it is:
    `app.routes.append(Route("/metrics", metrics_app))`. (`app.mount` works too, at the price of a
    redirect to `/metrics/` in every scrape.) Answers in Prometheus's text format or OpenMetrics, as
    asked.
    """

    __name__ = "metrics"

    def __init__(self, registry: CollectorRegistry) -> None:
        self._app = make_asgi_app(registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    # The multi-process collector leaves the process's own metrics out, and the application's uptime
    # is told from this one. The oldest living worker's is the service's.
    started = Gauge(
        "process_start_time_seconds",
        "Start time of the oldest worker since the Unix epoch in seconds.",
        registry=None,
        multiprocess_mode="livemin",
    )
    started.set(time.time())
    return registry


metrics_app = MetricsApp(_registry())
"""What Prometheus scrapes: see `MetricsApp`."""
