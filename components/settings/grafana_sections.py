"""Sections of Grafana's own configuration: `grafana.settings`.

Grafana ignores what it does not know; here are the mistakes that it does not report. Sections:
https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import SecretStr

from components.common.problems import Problem
from components.settings.secrets import SECTIONS

Section = Annotated[dict[str, Any], SECTIONS]
FILES_DIR = "/etc/grafana/secrets/files"
LOGINS = (
    "auth.azuread", "auth.generic_oauth", "auth.github", "auth.gitlab", "auth.google",
    "auth.grafana_com", "auth.grafananet", "auth.okta", "auth.saml",
)  # fmt: skip
"""Sections by which people log in at another site, which sends them back."""
_OTHER_LOGINS = ("auth.basic", "auth.jwt", "auth.ldap", "auth.passwordless", "auth.proxy")
_NAME = re.compile(r"[a-z0-9_]+(?:[.-][A-Za-z0-9_-]+)*")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FILE_KEY = re.compile(r"(?:_file|^tls_client_(?:ca|cert|key))$")
# Grafana expands the first two in every value, and its reader of .ini files the third.
_EXPANDED = re.compile(r"\$\{|\$__\w+\{|%\([^)]*\)s")
_ADDRESS = "ports, bindAddress, tls and publicUrls are its settings"
_OF_ADMIN = "dashboards are written with the login of grafanaAdminUser"
# A whole section, or one key.
DENIED = {
    "alerting": "alerts are Prometheus' and Alertmanager's",
    "analytics": "nothing is reported to Grafana's maker",
    "auth.anonymous": "grafana.anonymousViewer is its setting",
    "auth.basic.enabled": _OF_ADMIN,
    "auth.disable_login": _OF_ADMIN,
    "database": "grafana.database is its setting",
    "log.mode": "its log is the container's",
    "metrics": "Prometheus watches Grafana by it",
    "paths": "the container's volumes are there",
    "plugins": "grafana.plugins is its setting, and what is not signed is not loaded",
    "security.admin_password": "grafanaAdminPassword is its setting",
    "security.admin_user": "grafanaAdminUser is its setting",
    "security.disable_initial_admin_creation": _OF_ADMIN,
    "unified_alerting": "alerts are Prometheus' and Alertmanager's",
    **{
        f"server.{key}": _ADDRESS
        for key in (
            "cert_file", "cert_key", "cert_pass", "domain", "enforce_domain", "http_addr",
            "http_port", "protocol", "root_url", "serve_from_sub_path", "socket",
        )
    },
}  # fmt: skip


def problems(
    sections: Mapping[str, Mapping[str, Any]], files: Mapping[str, SecretStr], *, anonymous: bool
) -> Iterator[Problem]:
    """Yield what Grafana ignores, expands or does not find, and what this program sets."""
    for name, section in sections.items():
        place = ("settings", name)
        if problem := _section_problem(name):
            yield Problem(place, problem, remove=True)
            continue
        for key, value in section.items():
            if problem := _key_problem(name, key, value, files):
                # Its name may be the only thing that makes it a secret.
                yield Problem((*place, key), problem, hidden=True, remove=True)
        if name == "auth.proxy" and section.get("enabled") and not section.get("whitelist"):
            problem = "is missing: whoever reaches Grafana's port would be whom they say"
            yield Problem((*place, "whitelist"), problem)
        if name == "users" and section.get("viewers_can_edit") and anonymous:
            problem = "is true, and grafana.anonymousViewer is on: everybody could edit"
            yield Problem((*place, "viewers_can_edit"), problem, remove=True)
    for name, text in files.items():
        if _EXPANDED.search(text.get_secret_value()):
            problem = "has ${...} or $__...{ in it, which Grafana would expand"
            yield Problem(("files", name), problem, hidden=True)


def _section_problem(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "is not a section of grafana.ini, such as auth.generic_oauth or smtp"
    if reason := DENIED.get(name):
        return f"is set by this program: {reason}"
    known = (*LOGINS, *_OTHER_LOGINS)
    if name.startswith("auth.") and name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        return "is no login of Grafana's" + (f"; did you mean {close[0]}?" if close else "")
    return None


def _key_problem(name: str, key: str, value: Any, files: Collection[str]) -> str | None:
    if reason := DENIED.get(f"{name}.{key}"):
        return f"is set by this program: {reason}"
    if not _KEY.fullmatch(key):
        return "is not a key of grafana.ini, such as client_id"
    if not isinstance(value, str | int | float):
        return (
            "is not a text, a number, true or false (a section with a dot in its name is written "
            f'settings["{name}.{key}"])'
        )
    return _text_problem(key, as_text(value), files)


def _text_problem(key: str, text: str, files: Collection[str]) -> str | None:
    if not text.isprintable():
        return "has a line break or another control character in it"
    if _EXPANDED.search(text):
        return "has ${...}, $__...{ or %(...)s in it, which Grafana would expand: write the value"
    if _FILE_KEY.search(key) and text and not is_here(text, files):
        return (
            f"names a file that is not in the container: grafana.files takes it, as {FILES_DIR}/..."
        )
    return None


def as_text(value: Any) -> str:
    """Return a value as grafana.ini has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_here(path: str, files: Collection[str]) -> bool:
    return path.removeprefix(f"{FILES_DIR}/") in files and path.startswith(FILES_DIR)


def env_name(section: str, key: str) -> str:
    """Return the variable by which Grafana takes the same value."""
    return f"GF_{section}_{key}".upper().replace(".", "_").replace("-", "_")
