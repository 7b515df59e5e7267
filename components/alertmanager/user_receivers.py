"""Receivers of the user's own: their secrets as files, our texts where they have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.alertmanager import proxy
from components.alertmanager.receivers import SECRETS_DIR
from components.settings import receiver_texts, upstream
from components.settings.receivers import secret_leaves
from components.settings.settings import Settings

_TITLE = '{{ template "vitalstream.subject" . }}'
_TEXT = '{{ template "vitalstream.mail.text" . }}'
# Where an integration's own default would say nothing of what to do.
TEXTS: dict[str, dict[str, str]] = {
    "discord_configs": {"title": _TITLE, "message": _TEXT},
    "email_configs": {"html": '{{ template "vitalstream.mail.html" . }}', "text": _TEXT},
    "mattermost_configs": {"text": _TEXT},
    "msteamsv2_configs": {"title": _TITLE, "text": _TEXT},
    "msteams_configs": {"title": _TITLE, "text": _TEXT},
    "opsgenie_configs": {"message": _TITLE, "description": _TEXT},
    "pagerduty_configs": {"description": _TITLE},
    "pushover_configs": {"title": _TITLE, "message": _TEXT},
    "rocketchat_configs": {"title": _TITLE, "text": _TEXT},
    "telegram_configs": {"message": _TEXT, "parse_mode": ""},
    "victorops_configs": {"entity_display_name": _TITLE, "state_message": _TEXT},
    "webex_configs": {"message": _TEXT},
    "wechat_configs": {"message": _TEXT},
}


def render(settings: Settings) -> list[dict[str, Any]]:
    """Return the receivers as `alertmanager.yml` has them."""
    return [
        {
            "name": name,
            **{
                kind: [
                    _entry(settings, name, kind, index, entry)
                    for index, entry in enumerate(entries)
                ]
                for kind, entries in receiver.items()
            },
        }
        for name, receiver in settings.receivers.items()
    ]


def secret_files(settings: Settings) -> dict[str, str]:
    """Return the secrets by the paths of their files."""
    return {
        _file(name, kind, index, path): secret
        for name, kind, index, entry in _entries(settings)
        for path, secret in secret_leaves(kind, entry)
    }


def template_files(settings: Settings) -> dict[str, str]:
    """Return the user's templates as files named by their settings, for amtool to parse them."""
    texts = receiver_texts.templates_in(upstream.leaves(settings.receivers, ("receivers",)))
    return {f"{'.'.join(path)}.tmpl": text for path, text in texts}


def _entries(settings: Settings) -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    for name, receiver in settings.receivers.items():
        for kind, entries in receiver.items():
            for index, entry in enumerate(entries):
                yield name, kind, index, entry


def _file(name: str, kind: str, index: int, path: tuple[str, ...]) -> str:
    return f"{SECRETS_DIR}/{name}.{kind}.{index}.{upstream.file_name(path)}"


def _entry(
    settings: Settings, name: str, kind: str, index: int, entry: Mapping[str, Any]
) -> dict[str, Any]:
    secrets = [path for path, _ in secret_leaves(kind, entry)]
    found = upstream.with_files(entry, secrets, lambda path: _file(name, kind, index, path))
    texts = TEXTS.get(kind, {})
    if isinstance(found.get("http_config"), Mapping):
        found["http_config"] = proxy.http_config(settings, found["http_config"])
    if kind == "email_configs":
        found["headers"] = {"Subject": _TITLE, **found.get("headers", {})}
    return {**texts, **found}
