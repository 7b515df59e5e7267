"""Maintenance window: its matchers, and what they cover of a stack's alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from components.alertmanager.destinations import HEARTBEAT_ALERT
from components.common.quantities import duration_seconds
from components.prometheus.rules import stack_rules
from components.settings.settings import Settings
from ops.errors import OpsError
from ops.review.diff.routes import Matcher, Ternary, known_labels, matchers_of

LONGEST = "1d"
# A value that no label has: a matcher of it is one of any value.
_ANY = "any-value-of-no-label"
_KEEP_HEARTBEAT = Matcher("alertname", "!=", HEARTBEAT_ALERT)

Labels = Mapping[str, str]


class SilenceError(OpsError):
    """The window is refused; the message says why."""


@dataclass(frozen=True)
class Window:
    """Silence to be made; `covered` are the names of the alerts of the rules that it can mute."""

    matchers: tuple[Matcher, ...]
    seconds: float
    author: str
    comment: str
    covered: tuple[str, ...]

    @property
    def keeps_heartbeat(self) -> bool:
        return _KEEP_HEARTBEAT in self.matchers

    def posted(self, now: datetime) -> dict[str, Any]:
        """Return it for Alertmanager's API v2."""
        return {
            "matchers": [
                {
                    "name": found.name,
                    "value": found.value,
                    "isRegex": found.sign.endswith("~"),
                    "isEqual": found.sign.startswith("="),
                }
                for found in self.matchers
            ],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(seconds=self.seconds)).isoformat(),
            "createdBy": self.author,
            "comment": self.comment,
        }


def labels_of(settings: Settings) -> list[dict[str, str]]:
    """Return what is known of each alert of a stack before it fires."""
    rules, external = stack_rules(settings), {"stack": settings.stack}
    return [
        known_labels(alert.name, {**alert.labels, "severity": alert.severity}, external)
        for alert in rules.alerts.values()
        if alert.file in rules.files and not alert.disabled
    ]


def window(
    alerts: Sequence[Labels],
    matchers: Sequence[str],
    duration: str,
    author: str,
    comment: str,
    why_all: str,
) -> Window:
    """Check what was asked for. `why_all` is the reason for muting everything. Raises
    SilenceError.
    """
    seconds = _seconds(duration)
    if not (comment := "; ".join(filter(str.strip, (comment, why_all)))):
        raise SilenceError("A silence needs a comment for whoever finds it. fix: --comment TEXT")
    found = [matcher for text in matchers for matcher in _parsed(text)]
    others = [labels for labels in alerts if labels["alertname"] != HEARTBEAT_ALERT]
    if not why_all.strip():
        _refuse_all(found, others)
    covered = [labels["alertname"] for labels in others if _may_match(found, labels)]
    heartbeat = [labels for labels in alerts if labels["alertname"] == HEARTBEAT_ALERT]
    if any(_matches_exactly(found, labels) for labels in heartbeat):
        if not covered:
            raise SilenceError(
                f"{HEARTBEAT_ALERT} is the heartbeat: without it whoever waits for heartbeatUrl "
                "raises the alarm. fix: pause the check where the heartbeat arrives"
            )
        found.append(_KEEP_HEARTBEAT)
    return Window(tuple(found), seconds, author, comment, tuple(sorted(set(covered))))


def as_text(matcher: Matcher) -> str:
    value = matcher.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{matcher.name}{matcher.sign}"{value}"'


def _seconds(duration: str) -> float:
    try:
        seconds = duration_seconds(duration)
    except ValueError as error:
        raise SilenceError(f"--for {duration} {error}. fix: --for 2h") from None
    if not 0 < seconds <= duration_seconds(LONGEST):
        raise SilenceError(
            f"--for {duration} is not from 1s to {LONGEST}: what is muted for longer is forgotten. "
            f"fix: --for {LONGEST} and again tomorrow, or turn the alert off in the settings "
            "(vitalstream:alerts.NAME.enabled false, with a reason)"
        )
    return seconds


def _parsed(text: str) -> list[Matcher]:
    found = matchers_of({"matchers": [text]})
    if not found or not all(matcher.sign for matcher in found):
        raise SilenceError(
            f"{text} is not a matcher. fix: one such as 'alertname=\"RedisDown\"' or "
            "'instance=~\"10\\.0\\.0\\.5:.*\"', in quotes for the shell"
        )
    return found


def _refuse_all(matchers: Sequence[Matcher], alerts: Sequence[Labels]) -> None:
    critical = [labels for labels in alerts if labels.get("severity") == "critical"]
    for whole, what in ((alerts, "every alert"), (critical, "every critical alert")):
        if whole and all(_covers(matchers, labels) for labels in whole):
            raise SilenceError(
                f"These matchers cover {what} of the stack. fix: a matcher that narrows it down, "
                "such as 'service=\"database\"', or --all REASON"
            )


def _covers(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Return whether an alert is muted whatever its other labels are.

    A matcher of a label that is not known narrows it down, unless any value or none matches.
    """
    return all(
        any(
            matcher.matches({matcher.name: value}) is not Ternary.NO
            for value in ([labels[matcher.name]] if matcher.name in labels else ["", _ANY])
        )
        for matcher in matchers
    )


def _may_match(matchers: Sequence[Matcher], labels: Labels) -> bool:
    return all(matcher.matches(labels) is not Ternary.NO for matcher in matchers)


def _matches_exactly(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Return whether an alert with these labels alone is muted."""
    absent = {matcher.name: "" for matcher in matchers}
    return _may_match(matchers, {**absent, **labels})
