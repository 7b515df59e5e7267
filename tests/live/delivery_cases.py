"""Cases of the delivery test: faults, their timing and the expected receivers."""

from __future__ import annotations

from tests.live.delivery import (
    BACKEND,
    CRITICAL,
    DATABASE,
    MAIL,
    WARNINGS,
    Expected,
    Pace,
)

# Longer than an exporter takes to say that what it looks at is gone.
FAST = Pace(scrape=5, evaluation=2, group=15)
FAST_DELAY = 4
# Of alerts that come after others, as they do by their own times.
LATER_DELAY = 20
TRANSACTION_SECONDS = 5
# One more than PostgreSQLTooManyConnections allows, and the exporter's.
CONNECTIONS = 81
# Requests: the bad ones are more than 5 % of all, and few enough to be outweighed later.
GOOD, BAD, MORE_BAD = 200, 16, 64
LATENCY_SECONDS = 1.5

# As settled in components/settings/settings.py, rules/ and components/alertmanager/routing.py.
REAL = Pace(scrape=15, evaluation=15, group=60)
REAL_DELAY = 60

FAST_ALERTS = {
    **{
        alert: {"for": f"{FAST_DELAY}s"}
        for alert in (
            *("BackendDown", "BackendUnavailable", "RedisDown", "PostgreSQLDown"),
            "NodeExporterDown",
        )
    },
    **{
        alert: {"for": f"{LATER_DELAY}s"}
        for alert in ("HighErrorRate", "HighResponseTime", "RedisExporterDown")
    },
    "PostgreSQLSlowQueries": {"threshold": TRANSACTION_SECONDS, "for": f"{FAST_DELAY}s"},
    "PostgreSQLTooManyConnections": {"for": f"{FAST_DELAY}s"},
    # So that this machine's own disk does not count.
    "DiskSpaceLow": {"threshold": 10, "for": f"{FAST_DELAY}s"},
    "GrafanaDown": {"enabled": False},
}
# What people call what the fast stack monitors, and two backends of the one that loses Prometheus:
# one that is not there, and another that answers.
NAMES = {"postgres:5432": "Ward database", "node-exporter:9100": "Ward host"}
TURKISH = {
    "language": "tr",
    "timezone": "Europe/Istanbul",
    "backendTargets": ["backend:8000", "alertmanager:9093"],
    "instanceNames": {"backend:8000": "3. servis sunucusu"},
}
# By what is done: the alert that follows, and the receivers of its message.
EXPECTED = {
    "answers of 500": Expected("HighErrorRate", LATER_DELAY, (CRITICAL, MAIL, BACKEND)),
    "slow answers": Expected("HighResponseTime", LATER_DELAY, (WARNINGS, BACKEND)),
    "open transaction": Expected("PostgreSQLSlowQueries", FAST_DELAY, (WARNINGS, DATABASE)),
    "81 connections": Expected("PostgreSQLTooManyConnections", FAST_DELAY, (WARNINGS, DATABASE)),
    # Redis may be up: it is reported as down only after 5 minutes.
    "Redis' exporter killed": Expected("RedisExporterDown", LATER_DELAY, (WARNINGS, DATABASE)),
    "full disk": Expected("DiskSpaceLow", FAST_DELAY, (WARNINGS,)),
    "backend killed": Expected("BackendDown", FAST_DELAY, (CRITICAL, MAIL, BACKEND)),
    "Redis killed": Expected("RedisDown", FAST_DELAY, (CRITICAL, MAIL, DATABASE)),
    "PostgreSQL killed": Expected("PostgreSQLDown", FAST_DELAY, (CRITICAL, MAIL, DATABASE)),
    "node_exporter killed": Expected("NodeExporterDown", FAST_DELAY, (WARNINGS,)),
    "backend killed, real times": Expected("BackendDown", REAL_DELAY, (CRITICAL, MAIL, BACKEND)),
}
