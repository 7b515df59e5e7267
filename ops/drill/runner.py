"""Run a drill: an alert for each receiver, sequentially."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ops.drill.alertmanager import Alertmanager, DrillError, Integration, Receiver
from ops.drill.plan import DrillAlert, lifetime
from ops.drill.verdict import Verdict, Watch

PAUSE_SECONDS = 0.5

Reasons = Callable[[str, str, datetime], list[str]]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Delivery:
    """Delivery by one integration; `resolved` is None if not waited for."""

    receiver: str
    integration: str
    to: str
    sent: int = 0
    failed: int = 0
    why: str = ""
    resolved: bool | None = None

    @property
    def arrived(self) -> bool:
        return self.sent > 0 and not self.why


@dataclass(frozen=True)
class Drill:
    """Drill; a notification may take `patience` seconds longer than group_wait.

    `reasons` returns why an integration of a receiver failed since a time.
    """

    alertmanager: Alertmanager
    receivers: dict[str, Receiver]
    patience: float
    reasons: Reasons
    report: Report

    def run(self, alerts: Sequence[DrillAlert], *, until_resolved: bool) -> list[Delivery]:
        """Run the drill and resolve all its alerts, also after an error. Raises DrillError."""
        ends = datetime.now(UTC) + lifetime(sum(map(self._most_seconds, alerts)))
        posted: list[DrillAlert] = []
        found: list[Delivery] = []
        try:
            for alert in alerts:
                receiver = self.receivers[alert.receiver]
                self.report(f"{receiver.name}: waiting {receiver.wait:g} s and for its messages")
                posted.append(alert)
                found += self._drilled(alert, ends, last=alert is alerts[-1])
        except BaseException:
            with contextlib.suppress(DrillError):
                self._end(posted)
            raise
        owed = self._owed(found)
        watches = {name: self._watch(None, name, len(owing)) for name, owing in owed.items()}
        self._end(posted)
        return self._resolved(found, owed, watches) if until_resolved else found

    def _most_seconds(self, alert: DrillAlert) -> float:
        receiver = self.receivers[alert.receiver]
        return receiver.wait + 2 * (receiver.interval + self.patience)

    def _drilled(self, alert: DrillAlert, ends: datetime, *, last: bool) -> list[Delivery]:
        receiver = self.receivers[alert.receiver]
        ways = _by_name(receiver)
        watches = {name: self._watch(receiver.name, name, len(way)) for name, way in ways.items()}
        since = datetime.now(UTC)
        self.alertmanager.post([alert.posted(since, ends)])
        held_back = self._held_back(alert)
        deadline = time.monotonic() + (0 if held_back else receiver.wait + self.patience)
        verdicts = {
            name: self._awaited(receiver.name, watch, name, deadline)
            for name, watch in watches.items()
        }
        if not held_back and not all(one.sent or one.failed for one in verdicts.values()):
            held_back = self.alertmanager.muted(alert.as_filter, receiver.name)
        late = [name for name, verdict in verdicts.items() if not verdict.final]
        if late and not last:
            self._end([alert])
            verdicts |= self._late(receiver, {name: watches[name] for name in late})
        found = []
        for name, verdict in verdicts.items():
            why = held_back or verdict.why
            if verdict.failed:
                why = "; ".join((why, *self.reasons(receiver.name, name, since)[-2:]))
            to = ", ".join(integration.to for integration in ways[name])
            found.append(Delivery(receiver.name, name, to, verdict.sent, verdict.failed, why))
        return found

    def _late(self, receiver: Receiver, watches: dict[str, Watch]) -> dict[str, Verdict]:
        """Wait until Alertmanager gives up or succeeds.

        Until then its attempts would be counted for the next receiver.
        """
        found = {}
        for name, watch in watches.items():
            if not watch.verdict(self.alertmanager.counts(receiver.name, name)).failed:
                continue
            self.report(f"{receiver.name}: fails; waiting until Alertmanager gives it up")
            deadline = time.monotonic() + receiver.interval + self.patience
            found[name] = self._awaited(receiver.name, watch, name, deadline)
            if found[name].sent:
                # The resolved notification is now due as well.
                over = self._watch(receiver.name, name, watch.expected)
                self._awaited(receiver.name, over, name, deadline + receiver.interval)
        return found

    def _held_back(self, alert: DrillAlert) -> str:
        """Return why the alert does not reach its receiver only, empty if it does."""
        state = self.alertmanager.alert_state(alert.as_filter)
        if state is None:
            raise DrillError(f"Alertmanager accepted the alert for {alert.receiver} and lost it.")
        if state.receivers != (alert.expected or {alert.receiver}):
            there = ", ".join(sorted(state.receivers))
            return f"the live configuration routes it to {there}. fix: pulumi up"
        return state.held_back

    def _owed(self, found: Sequence[Delivery]) -> dict[str, list[Delivery]]:
        """Return the deliveries that a resolved notification follows, by integration."""
        owed: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in found:
            way = _by_name(self.receivers[delivery.receiver])[delivery.integration]
            if delivery.arrived and all(integration.sends_resolved for integration in way):
                owed[delivery.integration] += [delivery] * len(way)
        return owed

    def _resolved(
        self,
        found: list[Delivery],
        owed: dict[str, list[Delivery]],
        watches: dict[str, Watch],
    ) -> list[Delivery]:
        """Wait for the resolved notifications, which follow after each group_interval."""
        verdicts: dict[tuple[str, str], Verdict] = {}
        turns = {
            delivery.receiver: self.receivers[delivery.receiver].interval
            for owing in owed.values()
            for delivery in owing
        }
        self.report(f"waiting up to {max(turns.values(), default=0):g} s for the resolved messages")
        start = time.monotonic()
        for name, owing in owed.items():
            last = max(turns[delivery.receiver] for delivery in owing)
            verdict = self._awaited(None, watches[name], name, start + last + self.patience)
            verdicts |= {(delivery.receiver, name): verdict for delivery in owing}
        return [
            _reported(delivery, verdicts.get((delivery.receiver, delivery.integration)))
            for delivery in found
        ]

    def _watch(self, receiver: str | None, name: str, expected: int) -> Watch:
        ways = [_by_name(found).get(name, []) for found in self.receivers.values()]
        return Watch(
            self.alertmanager.counts(receiver, name),
            expected,
            clean=all(integration.sends_resolved for way in ways for integration in way),
        )

    def _awaited(self, receiver: str | None, watch: Watch, name: str, deadline: float) -> Verdict:
        """Return the verdict of two equal scrapes.

        Counters of one scrape may be inconsistent: an attempt counted before its failure would
        look like a success.
        """
        before = None
        while True:
            counts = self.alertmanager.counts(receiver, name)
            verdict = watch.verdict(counts)
            over = verdict.final or time.monotonic() >= deadline
            if over and counts == before:
                return verdict
            before = counts
            time.sleep(PAUSE_SECONDS)

    def _end(self, posted: Sequence[DrillAlert]) -> None:
        if posted:
            now = datetime.now(UTC)
            self.alertmanager.post([alert.posted(now, now) for alert in posted])


def _by_name(receiver: Receiver) -> dict[str, list[Integration]]:
    """Group a receiver's integrations by name, as they are counted."""
    found: dict[str, list[Integration]] = defaultdict(list)
    for integration in receiver.integrations:
        found[integration.name].append(integration)
    return found


def _reported(delivery: Delivery, over: Verdict | None) -> Delivery:
    if over is None:
        return delivery
    why = f"resolved message: {over.why}" if over.why else ""
    return replace(delivery, resolved=not over.why, why=why)
