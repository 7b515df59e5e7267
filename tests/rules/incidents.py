"""Incidents as series: a healthy world, one fault in it, and what promtool says fires.

`incidents/world.yml` is the healthy world; the other files there are lists of cases. A case's
series replace those of the same labels; with `alone`, all of the same metrics. The cases of a
service are one promtool run with its rule files: each asks for every firing alert, and promtool's
complaint names them.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).resolve().parents[2] / "rules"
FOLDER = Path(__file__).resolve().parent / "incidents"
# BaseLoader: to YAML a bare 0x80 is a number, to promtool 81 samples of 0.
WORLD: dict[str, str] = {
    series: values
    for job in yaml.load((FOLDER / "world.yml").read_text(), Loader=yaml.BaseLoader).values()
    for series, values in job.items()
}
JOBS_OF = {
    "backend": ("backend",),
    "database": ("postgres",),
    "cache": ("redis", "node"),
    "host": ("node",),
    "monitoring": ("prometheus", "alertmanager", "grafana", "backend"),
    "": ("backend", "postgres", "redis", "node", "prometheus", "alertmanager", "grafana"),
}
"""The jobs of the world that the rules about a service read."""

RULES_OF = {
    "backend": ("backend", "slo", "blindness"),
    "database": ("postgresql", "blindness"),
    "cache": ("redis", "host", "blindness"),
    "host": ("host", "backup", "blindness"),
    "monitoring": ("monitoring", "blindness"),
    "": ("backend", "slo", "postgresql", "redis", "host", "backup", "monitoring", "blindness"),
}
"""The rule files that are about a service; a harmless event is tried with all."""

# Never empty, so that promtool, which expects nothing, always complains and names what it got.
MARK = "asked"
FIRING = f'ALERTS{{alertstate="firing"}} or label_replace(vector(1), "alertname", "{MARK}", "", "")'

_LABELS = re.compile(r"\{(?P<labels>[^{}\n]*)\} [-+\d]")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Alert:
    """A firing alert, with all its labels."""

    labels: frozenset[tuple[str, str]]

    def __getitem__(self, label: str) -> str:
        return dict(self.labels)[label]


@dataclass(frozen=True)
class Case:
    """An incident, or a harmless event: the series that make it, and what to expect at a minute."""

    name: str
    minute: float
    severities: frozenset[str]
    service: str
    series: tuple[tuple[str, str], ...]
    alone: bool = False

    @property
    def world(self) -> dict[str, str]:
        """The healthy world with the case's series in it."""
        own = dict(self.series)
        metrics = {_metric(series) for series in own} if self.alone else set()
        kept = {
            series: values
            for series, values in healthy_world(self.service).items()
            if series not in own and _metric(series) not in metrics
        }
        return kept | own


def healthy_world(service: str) -> dict[str, str]:
    """The series of the healthy world that the rules about a service read."""
    jobs = [f'job="{job}"' for job in JOBS_OF[service]]
    return {
        series: values for series, values in WORLD.items() if any(job in series for job in jobs)
    }


def load(path: Path) -> list[Case]:
    """The cases of a file, in the form of incidents/given.yml or the shorter one of more.yml."""
    entries = yaml.load(path.read_text(), Loader=yaml.BaseLoader)
    return [_case(entry) for entry in entries]


def firing(promtool: str, cases: Iterable[Case], folder: Path) -> dict[str, set[Alert]]:
    """The alerts that fire in each case, by its name, and, as `healthy ...`, without its fault."""
    by_service: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_service[case.service].append(case)
    fired: dict[str, set[Alert]] = {}
    for service, some in by_service.items():
        minutes = sorted({case.minute for case in some})
        healthy = [
            _test(
                _healthy(service), healthy_world(service), minutes, _healthy(service) + " at {:g}"
            )
        ]
        tests = [_test(case.name, case.world, [case.minute]) for case in some]
        fired |= _fired(promtool, service, healthy + tests, folder)
    return fired


def _fired(
    promtool: str, service: str, tests: list[dict[str, Any]], folder: Path
) -> dict[str, set[Alert]]:
    files = [RULES / f"{stem}.yml" for stem in RULES_OF[service]]
    content = {
        "rule_files": [str(file) for file in files if file.exists()],
        # promtool's default, and slower than the stack's 15 s: what is seen so is seen at 15 s too.
        "evaluation_interval": "1m",
        "tests": tests,
    }
    file = folder / f"incidents-{service or 'all'}.test.yml"
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=1000))
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False, timeout=900
    )
    return _read(done.stdout + done.stderr)


def unseen(case: Case, fired: dict[str, set[Alert]]) -> str:
    """Why a case is not as expected; empty where it is."""
    new = fired[case.name] - healthy(case, fired)
    of_severity = {alert for alert in new if alert["severity"] in case.severities}
    if not case.service:
        return ", ".join(sorted(alert["alertname"] for alert in of_severity))
    if any(alert["service"] == case.service for alert in of_severity):
        return ""
    others = ", ".join(sorted({f"{alert['alertname']} ({alert['severity']})" for alert in new}))
    wanted = " or ".join(sorted(case.severities))
    return f"no {wanted} of {case.service}; fires: {others or 'nothing'}"


def _case(entry: dict[str, Any]) -> Case:
    severities, service = _expected(entry["expect"])
    series = entry.get("series") or {one["series"]: one["values"] for one in entry["input_series"]}
    return Case(
        entry["name"],
        float(entry["at_minute"]),
        frozenset(severities.split(" or ")),
        service,
        tuple(series.items()),
    )


def _expected(expect: dict[str, str] | str) -> tuple[str, str]:
    """Severities and service; no service where nothing of the severities may fire."""
    if expect == "quiet":
        return "critical", ""
    if isinstance(expect, str):
        severities, _, service = expect.rpartition(" ")
        return severities, service
    quiet = expect.get("nothing_of_severity")
    return (quiet, "") if quiet else (expect["severity"], expect["service"])


def healthy(case: Case, fired: dict[str, set[Alert]]) -> set[Alert]:
    """What fires at the case's minute without its fault."""
    return fired[f"{_healthy(case.service)} at {case.minute:g}"]


def _healthy(service: str) -> str:
    return f"healthy ({service or 'all'})"


def _metric(series: str) -> str:
    return series.partition("{")[0]


def _test(
    name: str, world: dict[str, str], minutes: Iterable[float], called: str = ""
) -> dict[str, Any]:
    """A test at some minutes. promtool names a complaint by its test alone: the expression, which
    it repeats, says which case it is.
    """
    asked = {minute: called.format(minute) if called else name for minute in minutes}
    return {
        "name": name,
        "interval": "15s",
        "input_series": [{"series": k, "values": v} for k, v in world.items()],
        "promql_expr_test": [
            {
                "expr": FIRING.replace(MARK, f"{MARK}: {case}"),
                "eval_time": f"{round(minute * 60)}s",
                "exp_samples": [],
            }
            for minute, case in asked.items()
        ],
    }


def _read(output: str) -> dict[str, set[Alert]]:
    fired: dict[str, set[Alert]] = {}
    for complaint in output.split("got:")[1:]:
        found = [
            frozenset(_LABEL.findall(one["labels"]))
            for one in _LABELS.finditer(complaint.partition("\n")[0])
        ]
        alerts = {Alert(labels - {("__name__", "ALERTS")}) for labels in found}
        (mark,) = (alert for alert in alerts if alert["alertname"].startswith(MARK))
        fired[mark["alertname"].removeprefix(f"{MARK}: ")] = alerts - {mark}
    assert fired, output[-3000:]
    return fired
