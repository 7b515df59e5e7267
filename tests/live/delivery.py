"""Make faults in a running stack and record the messages that each receiver gets, with times."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import docker
import requests
from prometheus_client.parser import text_string_to_metric_families

from components.dashboards.alert_strip import alert_list
from components.dashboards.panels import GridPos
from ops.offline import local_deploy
from tests.certificates import Authority
from tests.figures import DELAYS
from tests.live import stack as stacks
from tests.live.faults import Fault
from tests.live.sinks import HEARTBEAT, Message, Sink, sink
from tests.live.stack import SECRETS, TIMEOUT_SECONDS, Stack, eventually

CRITICAL = "#vitalstream-critical"
WARNINGS = "#vitalstream-warnings"
DATABASE = "#vitalstream-database"
BACKEND = "#vitalstream-backend"
MAIL = "ops-team@example.com"
# group_wait of each receiver.
GROUP_WAIT_SECONDS = {CRITICAL: 5, MAIL: 5, DATABASE: 5, BACKEND: 5, WARNINGS: 30}

# Delay beyond the minimum of the settings at which a test fails.
BOUND_SECONDS = 15
RESOLVED = ("RESOLVED", "ÇÖZÜLDÜ")
TITLE = re.compile(r"\[(?P<state>\w+)\] (?P<alert>\w+)(?: \(\d+\))? - (?P<stack>\S+)")


@dataclass(frozen=True)
class Pace:
    """Intervals of a stack in seconds; `group` is Alertmanager's group_interval."""

    scrape: float
    evaluation: float
    group: float


@dataclass(frozen=True)
class Expected:
    """Alert that a fault raises after `delay` seconds (its `for`), and its exact receivers."""

    alert: str
    delay: float
    to: tuple[str, ...]


@dataclass
class Outcome:
    """Messages that followed a fault; `began` and `ended` (start of the repair) are Unix times."""

    expected: Expected
    pace: Pace
    began: float
    ended: float = 0.0
    messages: list[Message] = field(default_factory=list)

    def sent(self, to: str) -> list[Message]:
        """Return the firing messages sent to one receiver."""
        return [found for found in self.messages if found.to == to and not is_resolved(found)]

    def resolved(self, to: str) -> list[Message]:
        return [found for found in self.messages if found.to == to and is_resolved(found)]

    def floor(self, to: str) -> float:
        """Return the worst-case seconds to the message that the settings alone imply."""
        pace, waited = self.pace, GROUP_WAIT_SECONDS[to]
        return pace.scrape + self.expected.delay + pace.evaluation + waited

    def delay(self, to: str) -> float:
        """Return the seconds from the fault to the message."""
        return self.sent(to)[0].at - self.began

    @property
    def resolved_floor(self) -> float:
        return self.pace.scrape + self.pace.evaluation + self.pace.group

    def resolved_delay(self, to: str) -> float:
        return self.resolved(to)[-1].at - self.ended


@dataclass(frozen=True)
class Act:
    """Faults that occur together.

    `others` maps alerts that nobody is notified of to their state, `active` or `suppressed`.
    """

    outcomes: list[Outcome]
    others: dict[str, str]


@dataclass(frozen=True)
class Subject:
    """Stack whose messages go to a sink."""

    stack: Stack
    sink: Sink
    pace: Pace

    def play(
        self, faults: Sequence[tuple[Fault, Sequence[Expected]]], others: Sequence[str] = ()
    ) -> Act:
        """Make all faults until each alert is sent, then end them until each resolution is sent.

        `others` are alerts that must also be in Alertmanager before the faults end.
        """
        outcomes: list[Outcome] = []
        with ExitStack() as entered:
            for fault, expected in faults:
                began = entered.enter_context(fault(self.stack))
                mine = [Outcome(alert, self.pace, began) for alert in expected]
                outcomes += mine
                entered.callback(_end, mine)
            sent = max(out.began + out.floor(to) for out in outcomes for to in out.expected.to)
            self._wait_for_messages(outcomes, sent, lambda message: not is_resolved(message))
            states = self._wait_for_alerts(others)
        over = max(out.ended + out.resolved_floor for out in outcomes)
        self._wait_for_messages(outcomes, over, is_resolved)
        return Act(outcomes, states)

    def _wait_for_messages(
        self, outcomes: Sequence[Outcome], due: float, right: Callable[[Message], bool]
    ) -> None:
        """Wait until each receiver has its message, or until BOUND_SECONDS after `due`."""

        def all_sent(messages: list[Message]) -> bool:
            return all(
                any(found.to == to and right(found) for found in _about(out, messages))
                for out in outcomes
                for to in out.expected.to
            )

        self.sink.wait_until(all_sent, due + BOUND_SECONDS - time.time())

    def _wait_for_alerts(self, names: Sequence[str]) -> dict[str, str]:
        def states() -> dict[str, str]:
            return {
                found["labels"]["alertname"]: found["status"]["state"]
                for found in self.alerts()
                if found["labels"]["alertname"] in names
            }

        eventually(lambda: len(states()) == len(names), 2 * BOUND_SECONDS)
        return states()

    def alerts(self) -> list[dict[str, Any]]:
        """Return Alertmanager's alerts, notified or not."""
        found: list[dict[str, Any]] = self.stack.get("alertmanager", "/api/v2/alerts")
        return found

    def listed(self, alert: str) -> tuple[str, ...]:
        """Return what the overview's list said an alert is about when it was sent first."""
        sent = messages_of(alert, self.sink.messages)
        query = alert_list(GridPos(0, 0, 1, 1), {}).build().targets[0].expr
        found = self.stack.ask("query", query=query, time=sent[0].at)["result"] if sent else []
        labels = [one["metric"] for one in found]
        return tuple(sorted(one["where"] for one in labels if one["alertname"] == alert))

    def counted(self, name: str) -> dict[str, float]:
        """Return a counter of Alertmanager by integration, without zeros."""
        url = f"{self.stack.result.urls['alertmanager']}/metrics"
        counts: dict[str, float] = {}
        text = requests.get(url, timeout=TIMEOUT_SECONDS).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.value:
                    integration = sample.labels["integration"]
                    counts[integration] = counts.get(integration, 0) + sample.value
        return counts

    def heartbeats(self) -> list[float]:
        """Return the arrival times of the heartbeats."""
        return [found.at for found in self.sink.messages if found.to == HEARTBEAT]


def record(acts: Sequence[Act], messages: Sequence[Message]) -> None:
    """Assign to each outcome its messages: those between its beginning and that of the next act."""
    beginnings = [min(out.began for out in act.outcomes) for act in acts]
    ends = [*beginnings[1:], time.time()]
    for act, end in zip(acts, ends, strict=False):
        for out in act.outcomes:
            out.messages = [found for found in _about(out, messages) if found.at < end]


def rows(what: str, out: Outcome) -> Iterator[str]:
    """Yield table rows: seconds from fault to message beside the minimum of the settings."""
    for to in out.expected.to:
        if not out.sent(to):
            yield DELAYS.format(what, out.expected.alert, to, "", "never", "", "")
            continue
        floor, delay = out.floor(to), out.delay(to)
        over = f"{out.resolved_delay(to):.1f}" if out.resolved(to) else "never"
        numbers = f"{floor:.0f}", f"{delay:.1f}", f"{delay - floor:+.1f}"
        yield DELAYS.format(what, out.expected.alert, to, *numbers, over)


def messages_of(alert: str, messages: Sequence[Message]) -> list[Message]:
    return [found for found in messages if _title(found, "alert") == alert]


def is_resolved(message: Message) -> bool:
    return _title(message, "state") in RESOLVED


def _about(out: Outcome, messages: Sequence[Message]) -> list[Message]:
    found = messages_of(out.expected.alert, messages)
    return [message for message in found if message.at >= out.began]


def _title(message: Message, part: str) -> str:
    match = TITLE.fullmatch(message.title)
    return match[part] if match else ""


def _end(outcomes: Sequence[Outcome]) -> None:
    for out in outcomes:
        out.ended = time.time()


def address(client: docker.DockerClient) -> str:
    """Return this host's address as seen from containers on any of its bridges."""
    configs = client.networks.get("bridge").attrs["IPAM"]["Config"]
    config = next(found for found in configs if "." in found["Subnet"])
    # An engine that has just created its bridge reports no gateway; it takes the first address.
    return str(config.get("Gateway") or next(ipaddress.ip_network(config["Subnet"]).hosts()))


@contextlib.contextmanager
def subject(
    name: str,
    client: docker.DockerClient,
    images: Mapping[str, str],
    pace: Pace,
    leave_out: frozenset[str],
    authority: Authority,
    **values: Any,
) -> Iterator[Subject]:
    """Start a stack that sends everything to a sink and trusts only the given authority."""
    login = ("live", SECRETS["mailPassword"])
    with sink(authority, address(client), login) as found, stacks.alone(name, client):
        # As `pulumi config set` stores it: without the last line break.
        trusted = authority.pem.strip()
        config = stacks.config(
            dict(images),
            scrapeInterval=f"{pace.scrape:g}s",
            evaluationInterval=f"{pace.evaluation:g}s",
            slackWebhookUrl=found.slack_url,
            mailSmarthost=found.smarthost,
            mailUsername=login[0],
            heartbeatUrl=found.heartbeat_url,
            deliveryCa=dict.fromkeys(("slack", "mail", "heartbeat"), trusted),
            **values,
        )
        result = local_deploy.up(name, config, stacks.say, leave_out=leave_out)
        yield Subject(Stack(name, client, config, result), found, pace)
