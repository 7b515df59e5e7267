"""TLS and passwords: what each service is served with, and how the others ask it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bcrypt
import pytest
import yaml

from components.docker import tls_files
from components.settings.settings import Settings
from components.settings.tls import served_names
from components.settings.warnings import expiring_certificates
from tests.issued import HOUR, issued, validity
from tests.unit import tls_stack
from tests.unit.conftest import SECRETS, SERVED
from tests.unit.tls_stack import PASSWORD, secret_file

over_tls = tls_stack.over_tls

DAY = 24 * HOUR
TOOLKIT = ("prometheus", "alertmanager", "node-exporter", "postgres-exporter")
WITH_PASSWORD = ("prometheus", "alertmanager")
SERVED_WITH_TLS = (*TOOLKIT, "redis-exporter", "grafana")


def _yaml(view: Any, service: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(secret_file(view, service, path))
    return found


def _prometheus(view: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(view.config("prometheus")["files"]["prometheus.yml"])
    return found


def _job(view: Any, name: str) -> dict[str, Any]:
    return next(job for job in _prometheus(view)["scrape_configs"] if job["job_name"] == name)


@pytest.mark.parametrize("service", TOOLKIT)
def test_servers_have_the_web_config_flag(service: str, everything_set: Any) -> None:
    target = everything_set.config(service)["target"]
    command = everything_set.containers()[service]["command"]
    assert f"--web.config.file={target}/tls/web.yml" in command


@pytest.mark.parametrize("service", TOOLKIT)
def test_web_config_requires_current_tls_with_the_certificate_files(
    service: str, everything_set: Any
) -> None:
    served = _yaml(everything_set, service, "web.yml")["tls_server_config"]
    assert served == {
        "cert_file": "certificate.pem",
        "key_file": "key.pem",
        "min_version": "TLS12",
    }


@pytest.mark.parametrize("service", SERVED_WITH_TLS)
def test_services_have_certificate_and_key_files(service: str, everything_set: Any) -> None:
    pair = [secret_file(everything_set, service, name) for name in ("certificate.pem", "key.pem")]
    assert pair == [SERVED["tlsCertificate"], SECRETS["tlsKey"]]


@pytest.mark.parametrize("service", WITH_PASSWORD)
def test_web_password_is_a_bcrypt_hash_of_cost_10(service: str, everything_set: Any) -> None:
    (hashed,) = _yaml(everything_set, service, "web.yml")["basic_auth_users"].values()
    assert hashed.startswith("$2b$10$")
    assert bcrypt.checkpw(PASSWORD.encode(), hashed.encode())


def test_web_password_hash_is_deterministic(over_tls: Callable[..., Settings]) -> None:
    files = [tls_files.server_files(over_tls(), password=True) for _ in range(2)]
    assert files[0] == files[1]


@pytest.mark.parametrize("service", ["node-exporter", "postgres-exporter"])
def test_exporters_require_no_password(service: str, everything_set: Any) -> None:
    assert "basic_auth_users" not in _yaml(everything_set, service, "web.yml")


def test_web_password_two_services_have_one_hash_of_it(everything_set: Any) -> None:
    """Each hash costs a tenth of a second of every `up`."""
    hashes = [
        hashed
        for service in WITH_PASSWORD
        for hashed in _yaml(everything_set, service, "web.yml")["basic_auth_users"].values()
    ]
    assert len(hashes) > 1
    assert len(set(hashes)) == 1


def test_redis_exporter_with_tls_has_its_own_flags(everything_set: Any) -> None:
    command = everything_set.containers()["redis-exporter"]["command"]
    assert {flag for flag in command if flag.startswith("--tls-server")} == {
        "--tls-server-cert-file=/etc/redis_exporter/tls/certificate.pem",
        "--tls-server-key-file=/etc/redis_exporter/tls/key.pem",
    }


@pytest.mark.parametrize("job", ["prometheus", "alertmanager", "grafana"])
def test_scrape_of_server_with_password_uses_it(job: str, everything_set: Any) -> None:
    found = _job(everything_set, job)["basic_auth"]
    assert found["username"] == "vitalstream"
    assert _password_at(everything_set, found["password_file"]) == PASSWORD


def _password_at(view: Any, path: str) -> str:
    """The content of a secret file of Prometheus, by its path in the container."""
    files: dict[str, str] = view.config("prometheus")["secret_files"]
    return files[path.removeprefix("/etc/prometheus/")]


def test_scrape_password_changed_has_another_file_name(over_tls: Callable[..., Settings]) -> None:
    """Prometheus 3.5 keeps the content of a file that it has read."""
    paths = {
        path
        for password in (PASSWORD, f"{PASSWORD}-rotated")
        for path in tls_files.versioned_password(over_tls(webPassword=password))
    }
    assert len(paths) == 2
    assert all(path.startswith("tls/password-") and PASSWORD not in path for path in paths)


@pytest.mark.parametrize(
    ("job", "service"),
    [
        ("prometheus", "prometheus"),
        ("alertmanager", "alertmanager"),
        ("grafana", "grafana"),
        ("node", "node-exporter"),
        ("postgres", "postgres-exporter"),
        ("redis", "redis-exporter"),
    ],
)
def test_scrape_with_tls_verifies_the_services_name(
    job: str, service: str, everything_set: Any
) -> None:
    found = _job(everything_set, job)
    assert (found["scheme"], found["tls_config"]) == (
        "https",
        {"ca_file": "/etc/prometheus/tls/ca.pem", "server_name": service},
    )


@pytest.mark.parametrize("job", ["node", "postgres", "redis", "backend"])
def test_scrape_of_service_without_password_sends_none(job: str, everything_set: Any) -> None:
    assert "basic_auth" not in _job(everything_set, job)


def test_scrape_of_backend_is_plain_http(everything_set: Any) -> None:
    asking = {"scheme", "tls_config", "basic_auth"}
    assert asking & set(_job(everything_set, "backend")) == set()


def test_alerting_uses_tls_and_the_password(everything_set: Any) -> None:
    (alertmanager,) = _prometheus(everything_set)["alerting"]["alertmanagers"]
    assert (alertmanager["scheme"], alertmanager["tls_config"]["server_name"]) == (
        "https",
        "alertmanager",
    )
    path = alertmanager["basic_auth"]["password_file"]
    assert _password_at(everything_set, path) == PASSWORD


@pytest.mark.parametrize(
    ("service", "folder"), [("prometheus", "prometheus"), ("alertmanager", "alertmanager")]
)
def test_health_check_reads_ca_and_password_from_a_file(
    service: str, folder: str, everything_set: Any
) -> None:
    (test,) = everything_set.containers()[service]["healthcheck"]["tests"][1:]
    assert f"--http.config.file=/etc/{folder}/tls/client.yml" in test
    assert _yaml(everything_set, service, "client.yml") == {
        "basic_auth": {
            "username": "vitalstream",
            "password_file": f"/etc/{folder}/tls/password",
        },
        "tls_config": {"ca_file": f"/etc/{folder}/tls/ca.pem", "server_name": service},
    }


@pytest.mark.parametrize("service", SERVED_WITH_TLS)
def test_health_checks_with_tls_use_tls(service: str, everything_set: Any) -> None:
    (test,) = everything_set.containers()[service]["healthcheck"]["tests"][1:]
    assert "https://" in test


@pytest.mark.parametrize("service", ["node-exporter", "postgres-exporter"])
def test_health_check_of_busybox_accepts_https_required_answer(
    service: str, everything_set: Any
) -> None:
    (test,) = everything_set.containers()[service]["healthcheck"]["tests"][1:]
    assert "|| wget -O /dev/null http://127.0.0.1:" in test
    assert "grep -q '400 Bad Request'; }" in test


@pytest.mark.parametrize("service", TOOLKIT)
def test_certificate_changed_restarts_no_server(service: str, everything_set: Any) -> None:
    config = everything_set.config(service)
    assert config["on_change_below"].get("tls", config["on_change"]) == {}


@pytest.mark.parametrize("key", ["certificate.pem", "key.pem", "web.yml", "password"])
def test_stack_without_tls_has_no_tls_files(key: str, dev: Any) -> None:
    there = {path for config in dev.inputs("ConfigFiles").values() for path in config["files"]}
    there |= {
        path for config in dev.inputs("ConfigFiles").values() for path in config["secret_files"]
    }
    assert f"tls/{key}" not in there


def test_prod_has_tls(prod: Any) -> None:
    assert {job.get("scheme") for job in _prometheus(prod)["scrape_configs"]} == {"https", None}


def test_server_name_without_service_names_is_the_public_host(
    over_tls: Callable[..., Settings],
) -> None:
    found = over_tls(**issued(["*.example.com"]), publicHost="mon.example.com")
    assert found.server_name("prometheus") == "mon.example.com"


def test_certificate_valid_long_is_not_warned_about(over_tls: Callable[..., Settings]) -> None:
    assert expiring_certificates(over_tls()) == []


def test_certificate_ending_within_30_days_is_warned_about(
    over_tls: Callable[..., Settings],
) -> None:
    ending = issued(served_names("127.0.0.1", ""), validity(ends=29 * DAY))
    (words,) = expiring_certificates(over_tls(**ending))
    assert words.startswith("tlsCertificate is valid until ")
    assert "make certs STACK=test RENEW=1" in words


def test_certificate_without_tls_is_not_warned_about(settings: Callable[..., Settings]) -> None:
    assert expiring_certificates(settings(tlsCertificate="anything")) == []
