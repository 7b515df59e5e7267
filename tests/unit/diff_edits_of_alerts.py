"""Edits of alerts, rules, routes and messages, with what the report must say of each."""

from __future__ import annotations

from tests.unit.diff_edits import (
    BACKEND,
    NO_RESTART,
    ROUTES,
    Case,
    add_alert_at_the_top,
    hold_all_back,
    mute,
    put_label,
    receiver,
    remove_alert,
    reverse,
    settings,
    stop_at_critical,
    text,
    unwatch,
    yaml,
)
from tests.unit.diff_stacks import rule

EDITS_OF_ALERTS = {
    "a threshold": Case(
        text(BACKEND, "ratio_rate5m > 5", "ratio_rate5m > 7"),
        ("1 made weaker", "WEAKER alert HighErrorRate", "threshold: > 5 -> > 7", NO_RESTART),
        ("expression", "INTERRUPTS"),
    ),
    "a threshold that is easier to reach": Case(
        text(BACKEND, "ratio_rate5m > 5", "ratio_rate5m > 4"),
        ("alert HighErrorRate changed", "threshold: > 5 -> > 4"),
        ("WEAKER", "weaker"),
    ),
    "a lower bound raised": Case(
        text("rules/redis.yml", ") < 50", ") < 60"),
        ("alert RedisLowHitRatio changed", "threshold: < 50 -> < 60"),
        ("WEAKER",),
    ),
    "a lower bound lowered": Case(
        text("rules/redis.yml", ") < 50", ") < 40"),
        ("WEAKER alert RedisLowHitRatio changed", "threshold: < 50 -> < 40"),
    ),
    "a longer for": Case(
        yaml(BACKEND, lambda c: rule(c, "HighErrorRate").__setitem__("for", "15m")),
        ("WEAKER alert HighErrorRate changed", "it waits longer", "for: 5m -> 15m"),
        ("threshold", "expression"),
    ),
    "a for written otherwise": Case(
        yaml(BACKEND, lambda c: rule(c, "HighErrorRate").__setitem__("for", "300s")),
        ("prod: nothing changes",),
        ("HighErrorRate",),
    ),
    "a shorter keep_firing_for": Case(
        yaml(BACKEND, lambda c: rule(c, "BackendHanging").__setitem__("keep_firing_for", "1m")),
        ("alert BackendHanging changed", "it ends sooner", "keep firing for: 5m -> 1m"),
        ("WEAKER", "expression"),
    ),
    "a keep_firing_for where there was none": Case(
        yaml(BACKEND, lambda c: rule(c, "BackendDown").__setitem__("keep_firing_for", "120s")),
        ("alert BackendDown changed", "it fires longer", "keep firing for: 0s -> 120s"),
        ("WEAKER",),
    ),
    "a metric that nobody misses any more": Case(
        yaml("rules/blindness.yml", lambda c: unwatch(c, "redis_memory_max_bytes")),
        (
            "WEAKER recording rule instance_metric:redis_metrics_present:bool changed",
            "rules still read redis_memory_max_bytes, and nothing reports that they are missing",
            "metrics no longer watched",
        ),
        ("expression",),
    ),
    "a lower severity": Case(
        yaml(BACKEND, put_label("severity", "warning")),
        (
            # Once, although both its severity and its receivers are weaker.
            "1 made weaker",
            "WEAKER alert HighErrorRate changed",
            "its severity is lower",
            "severity: critical -> warning",
            "no longer: Slack #vitalstream-critical, mail to ops-team@example.com",
        ),
    ),
    "another service": Case(
        yaml(BACKEND, put_label("service", "database")),
        ("service: backend -> database", "no longer: Slack #vitalstream-backend"),
    ),
    "an alert at the top of a file": Case(
        yaml(BACKEND, add_alert_at_the_top),
        (
            "alerts and rules: 1 added;",
            "alert BackendSlow added",
            "new alert BackendSlow notifies Slack #vitalstream-backend, "
            "Slack #vitalstream-warnings",
        ),
        ("alert HighErrorRate", "changed", "WEAKER"),
    ),
    "an alert removed": Case(
        yaml(BACKEND, remove_alert),
        ("WEAKER alert HighErrorRate removed", "it is removed"),
        ("alert BackendDown changed",),
    ),
    "an alert disabled": Case(
        settings(alerts={"HighErrorRate": {"enabled": False, "reason": "moved to the SLO"}}),
        (
            "WEAKER alert HighErrorRate removed",
            "it is disabled: moved to the SLO",
            "setting alerts.HighErrorRate added",
        ),
    ),
    "rules in another order": Case(yaml(BACKEND, reverse), ("prod: nothing changes by meaning",)),
    "a comment": Case(
        text(BACKEND, "groups:", "# A new comment.\ngroups:"),
        ("prod: nothing changes by meaning: comments, order or formatting of prometheus-config",),
        ("rules/backend.yml",),
    ),
    "an expression over several lines": Case(
        text(
            BACKEND,
            "sum by (job) (endpoint:http_requests:rate5m)",
            "|\n          sum by(job)(\n            endpoint:http_requests:rate5m)",
        ),
        ("prod: nothing changes by meaning",),
    ),
    "a recording rule": Case(
        text(
            BACKEND,
            "sum by (job) (endpoint:http_request_errors:rate5m)",
            "max by (job) (endpoint:http_request_errors:rate5m)",
        ),
        (
            "recording rule job:http_request_errors:rate5m changed, read by alerts",
            "HighErrorRate",
            "panels VitalStream",
        ),
        ("WEAKER",),
    ),
    "a recording rule that is still read": Case(
        yaml(
            BACKEND,
            lambda c: c["groups"][0]["rules"].remove(rule(c, "job:auth_failures:increase5m")),
        ),
        (
            "WEAKER recording rule job:auth_failures:increase5m removed",
            "they read a series that nothing records any more",
        ),
    ),
    "an annotation": Case(
        yaml(
            BACKEND,
            lambda c: rule(c, "HighErrorRate")["annotations"].__setitem__("summary", "Too many"),
        ),
        ("annotation summary:", "-> Too many"),
        ("WEAKER",),
    ),
    "a group's interval": Case(
        yaml(BACKEND, lambda c: c["groups"][0].__setitem__("interval", "2m")),
        ("group backend of rules/backend.yml changed", "interval: 2m", "with the alerts"),
        ("alert HighErrorRate changed",),
    ),
    "a route that stops": Case(
        yaml(ROUTES, stop_at_critical),
        ("WEAKER", "now notifies other channels", "no longer: Slack #vitalstream-backend"),
        ("Alerts\n",),
    ),
    "a renamed channel": Case(
        settings(slackChannels={"critical": "#pager"}),
        ("no longer: Slack #vitalstream-critical", "Slack #pager", NO_RESTART),
    ),
    "no channel any more": Case(
        yaml(ROUTES, lambda c: receiver(c, "database").pop("slack_configs")),
        (
            "made weaker; notification routing: 3 changed",
            "alerts: PostgreSQLArchiverFailing, PostgreSQLCollectorFailing,",
            "no longer: Slack #vitalstream-database",
        ),
    ),
    "a repeat interval": Case(
        yaml(ROUTES, lambda c: c["route"]["routes"][1].__setitem__("repeat_interval", "3h")),
        ("receiver critical for", "repeat_interval: 1h -> 3h"),
        ("WEAKER",),
    ),
    "an inhibition": Case(
        yaml(ROUTES, hold_all_back),
        ("WEAKER alert DiskSpaceLow may now be inhibited while one of these fires: GrafanaDown",),
        ("HighErrorRate",),
    ),
    "a silence at night": Case(
        yaml(ROUTES, mute), ("WEAKER receiver critical for", "silent:  -> nights")
    ),
    "receivers, a route, a mute time and escalation": Case(
        settings(
            receivers={"lab": {"email_configs": [{"to": "lab@example.com"}]}},
            routes=[{"receiver": "lab", "matchers": ['team="lab"'], "continue": False}],
            muteTimes={"night": {"intervals": [{"weekdays": ["sunday"]}]}},
            destinations={"warnings": {"mute": ["night"]}},
            escalateAfter="30m",
            escalateTo="lab",
        ),
        (
            "receiver lab added",
            'WEAKER route to lab for team="lab" added',
            "alerts with these labels go to no route after it",
            'WEAKER route to warnings for severity="warning" changed',
            "WEAKER mute time night added",
            "escalation to lab added",
        ),
        ("tree of routes changed",),
    ),
    "a route that goes": Case(
        yaml(ROUTES, lambda c: c["route"]["routes"].pop()),
        ('WEAKER route to backend for service="backend" removed',),
    ),
    "a message's text": Case(
        text("notifications.tmpl", "vitalstream.title", "vitalstream.heading"),
        ('files["notifications.tmpl"]', "alertmanager reads its configuration again"),
    ),
}
