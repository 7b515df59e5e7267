"""Overrides that change an expression: what promtool says of the alerts that come of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.rules.exclusions import SELECTED
from components.rules.overrides import AlertOverride, apply
from components.rules.rule_set import RuleSet
from components.rules.traffic_floors import TRAFFIC

SHIPPED = RuleSet.shipped()
# Requests in a minute: 0.6 and 0.4 per second, and the floor is between them.
BUSY, QUIET, FLOOR = 36, 24, 0.5
OUT = [".*out.*", 'a "b": #c']


def _series(name: str, values: str, **labels: str) -> dict[str, str]:
    inside = ",".join(f"{label}='{value}'" for label, value in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": values}


def _requests(increase: int) -> list[dict[str, str]]:
    """Requests of which each fails and takes 5 seconds."""
    own = {"job": "backend", "instance": "b:8000", "endpoint": "/vitals"}
    bucket = "http_request_duration_seconds_bucket"
    return [
        _series("http_requests_total", f"0+{increase}x120", **own, status="500"),
        _series("http_request_duration_seconds_count", f"0+{increase}x120", **own),
        _series(bucket, "0x120", **own, le="1.0"),
        _series(bucket, f"0+{increase}x120", **own, le="10.0"),
        _series(bucket, f"0+{increase}x120", **own, le="+Inf"),
    ]


def _full(name: str) -> list[dict[str, str]]:
    own = {"job": "node", "instance": f"{name}:9100", "device": f"/dev/{name}", "fstype": name}
    mountpoint = f"/{name}"
    values = {
        "avail_bytes": "40-0.2x120",
        "size_bytes": "1000x120",
        "readonly": "0x120",
        "files": "1000x120",
        "files_free": "10x120",
    }
    return [
        *(
            _series(f"node_filesystem_{name}", text, **own, mountpoint=mountpoint)
            for name, text in values.items()
        ),
        _series("node_filesystem_readonly", "0x10 1x110", **own, mountpoint=f"{mountpoint}/ro"),
        _series("node_filesystem_device_error", "1x120", **own, mountpoint=f"{mountpoint}/bad"),
    ]


def _transaction(name: str, values: str, user: str = "") -> dict[str, str]:
    own = {"job": "postgres", "instance": f"{name}:9187", "state": "active", "datname": name}
    labels = {"usename": user or name, "application_name": user or name}
    return _series("pg_stat_activity_max_tx_duration", values, **own, **labels)


def _cache(name: str) -> list[dict[str, str]]:
    own = {"job": "redis", "instance": f"{name}:9121"}
    return [
        _series("redis_memory_used_bytes", "95x120", **own),
        _series("redis_memory_max_bytes", "100x120", **own),
        _series("redis_instance_info", "1x120", maxmemory_policy=f"{name}-lru", **own),
    ]


def _judge(
    promtool: str,
    folder: Path,
    overrides: Mapping[str, dict[str, Any]],
    series: list[dict[str, str]],
    query: str,
    expected: list[dict[str, str]],
) -> None:
    """Check the answer to a query about the alerts that fire after 110 minutes."""
    own = {name: AlertOverride.model_validate(fields) for name, fields in overrides.items()}
    rules = apply(SHIPPED, own)
    files = sorted({rules.alerts[name].file for name in own} | {"backend.yml"})
    for name in files:
        (folder / name).write_text(rules.files[name])
    samples = [
        {"labels": f"{{{','.join(f'{k}={v!r}' for k, v in labels.items())}}}", "value": 1}
        for labels in expected
    ]
    look = {"expr": query, "eval_time": "110m", "exp_samples": samples}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [look]}
    (folder / "test").write_text(yaml.safe_dump({"rule_files": files, "tests": [test]}))
    command = [promtool, "test", "rules", "test"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("increase", "override", "fire"),
    [
        (QUIET, {}, True),
        (QUIET, {"minimumRate": FLOOR}, False),
        (BUSY, {"minimumRate": FLOOR, "threshold": 0.9}, True),
    ],
    ids=["without a floor", "below the floor", "above the floor"],
)
def test_a_minimum_rate_silences_alerts_below_it(
    increase: int, override: dict[str, float], fire: bool, promtool: str, tmp_path: Path
) -> None:
    query = f'count by (alertname) (ALERTS{{alertstate="firing",alertname=~"{"|".join(TRAFFIC)}"}})'
    _judge(
        promtool,
        tmp_path,
        dict.fromkeys(TRAFFIC, override),
        _requests(increase),
        query,
        [{"alertname": name} for name in TRAFFIC] if fire else [],
    )


@pytest.mark.parametrize("label", [None, 0, 1, 2, 3])
def test_what_an_alert_excludes_by_each_of_its_labels_does_not_make_it_fire(
    label: int | None, promtool: str, tmp_path: Path
) -> None:
    series = [
        *(one for name in ("out", "in") for one in (*_full(name), *_cache(name))),
        *(_transaction(name, "0+60x120") for name in ("out", "in")),
        *(_transaction(name, "0x120", "postgres_exporter") for name in ("out", "in")),
    ]
    suffix = {"FilesystemReadOnly": "/ro", "FilesystemUnreadable": "/bad"}
    expected = [
        {"alertname": alert, "on": f"/{name}{suffix.get(alert, '')}"}
        if "mountpoint" in selected.labels
        else {"alertname": alert, "on": name}
        for name in (["in", "out"] if label is None else ["in"])
        for alert, selected in SELECTED.items()
    ]
    exclude = {
        alert: {"exclude": {selected.labels[(label or 0) % len(selected.labels)]: OUT}}
        for alert, selected in SELECTED.items()
    }
    firing = f'ALERTS{{alertstate="firing",alertname=~"{"|".join(SELECTED)}"}}'
    _judge(
        promtool,
        tmp_path,
        {name: {} for name in SELECTED} if label is None else exclude,
        series,
        "count by (alertname, on) ("
        f'label_replace(label_replace({firing}, "on", "$1", "instance", "(.+):.*"), '
        '"on", "$1", "mountpoint", "(.+)"))',
        expected,
    )


def test_floors_of_burn_rates_are_those_of_the_rules() -> None:
    [floor] = re.findall(
        r"slo:traffic_floor:rate\n +expr: vector\((.+)\)", SHIPPED.files["slo.yml"]
    )
    burns = [traffic.floor for name, traffic in TRAFFIC.items() if "Burn" in name]
    assert set(burns) == {float(floor)}
