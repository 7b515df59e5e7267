"""A fault is made, and what reaches whom is written down: the alert's whole way, with its times."""

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
# How long Alertmanager gathers before it tells each of them.
GROUP_WAIT_SECONDS = {CRITICAL: 5, MAIL: 5, DATABASE: 5, BACKEND: 5, WARNINGS: 30}

# How much slower than its settings a chain may be before a test fails.
BOUND_SECONDS = 15
RESOLVED = "RESOLVED"
TITLE = re.compile(r"\[(?P<state>\w+)\] (?P<alert>\w+)(?: \(\d+\))? - (?P<stack>\S+)")


@dataclass(frozen=True)
class Pace:
    """A stack's intervals, in seconds; `group` is how soon a group's next message may come."""

    scrape: float
    evaluation: float
    group: float


@dataclass(frozen=True)
class Expected:
    """An alert that a fault raises after `delay` seconds (its `for`), and exactly who hears it."""

    alert: str
    delay: float
    to: tuple[str, ...]


@dataclass
class Outcome:
    """What came of it; `began` and `ended` (when mending began) are the fault's Unix times."""

    expected: Expected
    pace: Pace
    began: float
    ended: float = 0.0
    messages: list[Message] = field(default_factory=list)

    def told(self, to: str) -> list[Message]:
        """The messages to one of them that it fires."""
        return [found for found in self.messages if found.to == to and not is_resolved(found)]

    def resolved(self, to: str) -> list[Message]:
        return [found for found in self.messages if found.to == to and is_resolved(found)]

    def floor(self, to: str) -> float:
        """The seconds that it takes by the settings alone, at the worst moment for a fault."""
        pace, waited = self.pace, GROUP_WAIT_SECONDS[to]
        return pace.scrape + self.expected.delay + pace.evaluation + waited

    def delay(self, to: str) -> float:
        """The seconds from the fault to the message."""
        return self.told(to)[0].at - self.began

    @property
    def resolved_floor(self) -> float:
        return self.pace.scrape + self.pace.evaluation + self.pace.group

    def resolved_delay(self, to: str) -> float:
        return self.resolved(to)[-1].at - self.ended


@dataclass(frozen=True)
class Act:
    """Faults that were there together; `others` is what Alertmanager did meanwhile with alerts
    that nobody was to hear of, `active` or `suppressed`.
    """

    outcomes: list[Outcome]
    others: dict[str, str]


@dataclass(frozen=True)
class Subject:
    """A stack whose messages come to a sink."""

    stack: Stack
    sink: Sink
    pace: Pace

    def play(
        self, faults: Sequence[tuple[Fault, Sequence[Expected]]], others: Sequence[str] = ()
    ) -> Act:
        """All faults at once until each alert was told, then none until each was told to be over.

        `others` are alerts that shall be in Alertmanager too before anything ends.
        """
        outcomes: list[Outcome] = []
        with ExitStack() as entered:
            for fault, expected in faults:
                began = entered.enter_context(fault(self.stack))
                mine = [Outcome(alert, self.pace, began) for alert in expected]
                outcomes += mine
                entered.callback(_end, mine)
            told = max(out.began + out.floor(to) for out in outcomes for to in out.expected.to)
            self._wait_for_messages(outcomes, told, lambda message: not is_resolved(message))
            states = self._wait_for_alerts(others)
        over = max(out.ended + out.resolved_floor for out in outcomes)
        self._wait_for_messages(outcomes, over, is_resolved)
        return Act(outcomes, states)

    def _wait_for_messages(
        self, outcomes: Sequence[Outcome], due: float, right: Callable[[Message], bool]
    ) -> None:
        """Until each of them was told once, or so long after `due` that it never comes."""

        def all_told(messages: list[Message]) -> bool:
            return all(
                any(found.to == to and right(found) for found in _about(out, messages))
                for out in outcomes
                for to in out.expected.to
            )

        self.sink.wait_until(all_told, due + BOUND_SECONDS - time.time())

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
        """What Alertmanager has, whether it tells anybody or not."""
        found: list[dict[str, Any]] = self.stack.get("alertmanager", "/api/v2/alerts")
        return found

    def counted(self, name: str) -> dict[str, float]:
        """A counter of Alertmanager's by integration, without those that are 0."""
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
        """When each came."""
        return [found.at for found in self.sink.messages if found.to == HEARTBEAT]


def record(acts: Sequence[Act], messages: Sequence[Message]) -> None:
    """Gives each outcome its messages: those from its beginning to that of the next act."""
    beginnings = [min(out.began for out in act.outcomes) for act in acts]
    ends = [*beginnings[1:], time.time()]
    for act, end in zip(acts, ends, strict=False):
        for out in act.outcomes:
            out.messages = [found for found in _about(out, messages) if found.at < end]


def rows(what: str, out: Outcome) -> Iterator[str]:
    """The seconds from fault to message beside what the settings alone make of them."""
    for to in out.expected.to:
        if not out.told(to):
            yield DELAYS.format(what, out.expected.alert, to, "", "never", "", "")
            continue
        floor, delay = out.floor(to), out.delay(to)
        over = f"{out.resolved_delay(to):.1f}" if out.resolved(to) else "never"
        numbers = f"{floor:.0f}", f"{delay:.1f}", f"{delay - floor:+.1f}"
        yield DELAYS.format(what, out.expected.alert, to, *numbers, over)


def messages_of(alert: str, messages: Sequence[Message]) -> list[Message]:
    return [found for found in messages if _title(found, "alert") == alert]


def is_resolved(message: Message) -> bool:
    return _title(message, "state") == RESOLVED


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
    """This machine's, as containers of any of its bridges see it."""
    configs = client.networks.get("bridge").attrs["IPAM"]["Config"]
    config = next(found for found in configs if "." in found["Subnet"])
    # Not told by an engine that has made its bridge just now; it takes the first address.
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
    """A stack that is up and sends everything to a sink, trusting the authority and no other."""
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
