"""TLS and passwords of Grafana: its addresses, cookies, data source and provider."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.settings.settings import Settings
from components.settings.tls import served_names
from tests.issued import issued
from tests.unit import tls_stack
from tests.unit.conftest import SERVED
from tests.unit.tls_stack import PASSWORD, secret_file

over_tls = tls_stack.over_tls


def _envs(view: Any) -> dict[str, str]:
    entries = (entry.partition("=") for entry in view.containers()["grafana"]["envs"])
    return {name: value for name, _, value in entries}


def test_grafana_with_tls_serves_https(everything_set: Any) -> None:
    envs = _envs(everything_set)
    assert envs["GF_SERVER_PROTOCOL"] == "https"
    assert envs["GF_SERVER_ROOT_URL"] == "https://127.0.0.1:3000/"
    assert envs["GF_SERVER_CERT_FILE"] == "/etc/grafana/secrets/tls/certificate.pem"
    assert envs["GF_SERVER_CERT_KEY"] == "/etc/grafana/secrets/tls/key.pem"


def test_grafana_metrics_require_the_password(everything_set: Any) -> None:
    envs = _envs(everything_set)
    assert envs["GF_METRICS_BASIC_AUTH_USERNAME"] == "vitalstream"
    path = envs["GF_METRICS_BASIC_AUTH_PASSWORD__FILE"].removeprefix("/etc/grafana/secrets/tls/")
    assert secret_file(everything_set, "grafana", path) == PASSWORD


COOKIES = ("GF_SECURITY_COOKIE_SAMESITE", "GF_SECURITY_COOKIE_SECURE")


def test_grafana_cookies_with_tls_are_secure_and_strict(
    everything_set: Any,
) -> None:
    envs = _envs(everything_set)
    assert [envs.get(key) for key in COOKIES] == ["strict", "true"]


def test_grafana_cookies_behind_https_proxy_are_secure_and_strict(
    run_program: Callable[..., Any],
) -> None:
    proxied = run_program("dev", publicUrls={"grafana": "https://grafana.example.com"})
    envs = _envs(proxied)
    assert [envs.get(key) for key in COOKIES] == ["strict", "true"]
    assert envs["GF_SERVER_ROOT_URL"] == "https://grafana.example.com/"


def test_grafana_cookies_without_tls_are_not_secure(dev: Any) -> None:
    assert [_envs(dev).get(key) for key in COOKIES] == [None, None]


HSTS = "GF_SECURITY_STRICT_TRANSPORT_SECURITY"


def test_grafana_with_public_host_sends_hsts(changed: Any) -> None:
    assert _envs(changed)[HSTS] == "true"


def test_grafana_with_ip_address_sends_no_hsts(everything_set: Any) -> None:
    assert HSTS not in _envs(everything_set)


def test_data_source_with_tls_uses_ca_name_and_password(everything_set: Any) -> None:
    source = everything_set.inputs("DataSource")["prometheus"]
    options = json.loads(source["jsonDataEncoded"])
    secret = json.loads(source["secureJsonDataEncoded"])
    assert (source["basicAuthEnabled"], source["basicAuthUsername"]) == (True, "vitalstream")
    # The stack has Thanos, of which its certificate has no names: then it is that of the address.
    assert (options["tlsAuthWithCACert"], options["serverName"]) == (True, "127.0.0.1")
    assert secret == {"basicAuthPassword": PASSWORD, "tlsCACert": SERVED["tlsCa"]}


def test_grafana_provider_trusts_the_stacks_ca(everything_set: Any) -> None:
    provider = everything_set.inputs("Provider")["grafana"]
    assert (provider["url"], provider["caCert"]) == ("https://127.0.0.1:3000", SERVED["tlsCa"])


def test_certificate_changed_restarts_grafana(everything_set: Any) -> None:
    config = everything_set.config("grafana")
    assert config["on_change"] == {"restart": True}
    assert "tls" not in config["on_change_below"]


@pytest.mark.parametrize(
    ("hosts", "changes", "url"),
    [
        (served_names("127.0.0.1", ""), {}, "https://127.0.0.1:3000"),
        (served_names("::1", ""), {"bindAddress": "::1"}, "https://[::1]:3000"),
        (
            served_names("127.0.0.1", "mon.example.com"),
            {"publicHost": "mon.example.com"},
            "https://127.0.0.1:3000",
        ),
        (["mon.example.com"], {"publicHost": "mon.example.com"}, "https://mon.example.com:3000"),
        (["*.example.com"], {"publicHost": "mon.example.com"}, "https://mon.example.com:3000"),
    ],
    ids=["loopback", "IPv6", "private", "public", "wildcard"],
)
def test_grafana_provider_url_is_covered_by_the_certificate(
    hosts: list[str], changes: dict[str, Any], url: str, over_tls: Callable[..., Settings]
) -> None:
    assert over_tls(**issued(hosts), **changes).local_url("grafana") == url
