"""Notification settings, a part of `Settings`: receivers and how they are reached."""

from __future__ import annotations

from pydantic import Field, SecretStr, StrictBool, ValidationInfo, field_validator

from components.common.model import Frozen
from components.common.problems import raise_if_any
from components.settings import proxy, slack
from components.settings.monitored import WatchSettings
from components.settings.passwords import OneLine
from components.settings.proxy import NoProxyHost, ProxyUrl
from components.settings.receivers import Channel
from components.settings.slack import SlackChannels, SlackWebhookUrls
from components.settings.types import Authorities, MailAddress, MailServer, WebUrl


class DeliveryCa(Frozen):
    """Whose certificates Alertmanager takes from a destination, in PEM; empty: the public ones."""

    slack: Authorities = ""
    mail: Authorities = ""
    heartbeat: Authorities = ""


class NotificationSettings(WatchSettings):
    slack_token: OneLine = SecretStr("")
    slack_webhook_url: SecretStr = SecretStr("")
    # After the other two, beside which it is none.
    slack_webhook_urls: SlackWebhookUrls = Field(default=SlackWebhookUrls(), validate_default=True)
    slack_channels: SlackChannels = SlackChannels()

    mail_smarthost: MailServer = ""
    mail_from: MailAddress = "alertmanager@example.com"
    mail_to: tuple[MailAddress, ...] = Field(default=("ops-team@example.com",), min_length=1)
    mail_for: tuple[Channel, ...] = ()
    mail_username: str = ""
    mail_password: OneLine = SecretStr("")
    mail_require_tls: StrictBool = True
    heartbeat_url: WebUrl = SecretStr("")
    delivery_ca: DeliveryCa = DeliveryCa()
    delivery_proxy: ProxyUrl = SecretStr("")
    no_proxy: tuple[NoProxyHost, ...] = ()

    @field_validator("slack_token")
    @classmethod
    def _validate_slack_token(cls, token: SecretStr) -> SecretStr:
        if problem := slack.token_problem(token.get_secret_value()):
            raise ValueError(problem)
        return token

    @field_validator("slack_webhook_url")
    @classmethod
    def _validate_slack_webhook_url(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        raise_if_any(list(slack.webhook_problems(url.get_secret_value(), (), info.data["stack"])))
        return url

    @field_validator("slack_webhook_urls")
    @classmethod
    def _validate_slack_webhook_urls(
        cls, urls: SlackWebhookUrls, info: ValidationInfo
    ) -> SlackWebhookUrls:
        raise_if_any(
            [
                *slack.way_problems({**info.data, "slack_webhook_urls": urls}),
                *(
                    problem
                    for channel in SlackWebhookUrls.model_fields
                    for problem in slack.webhook_problems(
                        urls.of(channel), (channel,), info.data["stack"]
                    )
                ),
            ]
        )
        return urls

    # On the field and not on the whole model: that would be checked only once all else is right.
    @field_validator("mail_password")
    @classmethod
    def _validate_mail_password(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        username = info.data.get("mail_username")
        if username and not password.get_secret_value():
            raise ValueError("is missing: mailUsername is set, and the two go together")
        if username == "" and password.get_secret_value():
            raise ValueError("is set without mailUsername: the two go together")
        return password

    @field_validator("no_proxy")
    @classmethod
    def _validate_no_proxy(cls, hosts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        url = info.data.get("delivery_proxy")
        if hosts and url is not None and not url.get_secret_value():
            raise ValueError("is set without deliveryProxy, and nothing would read it")
        return hosts

    @property
    def proxy_has_login(self) -> bool:
        """Whether the proxy's URL is a secret, and with it all of Alertmanager's file."""
        return proxy.has_login(self.delivery_proxy)

    @property
    def has_slack(self) -> bool:
        """Whether alerts are sent to any channel of Slack."""
        return any(map(self.posts_to, SlackWebhookUrls.model_fields))

    def posts_to(self, channel: str) -> bool:
        """Whether a channel, by its key, is reached."""
        one_way = (self.slack_token, self.slack_webhook_url)
        return any(secret.get_secret_value() for secret in one_way) or bool(
            self.slack_webhook_urls.of(channel)
        )

    def mails_for(self, channel: str) -> bool:
        """Whether what goes to a channel is mailed too: critical alerts by default, and warnings
        where no chat has them.
        """
        if not self.mail_smarthost:
            return False
        default = ("critical",) if self.has_slack else ("critical", "warnings")
        return channel in (self.mail_for or default)
