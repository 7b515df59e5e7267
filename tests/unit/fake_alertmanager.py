"""Fake Alertmanager API that delivers posted alerts, or fails, at once."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from ops.review.diff.routes import Ternary, all_match, matchers_of

Alert = dict[str, Any]


@dataclass
class FakeAlertmanager:
    """Alertmanager with `outcome` of a receiver: "ok" if none is given, "refused", "retried" or
    "nothing".

    `routed` are receivers other than the one that `matching` finds; `by_receiver` says whether the
    counters distinguish receivers. `torn`: the first read after a post shows an attempt and not yet
    its failure.
    """

    config: dict[str, Any]
    outcome: dict[str, str] = field(default_factory=dict)
    routed: dict[str, list[str]] = field(default_factory=dict)
    silenced: set[str] = field(default_factory=set)
    by_receiver: bool = False
    torn: bool = False
    meanwhile: list[tuple[str, str]] = field(default_factory=list)
    posts: list[list[Alert]] = field(default_factory=list)
    counters: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    url: str = ""
    fresh: bool = False

    def matching(self, alert: Alert) -> str:
        """Return the receiver of the first route whose matcher the labels match."""
        return next(
            route["receiver"]
            for route in self.config["route"]["routes"]
            if all_match(matchers_of(route), alert["labels"]) is Ternary.YES
        )

    def firing(self) -> list[Alert]:
        """Return the last version of each alert that still fires."""
        last = {json.dumps(alert["labels"]): alert for post in self.posts for alert in post}
        now = datetime.now(UTC)
        return [alert for alert in last.values() if datetime.fromisoformat(alert["endsAt"]) > now]

    def count(self, receiver: str, integration: str, outcome: str) -> None:
        if outcome == "nothing":
            return
        failed = outcome != "ok"
        steps = {
            "notifications_total": 1,
            "notification_requests_total": 1,
            "notification_requests_failed_total": failed,
            "notifications_failed_total": outcome == "refused",
        }
        for name, step in steps.items():
            self.counters[name, integration, receiver] += int(step)

    def post(self, alerts: list[Alert]) -> None:
        self.posts.append(alerts)
        self.fresh = self.torn
        now = datetime.now(UTC)
        for alert in alerts:
            receiver = self.matching(alert)
            for entry in self.config["receivers"]:
                if entry["name"] != receiver or receiver in self.silenced:
                    continue
                for key in entry.keys() - {"name"}:
                    ends = datetime.fromisoformat(alert["endsAt"]) <= now
                    if ends and not entry[key][0].get("send_resolved", True):
                        continue
                    outcome = self.outcome.get(receiver, "ok")
                    if not (ends and outcome != "ok"):
                        self.count(receiver, key.removesuffix("_configs"), outcome)
        for integration, outcome in self.meanwhile:
            self.count("somebody", integration, outcome)

    def metrics(self) -> str:
        lines = []
        fresh, self.fresh = self.fresh, False
        for (name, integration, receiver), value in self.counters.items():
            if fresh and "failed" in name:
                continue
            labels = f'integration="{integration}"'
            if self.by_receiver:
                labels += f',receiver_name="{receiver}"'
            lines.append(f"alertmanager_{name}{{{labels}}} {value}")
        # One line a series.
        totals: Counter[str] = Counter()
        for line in lines:
            series, _, value = line.rpartition(" ")
            totals[series] += int(value)
        return "".join(f"{series} {value}\n" for series, value in totals.items())

    def alerts(self, matchers: list[str]) -> list[Alert]:
        found = []
        for alert in self.firing():
            if {f'{name}="{value}"' for name, value in alert["labels"].items()} >= set(matchers):
                receiver = self.matching(alert)
                names = self.routed.get(receiver, [receiver])
                status = {
                    "state": "active",
                    "silencedBy": ["s1"] if receiver in self.silenced else [],
                    "inhibitedBy": [],
                }
                found.append({"receivers": [{"name": name} for name in names], "status": status})
        return found


@contextmanager
def serving(fake: FakeAlertmanager) -> Iterator[FakeAlertmanager]:
    """Serve the fake on a loopback port, with its address set."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            matchers = urllib.parse.parse_qs(url.query).get("filter", [])
            silence = {"comment": "a move", "createdBy": "ops", "endsAt": "2026-01-02T03:04:05Z"}
            answers: dict[str, Any] = {
                "/api/v2/status": {"config": {"original": yaml.safe_dump(fake.config)}},
                "/api/v2/silence/s1": silence,
            }
            if url.path == "/metrics":
                self.answer(fake.metrics())
            elif url.path == "/api/v2/alerts":
                self.answer(json.dumps(fake.alerts(matchers)))
            else:
                self.answer(json.dumps(answers[url.path]))

        def do_POST(self) -> None:
            fake.post(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer("{}")

        def answer(self, text: str) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield fake
        server.shutdown()
