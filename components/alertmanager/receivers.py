"""The built-in receivers of Alertmanager: Slack, mail and the heartbeat, with secrets as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import SecretStr

from components.alertmanager import proxy
from components.settings.settings import Settings

CONFIG_DIR = "/etc/alertmanager"
SECRETS_DIR = f"{CONFIG_DIR}/secrets"
CA_DIR = f"{CONFIG_DIR}/ca"
HEARTBEAT_RECEIVER = "heartbeat"
SLACK_API = "https://slack.com/api/chat.postMessage"


def secret_files(settings: Settings) -> dict[str, str]:
    """The secrets that are set, by the paths of their files."""
    secrets: dict[str, SecretStr] = {
        "slack_token": settings.slack_token,
        "slack_webhook_url": settings.slack_webhook_url,
        **{
            f"slack_webhook_url_{channel}": getattr(settings.slack_webhook_urls, channel)
            for channel in type(settings.slack_webhook_urls).model_fields
        },
        "mail_password": settings.mail_password,
        "heartbeat_url": settings.heartbeat_url,
    }
    return {
        f"{SECRETS_DIR}/{name}": secret.get_secret_value()
        for name, secret in secrets.items()
        if secret.get_secret_value()
    }


def ca_files(settings: Settings) -> dict[str, str]:
    """The certificates of the authorities that a stack names itself, by path."""
    return {_ca_file(kind): pem for kind, pem in settings.delivery_ca.model_dump().items() if pem}


def global_settings(settings: Settings) -> dict[str, Any]:
    values: dict[str, Any] = {"resolve_timeout": "5m"}
    if http_config := proxy.http_config(settings, {}):
        values["http_config"] = http_config
    if settings.slack_webhook_url.get_secret_value():
        values["slack_api_url_file"] = f"{SECRETS_DIR}/slack_webhook_url"
    if settings.mail_smarthost:
        values["smtp_smarthost"] = settings.mail_smarthost
        values["smtp_from"] = settings.mail_from
        values["smtp_require_tls"] = settings.mail_require_tls
    if settings.mail_username:
        values["smtp_auth_username"] = settings.mail_username
        values["smtp_auth_password_file"] = f"{SECRETS_DIR}/mail_password"
    return values


def heartbeat(settings: Settings) -> dict[str, Any]:
    """Return the heartbeat's receiver; without a heartbeat URL it is empty."""
    receiver: dict[str, Any] = {"name": HEARTBEAT_RECEIVER}
    if settings.heartbeat_url.get_secret_value():
        receiver["webhook_configs"] = [
            {
                "url_file": f"{SECRETS_DIR}/heartbeat_url",
                "send_resolved": False,
                **_trust(settings, "heartbeat"),
            }
        ]
    return receiver


def built_in(settings: Settings, name: str) -> dict[str, Any]:
    """The receiver of a destination: its Slack channel, and mail where it is mailed."""
    receiver: dict[str, Any] = {"name": name}
    if settings.posts_to(name):
        receiver["slack_configs"] = [_slack(settings, name)]
    if settings.mails_for(name):
        receiver["email_configs"] = [_mail(settings)]
    return receiver


def _slack(settings: Settings, name: str) -> dict[str, Any]:
    own = settings.slack_webhook_urls.of(name)
    return with_slack_token(
        settings,
        {
            **({"api_url_file": f"{SECRETS_DIR}/slack_webhook_url_{name}"} if own else {}),
            "channel": getattr(settings.slack_channels, name),
            "send_resolved": True,
            "color": '{{ template "vitalstream.color" . }}',
            "title": '{{ template "vitalstream.title" . }}',
            "title_link": "{{ .ExternalURL }}",
            "text": '{{ template "vitalstream.slack" . }}',
            "fallback": '{{ template "vitalstream.title" . }}',
            **_trust(settings, "slack"),
        },
    )


def with_slack_token(settings: Settings, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of `slack_configs` that posts with the bot token, if it has no way itself.

    As Alertmanager 0.28 takes it too, which has no `app_token_file`.
    """
    http_config = entry.get("http_config") or {}
    has_way = {"api_url", "api_url_file", "app_token", "app_token_file"} & entry.keys()
    if not settings.slack_token.get_secret_value() or has_way or "authorization" in http_config:
        return dict(entry)
    token = {"authorization": {"credentials_file": f"{SECRETS_DIR}/slack_token"}}
    return {
        **entry,
        "api_url": SLACK_API,
        "http_config": proxy.http_config(settings, {**http_config, **token}),
    }


def _mail(settings: Settings) -> dict[str, Any]:
    return {
        "to": ", ".join(settings.mail_to),
        "send_resolved": True,
        "headers": {"Subject": '{{ template "vitalstream.subject" . }}'},
        "html": '{{ template "vitalstream.mail.html" . }}',
        "text": '{{ template "vitalstream.mail.text" . }}',
        **_trust(settings, "mail"),
    }


def _ca_file(kind: str) -> str:
    return f"{CA_DIR}/{kind}.pem"


def _trust(settings: Settings, kind: Literal["slack", "mail", "heartbeat"]) -> dict[str, Any]:
    """The part of a receiver's configuration that says whose certificates it takes."""
    if not getattr(settings.delivery_ca, kind):
        return {}
    trust = {"tls_config": {"ca_file": _ca_file(kind)}}
    return trust if kind == "mail" else {"http_config": proxy.http_config(settings, trust)}
