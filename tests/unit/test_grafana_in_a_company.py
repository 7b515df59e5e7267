"""Grafana in a company: its own settings, plugins, a viewer, a sub-path, teams, data sources."""

from __future__ import annotations

import configparser
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.runtime import rpc

from components.grafana import grafana, own_settings
from components.settings import grafana_sections
from components.settings import warnings as setting_warnings
from components.user_files.paths import PROJECT_DIR
from ops.offline import placeholders, program
from ops.offline.program import StackConfig
from ops.review.diff import base
from ops.review.diff.recorder import Recorder
from ops.root import ROOT
from tests.issued import issued
from tests.unit import diff_stacks
from tests.unit.company_grafana import CLIENT, COMPANY, HEADER, LDAP_FILE, LOKI, OAUTH, SECRETS
from tests.unit.conftest import View, stack_config

SettingsOf = Callable[..., Any]


@pytest.fixture(scope="module")
def company() -> View:
    config = stack_config("dev", {"grafana": COMPANY})
    secret = StackConfig(config.values, (*config.secret_keys, "vitalstream:grafana"))
    return View("dev", tuple(program.run("dev", secret)))


@pytest.fixture(scope="module")
def below_a_path(run_program: Callable[..., Any]) -> Any:
    database = {"address": "db.example.com:5432"}
    return run_program(
        "dev",
        grafana={"replicas": 2, "database": database},
        grafanaDatabasePassword="canary-database-1",
        publicUrls={"grafana": "https://site.example.com/grafana"},
    )


def _envs(view: Any) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in view.containers()["grafana"]["envs"])


def _ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_grafana_settings_are_in_one_secret_file_as_they_are(company: Any) -> None:
    config = company.config("grafana")
    found = _ini(config["secret_files"]["grafana.ini"])
    assert found["auth.generic_oauth"]["client_secret"] == f"`{OAUTH}`"
    assert found["auth.generic_oauth"]["enabled"] == "`true`"
    assert found["smtp"]["startTLS_policy"] == "`NoStartTLS`"
    assert config["secret_files"]["files/ldap.toml"] == COMPANY["files"]["ldap.toml"]
    assert f"{config['target']}/files/ldap.toml" == LDAP_FILE
    assert _envs(company)["GF_PATHS_CONFIG"] == f"{config['target']}/grafana.ini"


def test_grafana_setting_of_the_stack_replaces_the_programs_variable(company: Any) -> None:
    assert "GF_USERS_ALLOW_SIGN_UP" not in _envs(company)


def test_grafana_variable_of_the_program_is_denied_or_replaced(settings: SettingsOf) -> None:
    """A variable wins over the file: a setting that it hides would be ignored without a word."""
    found = settings(grafana={"database": {"address": "db.example.com:5432"}},
                     grafanaDatabasePassword="canary-database-1")  # fmt: skip
    replaceable = {
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_SECURITY_DISABLE_GRAVATAR",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
    }
    denied = tuple(grafana_sections.env_name(*name.rsplit(".", 1)) if "." in name else name
                   for name in grafana_sections.DENIED)  # fmt: skip
    sections = tuple(f"GF_{name}_".upper() for name in grafana_sections.DENIED)
    for entry in grafana._envs(found):
        name = entry.partition("=")[0].removesuffix("__FILE")
        covered = name in denied or name.startswith((*sections, "GF_AUTH_ANONYMOUS_"))
        assert covered or name in replaceable, name


@pytest.mark.parametrize("secret", [*SECRETS, CLIENT])
def test_grafana_secret_is_only_in_places_for_secrets(secret: str, company: Any) -> None:
    leaks = []
    for found in company.registrations:
        kept = {name: value for name, value in found.inputs.items() if not rpc.is_rpc_secret(value)}
        if secret in json.dumps(program.unwrap(kept)):
            leaks.append(f"{found.type}::{found.name}")
    assert leaks == []


def test_grafana_data_source_has_the_providers_arguments(company: Any) -> None:
    found = company.inputs("DataSource")["data-source-loki"]
    assert (found["type"], found["uid"], found["accessMode"]) == ("loki", "loki", "proxy")
    assert json.loads(found["jsonDataEncoded"]) == {"maxLines": 500}
    assert json.loads(found["secureJsonDataEncoded"]) == {"basicAuthPassword": LOKI}
    assert found["httpHeaders"] == {"X-Scope-OrgID": HEADER}


def test_grafana_data_source_on_the_docker_host_gets_its_name(company: Any) -> None:
    assert company.containers()["grafana"]["hosts"] == [
        {"host": "host.docker.internal", "ip": "host-gateway"}
    ]


def test_grafana_networks_are_joined_and_expected_by_the_preflight(company: Any) -> None:
    assert "logs" in company.networks_of("grafana")
    assert "logs" in company.inputs("Preflight")["preflight"]["networks"]
    assert "logs" not in company.networks_of("prometheus")


def test_grafana_team_and_permissions_are_on_the_folder(company: Any) -> None:
    assert company.inputs("Team")["team-icu"] == {"name": "icu", "members": ["a@example.com"]}
    found = company.inputs("FolderPermission")["folder-permission"]
    assert found["folderUid"] == "vitalstream"
    assert [(one.get("role"), one["permission"]) for one in found["permissions"]] == [
        ("Viewer", "View"),
        (None, "Edit"),
    ]


def test_grafana_without_the_settings_has_no_new_objects(dev: Any) -> None:
    assert [*dev.all("Team"), *dev.all("FolderPermission")] == []
    assert list(dev.all("DataSource")) == ["prometheus"]
    assert "GF_PATHS_CONFIG" not in _envs(dev)


def test_grafana_plugins_are_downloaded_and_nothing_else(company: Any) -> None:
    envs = _envs(company)
    assert envs["GF_PLUGINS_PREINSTALL"] == "grafana-clock-panel@2.1.8"
    assert "GF_PLUGINS_PREINSTALL_DISABLED" not in envs
    assert set(envs["GF_PLUGINS_DISABLE_PLUGINS"].split(",")) == set(own_settings._UNASKED)


def test_grafana_plugins_are_warned_of(settings: SettingsOf) -> None:
    found = [*setting_warnings.warnings(settings(grafana={"plugins": {"a-panel": "1.2.3"}}))]
    assert any("downloads a-panel 1.2.3 from grafana.com" in one for one in found)


def test_grafana_anonymous_viewer_is_a_viewer(company: Any) -> None:
    envs = _envs(company)
    assert envs["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert envs["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5"])
def test_grafana_anonymous_viewer_on_a_private_address_is_accepted(
    address: str, settings: SettingsOf
) -> None:
    found = settings(grafana={"anonymousViewer": True}, bindAddress=address)
    assert found.grafana.anonymous_viewer


def test_grafana_anonymous_viewer_on_a_public_address_with_tls_is_accepted(
    settings: SettingsOf,
) -> None:
    tls = {**issued(["127.0.0.1", "localhost", "8.8.8.8"]), "tls": "true"}
    values = {"grafana": {"anonymousViewer": True}, "webPassword": "canary-of-the-web-1"}
    assert settings(bindAddress="8.8.8.8", **tls, **values).grafana.anonymous_viewer


def test_grafana_below_a_path_is_asked_below_it_everywhere(below_a_path: Any) -> None:
    container = below_a_path.containers()["grafana"]
    envs = _envs(below_a_path)
    assert envs["GF_SERVER_ROOT_URL"] == "https://site.example.com/grafana/"
    assert envs["GF_SERVER_SERVE_FROM_SUB_PATH"] == "true"
    assert ":3000/grafana/api/health" in json.dumps(container["healthcheck"])
    provider = below_a_path.inputs("Provider")["grafana"]
    assert provider["url"] == "http://127.0.0.1:3000/grafana"
    assert "GET /grafana/api/health" in below_a_path.config("grafana-lb")["files"]["haproxy.cfg"]
    jobs = yaml.safe_load(below_a_path.config("prometheus")["files"]["prometheus.yml"])
    paths = {job["job_name"]: job.get("metrics_path") for job in jobs["scrape_configs"]}
    assert (paths["grafana"], paths["grafana-lb"]) == ("/grafana/metrics", None)
    templates = json.dumps(below_a_path.config("alertmanager")["files"])
    assert "https://site.example.com/grafana/d/" in templates


def test_grafana_login_elsewhere_gets_its_cookie_back_over_https(settings: SettingsOf) -> None:
    url = {"publicUrls": {"grafana": "https://grafana.example.com"}}

    def cookie(sections: dict[str, Any]) -> str:
        spec = grafana.spec(settings(grafana={"settings": sections}, **url))
        envs = dict(entry.split("=", 1) for entry in spec.container.envs)
        return envs["GF_SECURITY_COOKIE_SAMESITE"]

    assert cookie({"smtp": {"enabled": True}}) == "strict"
    assert cookie({"auth.azuread": {"enabled": True}}) == "lax"


def test_own_dashboard_of_a_further_data_source_is_accepted(
    settings: SettingsOf, tmp_path: Path
) -> None:
    entry = {"name": "DS_LOKI", "type": "datasource", "pluginId": "loki"}
    panels = [
        {"type": "logs", "datasource": {"uid": "${DS_LOKI}"}},
        {"type": "grafana-clock-panel", "datasource": {"uid": "loki"}},
    ]
    board = {"title": "Logs", "uid": "logs", "__inputs": [entry], "panels": panels}
    (tmp_path / "logs.json").write_text(json.dumps(board))
    folder = os.path.relpath(tmp_path, PROJECT_DIR)
    found = settings(dashboardsFolder=folder, grafana=COMPANY, secret_keys=["grafana"])
    assert [one for one in setting_warnings.warnings(found) if "logs.json" in one] == []


def test_diff_of_grafana_settings_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report of a pull request, from the stack's file as `pulumi config set` writes it."""

    def snapshot(value: dict[str, Any]) -> Any:
        (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
        stack = {"config": {"vitalstream:grafana": value}}
        (tmp_path / "Pulumi.mine.yaml").write_text(yaml.safe_dump(stack))
        return base.snapshot(Recorder(tmp_path, "mine", b"of these tests").record())

    of_stack: Any = program.StackConfig.of_stack
    monkeypatch.setattr(of_stack.__func__, "__defaults__", (tmp_path,))
    sealed = {"secure": "v1:cipher:cipher"}
    login = {"client_id": "a-client", "client_secret": sealed, "allow_sign_up": True}
    before = snapshot({})
    in_clear = snapshot({"settings": {"smtp": {"password": OAUTH}}})
    assert OAUTH not in diff_stacks.printed(diff_stacks.report(before, in_clear, "mine"))
    encrypted = snapshot(
        {
            "settings": {"auth.okta": login},
            "files": {"ldap.toml": sealed},
            "dataSources": {"loki": {"type": "loki", "httpHeaders": {"X-Key": sealed}}},
        }
    )
    shown = diff_stacks.printed(diff_stacks.report(before, encrypted, "mine"))
    assert "a-client" in shown
    assert "data source loki added" in shown
    assert "cipher" not in shown
    assert "placeholder-grafana" not in shown


GUIDE = (ROOT / "docs" / "guides" / "grafana.md").read_text()
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.split()[1])
def test_guide_snippet_is_accepted(snippet: str, settings: SettingsOf) -> None:
    values = {
        key.removeprefix("vitalstream:"): placeholders.filled(value, "snippet")
        for key, value in yaml.safe_load(snippet)["config"].items()
    }
    found = settings(**values, secret_keys=["grafana"])
    assert grafana.spec(found).container.envs
