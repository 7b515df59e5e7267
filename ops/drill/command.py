"""`python -m ops drill`: run a drill and print the deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import yaml
from rich.console import Console
from rich.table import Table

from components.alertmanager import routes, routing
from components.alertmanager.receivers import HEARTBEAT_RECEIVER
from components.settings.settings import Settings
from ops import connections
from ops.drill.alertmanager import Alertmanager, Receiver
from ops.drill.log import Log, with_fix
from ops.drill.plan import DrillAlert, plan
from ops.drill.runner import Delivery, Drill, Reasons
from ops.review.diff.routes import deliveries, matchers_of

console = Console(highlight=False)


def run(settings: Settings, url: str, patience: float, *, until_resolved: bool) -> bool:
    """Run the drill, print the deliveries and return whether every receiver was notified.

    `url` overrides Alertmanager's address in the settings; its log is not read then. Raises
    DrillError.
    """
    stack = settings.stack
    alertmanager = Alertmanager(
        url or settings.local_url("alertmanager"), connections.session(settings)
    )
    receivers = alertmanager.receivers()
    escalation = (settings.escalate_to, settings.escalate_after)
    planned = plan(stack, datetime.now(UTC), routes.rows(settings), escalation)
    alerts = _with_all_who_hear(planned, settings)
    reachable = [
        alert
        for alert in alerts
        if alert.receiver in alert.expected
        and alert.receiver in receivers
        and receivers[alert.receiver].integrations
    ]
    console.print(f"Drill of stack {stack} through {alertmanager.url}: a test alert by each route.")
    drill = Drill(
        alertmanager,
        receivers,
        patience,
        _no_log if url else _reasons(settings),
        lambda words: console.print(words, style="dim"),
    )
    found = drill.run(reachable, until_resolved=until_resolved)
    missed = [
        *nowhere(alerts, receivers, settings),
        *(
            Delivery(name, "", "", why="no route of these settings leads there: not tried")
            for name in sorted(set(receivers) - {alert.receiver for alert in alerts})
            if name != routes.NOBODY
        ),
    ]
    console.print(table([*found, *missed]))
    if found and not until_resolved:
        console.print(follow_up(found, receivers), soft_wrap=True)
    return all(map(passes, [*found, *missed]))


def _with_all_who_hear(alerts: list[DrillAlert], settings: Settings) -> list[DrillAlert]:
    """The alerts with all the receivers that the settings route them to."""
    tree = yaml.safe_load(routing.render_config(settings))["route"]
    # To Alertmanager a label that is not there is an empty one.
    absent = {asked.name: "" for route in tree["routes"] for asked in matchers_of(route)}
    return [
        replace(
            alert,
            expected=frozenset(
                one.receiver for one in deliveries(tree, {**absent, **alert.labels})
            ),
        )
        for alert in alerts
    ]


def passes(delivery: Delivery) -> bool:
    """Return whether it arrived, or needs not: without a URL, no heartbeat is sent."""
    return delivery.arrived or (
        delivery.receiver == HEARTBEAT_RECEIVER and not delivery.integration
    )


def nowhere(
    alerts: Iterable[DrillAlert], receivers: dict[str, Receiver], settings: Settings
) -> list[Delivery]:
    """Return the receivers without an integration, or behind a route that ends."""
    return [
        Delivery(name, "", "", why=why)
        for alert in alerts
        for name in [alert.receiver]
        if (why := _why_nowhere(alert, receivers, settings))
    ]


def _why_nowhere(alert: DrillAlert, receivers: dict[str, Receiver], settings: Settings) -> str:
    name = alert.receiver
    if name not in receivers:
        return "not in the live configuration. fix: pulumi up"
    if name not in alert.expected:
        return "a route before it takes its alerts. fix: continue: true in vitalstream:routes"
    if receivers[name].integrations:
        return ""
    if name == HEARTBEAT_RECEIVER:
        return "no integration: heartbeatUrl is not set (optional)"
    channel = getattr(settings.slack_channels, name, name)
    return f"no integration: no way to Slack for {channel}"


def table(found: Sequence[Delivery]) -> Table:
    """Return a table with one row per receiver and integration."""
    made = Table(box=None, pad_edge=False)
    for column in ("receiver", "integration", "sent", "failed"):
        right = column in ("sent", "failed")
        made.add_column(column, justify="right" if right else "left", no_wrap=True)
    waited = any(delivery.resolved is not None for delivery in found)
    if waited:
        made.add_column("resolved")
    made.add_column("why", overflow="fold")
    for delivery in found:
        over = {True: "sent", False: "not sent", None: ""}[delivery.resolved]
        made.add_row(
            delivery.receiver,
            delivery.to or "-",
            str(delivery.sent),
            str(delivery.failed),
            *([over] if waited else []),
            delivery.why,
            style=None if passes(delivery) else "red",
        )
    return made


def follow_up(found: Sequence[Delivery], receivers: dict[str, Receiver]) -> str:
    turns = {
        delivery.receiver: receivers[delivery.receiver].interval
        for delivery in found
        if delivery.arrived
    }
    words = ", ".join(f"{name} within {seconds:g} s" for name, seconds in turns.items())
    return (
        f"The alerts are resolved; resolved notifications follow after group_interval: {words}. "
        "--until-resolved waits for them."
        if words
        else "The alerts are resolved."
    )


def _reasons(settings: Settings) -> Reasons:
    log = Log(settings)
    return lambda *asked: [with_fix(reason) for reason in log.errors(*asked)]


def _no_log(_receiver: str, _integration: str, _since: datetime) -> list[str]:
    return []
