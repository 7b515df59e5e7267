"""Files of the shipped rules and of their tests, and the alerts in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import yaml_text

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "rules"
TESTS = Path(__file__).resolve().parent

RULE_FILES = sorted(RULES.glob("*.yml"))
TEST_FILES = sorted(TESTS.glob("*.test.yml"))

ISSUED_ALERTS = {
    "HighErrorRate": ("critical", "> 5", "5m"),
    "HighResponseTime": ("warning", "> 1", "5m"),
    "BackendDown": ("critical", "== 0", "1m"),
    "HighCPUUsage": ("warning", "> 80", "10m"),
    "HighMemoryUsage": ("warning", "> 85", "10m"),
    "DiskSpaceLow": ("warning", "< 15", "5m"),
    "PostgreSQLDown": ("critical", "== 0", "1m"),
    "PostgreSQLTooManyConnections": ("warning", "> 80", "5m"),
    "PostgreSQLSlowQueries": ("warning", "> 60", "5m"),
    "RedisDown": ("critical", "== 0", "1m"),
    "RedisHighMemoryUsage": ("warning", "> 90", "5m"),
}
"""Severity, threshold and `for` that VitalStream's operators were promised."""


def rules_of() -> list[dict[str, Any]]:
    return [
        rule
        for file in RULE_FILES
        for group in yaml_text.load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


ALERTS = {rule["alert"]: rule for rule in rules_of() if "alert" in rule}
