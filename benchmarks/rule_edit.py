"""Time from a rule edit until the running Prometheus has it."""

from __future__ import annotations

import itertools
import math
import time
from concurrent.futures import ThreadPoolExecutor

import docker

from benchmarks.projects import UP_SECONDS, BenchmarkError, Project
from benchmarks.prometheus_containers import Prometheus
from benchmarks.stack import containers

RULE_FILE = "rules/backend.yml"
# A recording rule that no threshold is read from.
RULE = "job:http_requests:rate5m"
EXPRESSION = "expr: sum by (job) (endpoint:http_requests:rate5m)"
EDITED = f"{EXPRESSION} * 1"
POLL_SECONDS = 0.05


class RuleEdits:
    """Edits of one rule of a running stack, back and forth.

    `interval` is the stack's scrape interval in seconds. `fault` checks at the end that nothing
    restarted and no scrape was missed.
    """

    def __init__(
        self, project: Project, client: docker.DockerClient, url: str, interval: float
    ) -> None:
        self.up_seconds: list[float] = []
        self._project = project
        self._client = client
        self._prometheus = Prometheus(url)
        self._interval = interval
        self._started = self._start_times()
        self._since = time.monotonic()

    def edit(self) -> float:
        """Return seconds from the start of `pulumi up` until Prometheus reports the new rule."""
        file = self._project.folder / RULE_FILE
        text = file.read_text()
        if f"{EXPRESSION}\n" not in text and f"{EDITED}\n" not in text:
            raise BenchmarkError(f"{RULE_FILE} has no line `{EXPRESSION}` to edit")
        old, new = (EDITED, EXPRESSION) if f"{EDITED}\n" in text else (EXPRESSION, EDITED)
        file.write_text(text.replace(f"{old}\n", f"{new}\n"))
        before = self._expression()
        with ThreadPoolExecutor(1) as pool:
            started = time.monotonic()
            up = pool.submit(self._project.up)
            while self._expression() == before:
                if up.done():
                    up.result()
                    if time.monotonic() - started > UP_SECONDS:
                        raise BenchmarkError(f"Prometheus never loaded the edit of {RULE}")
                time.sleep(POLL_SECONDS)
            live = time.monotonic() - started
            self.up_seconds.append(up.result())
        return live

    def fault(self) -> tuple[str, str]:
        """Return the fault of the edits, empty for none, and a sentence on the scrapes."""
        now = self._start_times()
        restarted = sorted(name for name, at in now.items() if self._started.get(name) != at)
        # The last scrape may still be in progress.
        time.sleep(self._interval)
        seconds = time.monotonic() - self._since
        expected = math.floor(seconds / self._interval) - 1
        query = f'up{{job="prometheus"}}[{math.ceil(seconds)}s]'
        values = self._prometheus.ask("/api/v1/query", query=query)["result"][0]["values"]
        times = [float(at) for at, _ in values]
        longest = max(after - before for before, after in itertools.pairwise(times))
        faults = []
        if restarted:
            faults.append(f"restarted: {', '.join(restarted)}")
        if len(times) < expected or longest > 1.5 * self._interval:
            faults.append("a scrape was missed")
        if any(value != "1" for _, value in values):
            faults.append("a scrape failed")
        return "; ".join(faults), (
            f"rule edits: {faults[0] if restarted else 'no container restarted'}, {len(times)} "
            f"scrapes of Prometheus in {seconds:.0f} s (at least {expected} expected, every "
            f"{self._interval:g} s), the longest pause {longest:.2f} s"
        )

    def _start_times(self) -> dict[str, str]:
        found = containers(self._client, self._project.stack)
        return {container.name or "": container.attrs["State"]["StartedAt"] for container in found}

    def _expression(self) -> str:
        groups = self._prometheus.ask("/api/v1/rules?type=record")["groups"]
        rules = (rule for group in groups for rule in group["rules"])
        return next(str(rule["query"]) for rule in rules if rule["name"] == RULE)
