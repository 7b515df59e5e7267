"""What the counters of an integration say of a notification that was to be sent by it."""

from __future__ import annotations

from dataclasses import dataclass

from ops.drill.alertmanager import Counts


@dataclass(frozen=True)
class Verdict:
    """Of `expected` notifications: how many arrived and how many failed; `final` where no later
    look would say anything else. `why` is empty where all arrived.
    """

    sent: int
    failed: int
    final: bool
    why: str = ""


@dataclass(frozen=True)
class Watch:
    """Notifications that are awaited by one integration, and its counts `before` them.

    `clean`: the integration tells of resolved alerts too, so that what was under way before is
    really under way. Its end is then waited for as well: which of the two ended could not be said.
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
            why=f"{given_up} of {begun} notifications that went out meanwhile failed, which is "
            "not known: try again",
        )

    def _still_trying(self, attempts: int) -> str:
        if self.clean and self.before.under_way > 0:
            return "not to be told: earlier notifications by the same integration still fail"
        if not attempts:
            return "no answer yet"
        times = "once" if attempts == 1 else f"{attempts} times"
        return f"failed {times}, and Alertmanager goes on trying"
