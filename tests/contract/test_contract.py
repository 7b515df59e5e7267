"""Every metric and label that a rule, a panel or a runbook uses exists in each recorded version.

A selector that matches nothing in one version is listed in exemptions.yml, with the reason. Even
then the expression as a whole must match something in every version, by another branch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.catalog import thanos
from components.catalog.exporters import EXPORTERS
from components.catalog.images import IMAGES
from components.promql.metric_allowlist import keep_list
from components.promql.metrics import read_by
from components.rules import scrape_jobs
from components.rules.rule_set import RuleSet
from tests import panels, yaml_text
from tests.contract.reading import ITS_OWN, Reader
from tests.contract.recording import Metric, Recording, load

ROOT = Path(__file__).resolve().parents[2]
JOBS = {
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "grafana": "grafana",
    "demo-backend": "backend",
    **{service: service for service in thanos.SERVICES},
    **{exporter.service: exporter.job for exporter in EXPORTERS},
}
# What the program gives the targets of a job beside `job` and `instance`.
TARGET_LABELS = {
    "backend": frozenset(("component",)),
    "probe": frozenset(("target", "tier")),
    "redis": frozenset(("sentinel",)),
    "container": frozenset(("container",)),
}
RECORDINGS = load()
EXEMPTIONS: list[dict[str, str]] = yaml_text.load(
    (Path(__file__).parent / "exemptions.yml").read_text()
)
SETUPS: dict[str, dict[str, dict[str, str]]] = yaml_text.load(
    (Path(__file__).parent / "setups.yml").read_text()
)
"""Metrics by service that exist only in setups that were not recorded."""
# Metrics of a version later than an old one that is recorded: its alerts are silent there.
LATER = {"pg_replication_last_replay_seconds": "gauge", "pg_wal_size_bytes": "gauge"}
RULES: list[dict[str, Any]] = [
    rule
    for path in sorted((ROOT / "rules").glob("*.yml"))
    for group in yaml_text.load(path.read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
# Empty in the file: a stack's jobs come in there.
RECORDED |= {
    scrape_jobs.TARGETS: "count by (job) (up)",
    scrape_jobs.METRICS: 'label_replace(group by (job, instance) (up), "metric", "up", "", "")',
}
BOARDS = panels.boards("15s")
# Minor versions between what is pinned and what was recorded: beyond, record anew.
NEAR_VERSIONS = 5
# promtool query instant URL 'EXPRESSION'
_PROMTOOL_QUERY = re.compile(r"promtool query \w+ [^']*'([^']+)'")
ALWAYS = {"alertname", "alertstate"}


@dataclass(frozen=True)
class Expression:
    """`shown` are the labels that messages or legends print of its series."""

    where: str
    text: str
    shown: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()


def expressions() -> Iterator[Expression]:
    for rule in RULES:
        texts = " ".join((rule.get("annotations") or {}).values())
        yield Expression(
            rule.get("record") or rule["alert"],
            rule["expr"],
            frozenset(re.findall(r"\.Labels\.(\w+)", texts)),
            frozenset(rule.get("labels") or {}),
        )
    for target in panels.targets(BOARDS):
        shown = frozenset(re.findall(r"{{\s*(\w+)\s*}}", target.legend))
        yield Expression(f"{target.dashboard}: {target.panel}", target.expr, shown)
    for stem, name, query in panels.queries(BOARDS):
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert match, query
        yield Expression(f"{stem}: variable {name}", match[1], frozenset((match[2],)))
    for page in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        for query in _PROMTOOL_QUERY.findall(page.read_text()):
            yield Expression(f"runbook {page.stem}", " ".join(query.split()))


EXPRESSIONS = list(expressions())


def _newest() -> dict[str, Recording]:
    """Return the newest recording by service; recordings are sorted by version."""
    return {recording.service: recording for recording in RECORDINGS}


NEWEST = _newest()


@dataclass(frozen=True)
class Findings:
    """Problems of one combination of versions."""

    missing: frozenset[str]
    without_series: frozenset[str]
    faults: frozenset[str]
    not_shown: frozenset[str]


@cache
def findings(older: Recording | None) -> Findings:
    """Find the problems of the newest versions, or with one service at an older version."""
    running = NEWEST | ({older.service: older} if older else {})
    jobs = {
        JOBS[service]: _in_other_setups(service) | found.series()
        for service, found in running.items()
    }
    missing, without_series, faults, not_shown = set(), set(), set(), set()
    for expression in EXPRESSIONS:
        reader = Reader(jobs, RECORDED, target_labels=TARGET_LABELS)
        labels = reader.read(expression.text)
        missing |= {*reader.missing}
        faults |= {f"{expression.where}: {fault}" for fault in reader.faults}
        if labels is None:
            without_series.add(expression.where)
        elif absent := expression.shown - labels - expression.added - ALWAYS:
            not_shown.add(f"{expression.where}: {', '.join(sorted(absent))}")
    return Findings(*map(frozenset, (missing, without_series, faults, not_shown)))


def _in_other_setups(service: str) -> dict[str, Metric]:
    later = LATER if service == "postgres-exporter" else {}
    known = {name: entry["is"] for name, entry in SETUPS.get(service, {}).items()} | later
    return {name: Metric.parse(text) for name, text in known.items()}


def news(older: Recording | None, kind: str) -> list[str]:
    """Return the problems of an older version that the newest ones do not have."""
    known = getattr(findings(None), kind) if older else frozenset()
    return sorted(getattr(findings(older), kind) - known)


def exempt(older: Recording | None, selector: str) -> bool:
    return any(
        entry["version"] == name(older) and entry["selector"] == selector for entry in EXEMPTIONS
    )


def name(older: Recording | None) -> str:
    return f"{older.service} {older.version}" if older else "the newest"


every_world = pytest.mark.parametrize(
    "older",
    [None, *(found for found in RECORDINGS if found is not NEWEST[found.service])],
    ids=name,
)


@every_world
def test_every_selector_selects_something(older: Recording | None) -> None:
    assert [text for text in news(older, "missing") if not exempt(older, text)] == []


@every_world
def test_every_expression_can_have_series(older: Recording | None) -> None:
    assert news(older, "without_series") == []


@every_world
def test_what_is_grouped_and_matched_by_is_there(older: Recording | None) -> None:
    assert news(older, "faults") == []


@every_world
def test_what_messages_and_legends_print_is_there(older: Recording | None) -> None:
    assert news(older, "not_shown") == []


def test_what_a_runbook_asks_for_is_stored() -> None:
    boards = {stem: json.dumps(board) for stem, board in BOARDS.items()}
    kept = re.compile(keep_list(RuleSet.shipped().metrics_read, boards).regex.replace("\n{0}", ""))
    asked = {
        (expression.where, name)
        for expression in EXPRESSIONS
        # What asks for whatever there is finds what is stored.
        if expression.where.startswith("runbook ") and "__name__" not in expression.text
        for name in read_by(expression.text).names - RECORDED.keys() - ITS_OWN.keys()
    }
    assert asked
    assert [f"{where}: {name}" for where, name in asked if not kept.fullmatch(name)] == []


@pytest.mark.parametrize("service", SETUPS)
def test_a_metric_of_another_setup_is_not_recorded_and_says_why(service: str) -> None:
    recorded = NEWEST[service].series()
    for name, entry in SETUPS[service].items():
        assert name not in recorded, f"delete {name}: it is recorded now"
        assert entry["source"].strip()
        assert entry["why"].strip()


@pytest.mark.parametrize("entry", EXEMPTIONS, ids=lambda entry: entry["selector"])
def test_an_exemption_is_needed_and_has_a_reason(entry: dict[str, str]) -> None:
    worlds = {name(older): older for older in (None, *RECORDINGS)}
    assert entry["selector"] in news(worlds[entry["version"]], "missing")
    assert entry["reason"].strip()


def test_every_service_is_recorded() -> None:
    assert {recording.service for recording in RECORDINGS} == set(JOBS)


@pytest.mark.parametrize("recording", RECORDINGS, ids=name)
def test_a_recording_says_where_it_comes_from(recording: Recording) -> None:
    assert {"origin", "recorded"} <= set(recording.about)


@pytest.mark.parametrize("service", sorted(set(JOBS) & set(IMAGES) - {"grafana"}))
def test_a_version_near_the_pinned_one_is_recorded(service: str) -> None:
    """Grafana alone is not: nobody could run the pinned one where the others were recorded."""
    pinned = [int(number) for number in re.findall(r"\d+", IMAGES[service].tag)]
    found = [int(number) for number in NEWEST[service].version.split(".")]
    assert (found[0], abs(pinned[1] - found[1]) <= NEAR_VERSIONS) == (pinned[0], True)
