"""Grafana's own settings: which are refused, and with which message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.company_grafana import LOKI, OAUTH

Refused = Callable[..., str]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "8.8.8.8"])
def test_grafana_anonymous_viewer_on_a_public_address_without_tls_is_refused(
    address: str, refused: Refused
) -> None:
    message = refused({"grafana": {"anonymousViewer": True}, "bindAddress": address})
    assert "vitalstream:grafana.anonymousViewer" in message
    assert "without TLS: whoever reaches it" in message


def test_public_url_of_another_service_with_a_path_is_refused(refused: Refused) -> None:
    message = refused({"publicUrls": {"prometheus": "https://site.example.com/prometheus"}})
    assert "vitalstream:publicUrls.prometheus" in message
    assert "of the services only Grafana can be below one" in message


def _sections(**sections: Any) -> dict[str, Any]:
    return {"settings": sections}


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (_sections(server={"http_port": 3001}), "settings.server.http_port", "is set by this program"),
    (_sections(database={"type": "mysql"}), "settings.database", "grafana.database is its setting"),
    (_sections(plugins={"preinstall": "x"}), "settings.plugins", "grafana.plugins is its setting"),
    ({"settings": {"auth.anonymous": {"enabled": True}}}, "auth.anonymous", "anonymousViewer"),
    ({"settings": {"auth.basic": {"enabled": False}}}, "auth.basic.enabled", "written with the"),
    ({"settings": {"auth.azure": {}}}, "auth.azure", "is no login of Grafana's; did you mean auth"),
    (_sections(auth={"generic_oauth": {"enabled": True}}), "auth.generic_oauth", "settings[\"auth"),
    (_sections(smtp="on"), "settings.smtp", "dictionary"),
    (_sections(smtp={"host": None}), "settings.smtp.host", "is not a text, a number, true"),
    (_sections(smtp={"user": "$__env{HOME}"}), "smtp.user", "which Grafana would expand"),
    (_sections(smtp={"password": "canary-${X}"}), "smtp.password", "which Grafana would expand"),
    (_sections(smtp={"user": "%(host)s"}), "smtp.user", "which Grafana would expand"),
    (_sections(smtp={"user": "a\nb"}), "smtp.user", "has a line break"),
    (_sections(smtp={"cert_file": "/etc/x"}), "smtp.cert_file", "names a file that is not in"),
    ({"settings": {"Smtp!": {}}}, "Smtp!", "is not a section of grafana.ini"),
    ({"settings": {"auth.proxy": {"enabled": True}}}, "auth.proxy.whitelist", "whoever reaches"),
    ({"files": {"ldap.toml": "canary ${X}"}}, "files.ldap.toml", "which Grafana would expand"),
    ({"plugins": {"Clock": "1.0.0"}}, "plugins.Clock", "is not a plugin's id"),
    ({"plugins": {"a-panel": "latest"}}, "plugins.a-panel", "is not a plugin's version"),
    ({"teams": {"icu": ["a"]}}, "teams.icu.0", "is not a user's mail address"),
    ({"teams": {"icu": ["admin@localhost"]}}, "teams.icu", "has Grafana's administrator"),
    ({"folderPermissions": [{"permission": "View"}]}, "folderPermissions.0", "is for one role"),
    (
        {"folderPermissions": [{"permission": "View", "team": "x"}]},
        "folderPermissions.0.team",
        "is an unknown team; grafana.teams has: none",
    ),
    ({"dataSources": {"vitalstream-x": {"type": "loki"}}}, "vitalstream-x", "is not a uid"),
    ({"dataSources": {"l": {"type": "loki", "isDefault": True}}}, "l.isDefault", "unknown setting"),
    ({"dataSources": {"l": {"url": "http://x"}}}, "dataSources.l.type", "is missing"),
    (
        {"dataSources": {"l": {"type": "loki", "url": "http://localhost:3100"}}},
        "dataSources.l.url",
        "is Grafana's own container",
    ),
    (
        {"dataSources": {"l": {"type": "loki", "url": "http://a:canary-1@loki:3100"}}},
        "dataSources.l.url",
        "has a login in it",
    ),
    (
        {"dataSources": {"l": {"type": "x", "jsonData": {"apiToken": "canary-2"}}}},
        "dataSources.l.jsonData.apiToken",
        "belongs into secureJsonData",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "path", "words"), WRONG, ids=[path for _, path, _ in WRONG])
def test_grafana_setting_that_is_wrong_is_refused_by_its_path(
    value: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    message = refused({"grafana": value}, secret_keys=["grafanaAdminPassword", "postgresPassword",
                                                       "grafana"])  # fmt: skip
    assert path in message
    assert words in message
    assert message.startswith("1 setting is wrong"), message
    assert "canary" not in message


def test_grafana_secret_in_clear_text_is_refused_with_a_command_that_works(
    refused: Refused,
) -> None:
    message = refused({"grafana": {"settings": {"auth.okta": {"client_secret": OAUTH}}}})
    assert "is a secret: set it with --secret" in message
    path = "'grafana.settings[\"auth.okta\"].client_secret'"
    assert f"fix: pulumi config set --secret --path {path} --stack test" in message
    assert OAUTH not in message


def test_grafana_login_in_the_url_of_a_section_has_to_be_a_secret(refused: Refused) -> None:
    proxy = {"remote_cache": {"connstr": f"redis://app:{LOKI}@redis:6379"}}
    message = refused({"grafana": {"settings": proxy}})
    assert "vitalstream:grafana.settings.remote_cache.connstr is a secret" in message
    assert LOKI not in message
