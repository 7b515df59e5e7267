"""Probes from outside: a module each, a job for all, refused where they are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.exporters import probe
from components.prometheus import prometheus
from components.settings import warnings as setting_warnings
from components.settings.settings import Settings
from tests.certificates import authority

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
KEY = "canary-0123456789abcdef"
SECRET = ("probes",)
CA = authority().pem
WATCH = ["backend", "probes"]
PORTAL = {"url": "https://portal.example.com/login"}


def _module(settings: SettingsOf, one: dict[str, Any]) -> dict[str, Any]:
    files = probe.spec(settings(secret_keys=SECRET, watch=WATCH, probes={"p": one})).files
    assert files is not None
    text = files.files["blackbox.yml"]
    assert KEY not in text
    found: dict[str, Any] = yaml.safe_load(text)["modules"]["p"]
    return found


@pytest.mark.parametrize(
    ("one", "prober", "wanted"),
    [
        (PORTAL, "http", {}),
        (
            {**PORTAL, "status": [200, 301], "text": "Sign in (here)"},
            "http",
            {
                "valid_status_codes": [200, 301],
                "follow_redirects": False,
                "fail_if_body_not_matches_regexp": [r"Sign\ in\ \(here\)"],
            },
        ),
        (
            {**PORTAL, "ca": CA, "serverName": "portal"},
            "http",
            {
                "tls_config": {
                    "ca_file": "/etc/blackbox_exporter/ca/p.pem",
                    "server_name": "portal",
                }
            },
        ),
        (
            {**PORTAL, "username": "u", "password": KEY},
            "http",
            {
                "basic_auth": {
                    "username": "u",
                    "password_file": "/etc/blackbox_exporter/secrets/p",
                }
            },
        ),
        (
            {**PORTAL, "bearerToken": KEY},
            "http",
            {"authorization": {"credentials_file": "/etc/blackbox_exporter/secrets/p"}},
        ),
        ({"tcp": "mqtt.example.com:8883", "tls": True}, "tcp", {"tls": True}),
        (
            {"dns": "portal.example.com", "server": "192.0.2.53", "text": "192.0.2.80"},
            "dns",
            {
                "query_name": "portal.example.com",
                "query_type": "A",
                "validate_answer_rrs": {"fail_if_none_matches_regexp": [r"192\.0\.2\.80"]},
            },
        ),
        ({"icmp": "192.0.2.1"}, "icmp", {}),
    ],
)
def test_probe_is_a_module_of_its_kind(
    one: dict[str, Any], prober: str, wanted: dict[str, Any], settings: SettingsOf
) -> None:
    module = _module(settings, one)
    assert module["prober"] == prober
    assert wanted.items() <= module[prober].items()


def test_job_asks_the_exporter_for_each_probe(settings: SettingsOf) -> None:
    dns = {"dns": "a.example.com", "server": "192.0.2.53", "severity": "warning"}
    files = prometheus.spec(settings(watch=WATCH, probes={"portal": PORTAL, "a": dns}), {}).files
    assert files is not None
    jobs = yaml.safe_load(files.files["prometheus.yml"])["scrape_configs"]
    job = next(one for one in jobs if one["job_name"] == "probe")
    assert job["metrics_path"] == "/probe"
    assert job["static_configs"][0] == {
        "targets": ["https://portal.example.com/login"],
        "labels": {
            "__param_module": "portal",
            "instance": "portal",
            "target": "https://portal.example.com/login",
            "tier": "critical",
        },
    }
    assert job["static_configs"][1]["targets"] == ["192.0.2.53:53"]
    assert job["relabel_configs"][-1] == {
        "target_label": "__address__",
        "replacement": "blackbox-exporter:9115",
    }


def test_exporter_is_outside_the_applications_networks_with_a_way_out(
    run_program: Callable[..., Any],
) -> None:
    view = run_program(
        "dev", demo=False, publishExporters=False, applicationNetworks=["clinic"], watch=WATCH,
        probes={"portal": PORTAL}, postgresPassword="",
    )  # fmt: skip
    assert len(view.networks_of("blackbox-exporter")) == 1
    assert view.inputs("Network")["blackbox-exporter"]["internal"] is False
    assert view.config("blackbox-exporter")["checker"][0] == "blackbox_exporter"
    assert "probes" in view.inputs("Dashboard")


def test_probes_that_nothing_watches_are_warned_of(settings: SettingsOf) -> None:
    found = [*setting_warnings.warnings(settings(probes={"portal": PORTAL}))]
    assert any("`watch` has no probes" in one for one in found)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({}, "probes", "is empty, and `watch` has probes"),
    ({"p": {}}, "probes.p", "has nothing to ask"),
    ({"p": {**PORTAL, "icmp": "a"}}, "probes.p", "has url and icmp"),
    ({"p": {"url": "portal.example.com"}}, "probes.p.url", "is not a URL"),
    ({"p": {"url": "http://localhost:8080/"}}, "probes.p.url", "is the exporter's own container"),
    ({"p": {"tcp": "127.0.0.1:5432"}}, "probes.p.tcp", "is the exporter's own container"),
    ({"p": {"tcp": "0.0.0.0:5432"}}, "probes.p.tcp", "is the exporter's own container"),
    ({"p": {"dns": "a.example.com"}}, "probes.p.server", "is missing: the DNS server"),
    ({"p": {"icmp": "a", "text": "x"}}, "probes.p.text", "is of no use for a probe by icmp"),
    ({"p": {"url": "http://a/", "ca": CA}}, "probes.p.ca", "unless it is encrypted"),
    ({"p": {**PORTAL, "username": "u"}}, "probes.p.password", "go together"),
    ({"p": {**PORTAL, "status": [99]}}, "probes.p.status.0", "greater than or equal to 100"),
    ({"P p": PORTAL}, "probes.P p", "is not a probe's name"),
]


@pytest.mark.parametrize(("probes", "path", "words"), WRONG, ids=[f"{r[1]}-{r[2]}" for r in WRONG])
def test_wrong_probe_is_refused_by_its_path_with_a_fix(
    probes: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    message = refused({"watch": WATCH, "probes": probes}, SECRET)
    line = next(x for x in message.splitlines() if x.startswith(f"  vitalstream:{path} "))
    assert words in line
    assert "; fix: " in line


def test_login_in_clear_text_is_refused_and_not_shown(refused: Refused) -> None:
    one = {**PORTAL, "bearerToken": KEY}
    message = refused({"watch": WATCH, "probes": {"p": one}}, ())
    assert "--secret --path 'probes.p.bearerToken'" in message
    assert KEY not in message
    message = refused({"watch": WATCH, "probes": {"p": {"url": f"https://u:{KEY}@a.example/"}}}, ())
    assert KEY not in message
