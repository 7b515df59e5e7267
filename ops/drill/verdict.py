"""Verdict on notifications from the counters of an integration."""

from __future__ import annotations

from dataclasses import dataclass

from ops.drill.alertmanager import Counts


@dataclass(frozen=True)
class Verdict:
    """Number of notifications sent and failed; `final` if it cannot change any more.

    `why` is empty if all were sent.
    """

    sent: int
    failed: int
    final: bool
    why: str = ""


@dataclass(frozen=True)
class Watch:
    """Expected notifications of one integration, and its counters `before` them.

    `clean`: the integration sends resolved notifications too, so that `under_way` is exact. Earlier
    notifications are then awaited as well, since the counters do not distinguish them.
    """

    before: Counts
    expected: int
    clean: bool

    def verdict(self, now: Counts) -> Verdict:
        begun = now.begun - self.before.begun
        given_up = now.given_up - self.before.given_up
        attempts = now.failed_requests - self.before.failed_requests
        settled = now.under_way <= (0 if self.clean else self.before.under_way)
        if begun < self.expected:
            return Verdict(0, 0, final=False, why="nothing was sent")
        if not settled:
            return Verdict(0, self.expected, final=False, why=self._still_trying(attempts))
        if not given_up:
            return Verdict(self.expected, 0, final=True)
        if given_up >= begun:
            return Verdict(0, self.expected, final=True, why="given up")
        return Verdict(
            0,
            self.expected,
            final=True,
            why=f"{given_up} of {begun} notifications in this time failed, and the counters do not "
            "say which. fix: run the drill again",
        )

    def _still_trying(self, attempts: int) -> str:
        if self.clean and self.before.under_way > 0:
            return "unknown: earlier notifications by the same integration still fail"
        if not attempts:
            return "no answer yet"
        times = "once" if attempts == 1 else f"{attempts} times"
        return f"failed {times}, and Alertmanager goes on trying"
