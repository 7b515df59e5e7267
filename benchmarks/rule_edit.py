"""A rule edit on its way into a running Prometheus."""

from __future__ import annotations

import itertools
import json
import math
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker

from benchmarks.projects import UP_SECONDS, BenchmarkError, Project
from benchmarks.stack import containers

RULE_FILE = "rules/backend.yml"
# A recording rule: neither an alert nor anything that a threshold is read from.
RULE = "job:http_requests:rate5m"
EXPRESSION = "expr: sum by (job) (endpoint:http_requests:rate5m)"
EDITED = f"{EXPRESSION} * 1"
POLL_SECONDS = 0.05


class RuleEdits:
    """Edits one rule of a stack that is up, back and forth.

    `interval` is the stack's scrape interval in seconds. What the edits must not do is asked for
    at the end: `fault`.
    """

    def __init__(
        self, project: Project, client: docker.DockerClient, prometheus: str, interval: float
    ) -> None:
        self.up_seconds: list[float] = []
        self._project = project
        self._client = client
        self._url = prometheus
        self._interval = interval
        self._started = self._start_times()
        self._since = time.monotonic()

    def edit(self) -> float:
        """Seconds from the start of `pulumi up` until Prometheus says that it has the new rule."""
        _toggle(self._project.folder / RULE_FILE)
        before = self._expression()
        with ThreadPoolExecutor(1) as pool:
            started = time.monotonic()
            up = pool.submit(self._project.up)
            while self._expression() == before:
                if up.done() and time.monotonic() - started > UP_SECONDS:
                    raise BenchmarkError(f"Prometheus never took the edit of {RULE}")
                if up.done():
                    up.result()
                time.sleep(POLL_SECONDS)
            live = time.monotonic() - started
            self.up_seconds.append(up.result())
        return live

    def fault(self) -> tuple[str, str]:
        """What an edit did that it must not, or nothing; and what was seen of the scrapes."""
        restarted = sorted(
            name for name, at in self._start_times().items() if self._started.get(name) != at
        )
        # The scrape that falls due at the very end may still be under way.
        time.sleep(self._interval)
        seconds = time.monotonic() - self._since
        expected = math.floor(seconds / self._interval) - 1
        values = self._query(f'up{{job="prometheus"}}[{math.ceil(seconds)}s]')[0]["values"]
        times = [float(at) for at, _ in values]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        faults = []
        if restarted:
            faults.append(f"restarted: {', '.join(restarted)}")
        if len(times) < expected or max(gaps) > 1.5 * self._interval:
            faults.append("a scrape was missed")
        if any(value != "1" for _, value in values):
            faults.append("a scrape failed")
        seen = (
            f"rule edits: no container restarted, {len(times)} scrapes of Prometheus in "
            f"{seconds:.0f} s (at least {expected} expected, every {self._interval:g} s), the "
            f"longest pause {max(gaps):.2f} s"
        )
        if restarted:
            seen = seen.replace("no container restarted", faults[0])
        return "; ".join(faults), seen

    def _start_times(self) -> dict[str, str]:
        found = containers(self._client, self._project.stack)
        return {container.name or "": container.attrs["State"]["StartedAt"] for container in found}

    def _expression(self) -> str:
        groups = self._get("/api/v1/rules?type=record")["groups"]
        return next(
            str(rule["query"])
            for group in groups
            for rule in group["rules"]
            if rule["name"] == RULE
        )

    def _query(self, expression: str) -> list[dict[str, Any]]:
        encoded = urllib.parse.urlencode({"query": expression})
        found: list[dict[str, Any]] = self._get(f"/api/v1/query?{encoded}")["result"]
        return found

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self._url + path, timeout=10) as response:
            found: dict[str, Any] = json.load(response)["data"]
        return found


def _toggle(file: Path) -> None:
    text = file.read_text()
    if f"{EDITED}\n" in text:
        file.write_text(text.replace(f"{EDITED}\n", f"{EXPRESSION}\n"))
    elif f"{EXPRESSION}\n" in text:
        file.write_text(text.replace(f"{EXPRESSION}\n", f"{EDITED}\n"))
    else:
        raise BenchmarkError(f"{RULE_FILE} has no longer the line `{EXPRESSION}` to edit")
