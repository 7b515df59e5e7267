"""Scrape jobs of the backend's groups, all of which are the job `backend` to the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from components.docker import tls_files
from components.prometheus import http_source
from components.rules.rule_set import RuleSet
from components.settings.backend_groups import LABEL, BackendGroup
from components.settings.settings import Settings

FOLDER: Final = "backend"
"""Where passwords, tokens and authorities lie, below Prometheus' own folder."""
JOB: Final = "backend"
_RULE_FILE: Final = "blindness.yml"
# The metrics that every backend is expected to have.
_REQUIRED: Final = f'label_replace(up{{job="{JOB}"}}, '


def scrape_configs(settings: Settings, config_dir: str) -> list[dict[str, Any]]:
    """Return one scrape configuration a group, since each is asked in its own way."""
    return [
        {
            "job_name": f"{JOB}-{name}",
            **({"metrics_path": group.path} if group.path != "/metrics" else {}),
            **http_source.client_config(
                group, f"{config_dir}/{FOLDER}/{name}", _password(settings, name, group)
            ),
            **(
                {"authorization": {"credentials_file": f"{config_dir}/{_token(settings, name)}"}}
                if group.bearer_token.get_secret_value()
                else {}
            ),
            "static_configs": [
                {"targets": list(group.targets), "labels": {"job": JOB, LABEL: name}}
            ],
        }
        for name, group in settings.backend.items()
    ]


def files(groups: Mapping[str, BackendGroup]) -> dict[str, str]:
    """Return the groups' authorities, by path."""
    return {
        path: text
        for name, group in groups.items()
        for path, text in http_source.files(group, f"{FOLDER}/{name}").items()
    }


def secret_files(settings: Settings) -> dict[str, str]:
    """Return the passwords and tokens, by path."""
    found: dict[str, str] = {}
    for name, group in settings.backend.items():
        password = _password(settings, name, group)
        found |= http_source.secret_files(group, f"{FOLDER}/{name}", password)
        if token := group.bearer_token.get_secret_value():
            found[_token(settings, name)] = token
    return found


def without_requests(rules: RuleSet, groups: Mapping[str, BackendGroup]) -> RuleSet:
    """Return the rules that expect no request metrics of groups that serve no HTTP.

    Raises ValueError where the file expects them of no backend.
    """
    silent = [name for name, group in groups.items() if not group.serves_http]
    if not silent:
        return rules

    def narrowed(text: str) -> str:
        if _REQUIRED not in text:
            raise ValueError(f"rules/{_RULE_FILE} has no place for the backend's required metrics")
        matchers = f'job="{JOB}",{LABEL}!~"{"|".join(silent)}"'
        return text.replace(_REQUIRED, f"label_replace(up{{{matchers}}}, ")

    return rules.rewritten(_RULE_FILE, narrowed)


def _password(settings: Settings, name: str, group: BackendGroup) -> str:
    """Return a name that changes with the password: Prometheus would go on with the old one."""
    password = group.password.get_secret_value()
    if not password:
        return "password"
    return f"password-{tls_files.secret_version(settings, name, password)}"


def _token(settings: Settings, name: str) -> str:
    token = settings.backend[name].bearer_token.get_secret_value()
    return f"{FOLDER}/{name}.token-{tls_files.secret_version(settings, name, token)}"
