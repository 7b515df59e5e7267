"""Authorities of the user's own, for what receives the messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.alertmanager import alertmanager, routing
from components.alertmanager.destinations import DESTINATIONS
from components.settings.settings import Settings
from tests.certificates import authority

SettingsOf = Callable[..., Settings]
REACHABLE = {
    "slackWebhookUrl": "https://chat.example.com/hooks/1",
    "mailSmarthost": "mail.example.com:587",
    "heartbeatUrl": "https://beats.example.com/1",
}
# Each destination, its receiver, and where that receiver's configuration says whom to trust.
PLACES = {
    "slack": ("critical", "slack_configs", "http_config"),
    "mail": ("critical", "email_configs", None),
    "heartbeat": ("heartbeat", "webhook_configs", "http_config"),
}

destinations = pytest.mark.parametrize("destination", PLACES)


@pytest.fixture(scope="module")
def pem() -> str:
    return authority().pem


def _trusted(settings: Settings, destination: str) -> Any:
    receiver, kind, http = PLACES[destination]
    config = yaml.safe_load(routing.render_config(settings))
    found = next(entry for entry in config["receivers"] if entry["name"] == receiver)[kind][0]
    tls = (found.get(http, {}) if http else found).get("tls_config", {})
    return tls.get("ca_file")


@destinations
def test_delivery_ca_set_is_used_for_its_destination(
    destination: str, pem: str, settings: SettingsOf
) -> None:
    found = settings(**REACHABLE, deliveryCa={destination: pem})
    assert _trusted(found, destination) == f"/etc/alertmanager/ca/{destination}.pem"


@destinations
def test_delivery_ca_of_one_destination_is_not_used_for_others(
    destination: str, pem: str, settings: SettingsOf
) -> None:
    others = {other: pem for other in PLACES if other != destination}
    assert _trusted(settings(**REACHABLE, deliveryCa=others), destination) is None


def test_delivery_ca_of_slack_is_used_for_every_channel(pem: str, settings: SettingsOf) -> None:
    found = settings(**REACHABLE, deliveryCa={"slack": pem})
    receivers = yaml.safe_load(routing.render_config(found))["receivers"]
    channels = [slack for one in receivers for slack in one.get("slack_configs", [])]
    assert [slack["http_config"]["tls_config"] for slack in channels] == [
        {"ca_file": "/etc/alertmanager/ca/slack.pem"}
    ] * len(DESTINATIONS)


def test_delivery_ca_is_a_file_in_the_configuration(pem: str, settings: SettingsOf) -> None:
    spec = alertmanager.spec(settings(**REACHABLE, deliveryCa={"slack": pem, "mail": pem}))
    assert spec.files is not None
    found = {path: text for path, text in spec.files.files.items() if path.startswith("ca/")}
    assert found == {"ca/slack.pem": pem, "ca/mail.pem": pem}


def test_delivery_ca_bundle_is_accepted(pem: str, settings: SettingsOf) -> None:
    bundle = f"# ours\n{pem}\n{authority().pem}"
    assert settings(deliveryCa={"slack": bundle}).delivery_ca.slack == bundle


@pytest.mark.parametrize(
    "wrong",
    ["/etc/ssl/ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "a\nb"],
)
def test_delivery_ca_invalid_pem_is_reported_by_path(
    wrong: str, refused: Callable[..., str]
) -> None:
    message = refused({"deliveryCa": {"slack": wrong}}, stack="prod")
    _, line = message.splitlines()
    assert line.startswith("  vitalstream:deliveryCa.slack")
    assert " is not a certificate in PEM form" in line
    assert "; fix: pulumi config set --path 'deliveryCa.slack' VALUE" in line


def test_delivery_ca_private_key_is_refused_and_masked(refused: Callable[..., str]) -> None:
    both = authority().server("192.0.2.7")
    message = refused({"deliveryCa": {"mail": both}})
    assert "has a private key in it" in message
    assert [line for line in both.splitlines() if line in message] == []


def test_delivery_ca_unknown_destination_is_refused(pem: str, refused: Callable[..., str]) -> None:
    assert "deliveryCa.pager" in refused({"deliveryCa": {"pager": pem}})
