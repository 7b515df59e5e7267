"""Invalid receivers of `remoteWrite`: reported by list index, and never with a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.settings import loader
from components.settings.loader import SettingsError
from tests.certificates import authority
from tests.each import for_each
from tests.unit.conftest import SECRETS

Refused = Callable[..., str]
URL = "https://mimir.example.com/api/v1/push"
INSIDE = "http://receiver:9090/api/v1/write"
CANARY = "canary-of-remote-write-9f3b"
SECRET_KEYS = {*SECRETS, "remoteWrite"}
OLDER_LOGIN = {"username": "vitalstream", "password": CANARY}
LOGIN = {"basic_auth": OLDER_LOGIN}
CA = authority().pem


def _receiver(**changes: Any) -> dict[str, Any]:
    return {"name": "mimir", "url": URL, **changes}


# What is set, the path below the receiver, what the message must say.
WRONG = [
    ({"name": "Mimir"}, "name", "is not a name"),
    ({"name": "../mimir"}, "name", "is not a name"),
    ({"name": "m" * 41}, "name", "is not a name"),
    ({"name": 7}, "name", "is not text"),
    ({"url": "mimir.example.com"}, "url", "is not a URL"),
    ({"url": "ftp://mimir.example.com/"}, "url", "is not a URL"),
    ({"url": "https://"}, "url", "is not a URL"),
    ({"url": f"{URL} "}, "url", "is not a URL"),
    ({"url": f"{URL}#here"}, "url", "is not a URL"),
    ({"url": "https://localhost:9090/api/v1/write"}, "url", "is Prometheus' own container"),
    ({"url": "http://127.0.0.1:9090/api/v1/write"}, "url", "is Prometheus' own container"),
    ({"url": "http://[::1]:9090/api/v1/write"}, "url", "is Prometheus' own container"),
    ({"url": "http://mimir.example.com/api/v1/push"}, "url", "is http to a host that may be any"),
    ({"url": "http://8.8.8.8/api/v1/push"}, "url", "is http to a host that may be anywhere"),
    ({"url": INSIDE, **LOGIN}, "url", "would carry password or token in clear text"),
    ({"url": INSIDE, **OLDER_LOGIN}, "url", "would carry password or token in clear text"),
    ({"url": INSIDE, "bearerToken": CANARY}, "url", "would carry password or token in clear text"),
    (
        {"url": f"https://me:{CANARY}@mimir.example.com/"},
        "url",
        "a URL with a user or a password in it",
    ),
    ({"url": f"{URL}?api_key={CANARY}"}, "url", "has a secret in its query"),
    ({"basic_auth": {"username": "a"}}, "basic_auth.password", "is missing: username is set"),
    ({"username": "vitalstream"}, "password", "is missing: username is set"),
    ({"password": CANARY}, "username", "is missing: password is set"),
    ({"username": "a", "password": f"{CANARY}\nb"}, "password", "has a line break"),
    ({"bearerToken": f"{CANARY} "}, "bearerToken", "begins or ends with a space"),
    (
        {"authorization": {"credentials": f"{CANARY} "}},
        "authorization.credentials",
        "begins or ends with a space",
    ),
    ({"basic_auth": {"password": {"a": CANARY}}}, "basic_auth.password.a", "is not text"),
    (
        {"basic_auth": {"password_file": "/a"}},
        "basic_auth.password_file",
        "names a file that is",
    ),
    ({"username": "a", **LOGIN}, "username", "is basic_auth.username, which is set too"),
    ({"sigv4": {"secret_key": CANARY}}, "sigv4.secret_key", "cannot be kept secret"),
    (
        {"azuread": {"oauth": {"client_secret": CANARY}}},
        "azuread.oauth.client_secret",
        "cannot be kept secret",
    ),
    ({"proxy_url": f"http://a:{CANARY}@proxy"}, "proxy_url", "has a login in it"),
    ({"pasword": CANARY}, "pasword", "is an unknown setting"),
    ({"bearerTokn": CANARY}, "bearerTokn", "is an unknown setting"),
    ({"tenant": "clinic\n"}, "tenant", "is not the value of a header"),
    ({"tenant": "a", "headers": {"X-Scope-OrgID": "b"}}, "tenant", "which is set too"),
    ({"headers": {"Authorization": CANARY}}, "headers.Authorization", "it is for a secret"),
    ({"headers": {"X-Api-Key": CANARY}}, "headers.X-Api-Key", "it is for a secret"),
    ({"headers": {"X-Y": ""}}, "headers.X-Y", "is not the value of a header"),
    ({"headers": ["X-Y"]}, "headers", "is not an object"),
    ({"ca": "ca.pem"}, "ca", "is not a certificate in PEM form"),
    ({"tls_config": {"ca": "ca.pem"}}, "tls_config.ca", "is not a certificate in PEM form"),
    ({"queue_config": {"capacity": 500_001}}, "queue_config.capacity", "is more than 500000"),
    ({"queue": {"maxShards": 201}}, "queue.maxShards", "is more than 200"),
    ({"keep": ["pg_*"]}, "keep.0", "has .* for that"),
    ({"keep": [".*"]}, "keep.0", "matches every metric name"),
    ({"drop": ["up", "(a"]}, "drop.1", "neither a metric's name nor a regular"),
    ({"drop": "up"}, "drop", "is not a list"),
]
every_wrong = for_each("changes, path, words", WRONG)


@every_wrong
def test_invalid_receiver_is_reported_by_path(
    changes: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    lines = refused({"remoteWrite": [_receiver(**changes)]}, SECRET_KEYS).splitlines()
    assert words in next(x for x in lines if x.startswith(f"  vitalstream:remoteWrite.0.{path} "))


@every_wrong
def test_invalid_receiver_message_masks_secrets(
    changes: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    """Check also an unencrypted list with further problems."""
    for secret_keys in (SECRETS, SECRET_KEYS):
        assert CANARY not in refused({"remoteWrite": [_receiver(**changes)]}, secret_keys)


@every_wrong
def test_every_problem_has_a_valid_pulumi_command(
    changes: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    lines = refused({"remoteWrite": [_receiver(**changes)]}, SECRET_KEYS).splitlines()
    line = next(x for x in lines if x.startswith(f"  vitalstream:remoteWrite.0.{path} "))
    assert "; fix: pulumi config " in line
    assert "--path 'remoteWrite[0]." in line


@pytest.mark.parametrize("secret", ["password", "bearerToken"])
def test_clear_text_secret_is_refused_with_the_encrypting_command(
    secret: str, refused: Refused
) -> None:
    receivers = [_receiver(), _receiver(name="archive", username="a", **{secret: CANARY})]
    message = refused({"remoteWrite": receivers}, stack="prod")
    assert (
        f"  vitalstream:remoteWrite.1.{secret} is a secret: set it with --secret; fix: "
        f"pulumi config set --secret --path 'remoteWrite[1].{secret}' --stack prod"
    ) in message.splitlines()


def test_missing_password_fix_prompts_for_it(refused: Refused) -> None:
    message = refused({"remoteWrite": [_receiver(username="a")]}, SECRET_KEYS, stack="prod")
    assert message.endswith(
        "pulumi config set --secret --path 'remoteWrite[0].password' --stack prod"
    )


def test_secret_setting_is_masked_as_a_whole(refused: Refused) -> None:
    assert "canary" not in refused({"remoteWrite": [_receiver(url="canary")]}, SECRET_KEYS)


def test_invalid_json_is_masked(refused: Refused) -> None:
    message = refused({"remoteWrite": f"[{{password: {CANARY}}}]"})
    assert "is not of the type that Pulumi.yaml has" in message
    assert CANARY not in message


def test_duplicate_receiver_names_are_refused(refused: Refused) -> None:
    message = refused({"remoteWrite": [_receiver(), _receiver()]})
    assert "vitalstream:remoteWrite.1.name is mimir as of another receiver" in message


def test_problems_of_two_receivers_are_both_reported(refused: Refused) -> None:
    message = refused({"remoteWrite": [_receiver(url="a"), _receiver(name="B")]})
    assert ("remoteWrite.0.url" in message, "remoteWrite.1.name" in message) == (True, True)


RIGHT: list[dict[str, Any]] = [
    {"url": INSIDE},
    {"url": "http://192.168.1.7:9009/api/v1/push", "tenant": "clinic"},
    {"url": "http://[fd00::7]:9009/api/v1/push"},
    {"url": "https://8.8.8.8/api/v1/push?db=vital%20signs"},
    {"username": 12345, "password": CANARY},
    LOGIN,
    {"bearerToken": CANARY},
    {"authorization": {"credentials": CANARY}},
    {"oauth2": {"client_id": "a", "client_secret": CANARY, "token_url": "https://a.example.com"}},
    {"sigv4": {"region": "eu-central-1", "role_arn": "arn:aws:iam::1:role/a"}},
    {"tenant": 42, "headers": {"THANOS-TENANT": "clinic", "X-Replica": 1}},
    {"ca": CA, "serverName": "mimir.example.com"},
    {"tls_config": {"ca": CA, "server_name": "mimir.example.com"}},
    {"queue": {"capacity": 2000, "minShards": 4, "maxShards": 4, "retryOnHttp429": False}},
    {"keep": ["up", "job:.+"], "drop": ["go_.*"]},
    {"write_relabel_configs": [{"action": "labeldrop", "regex": "pod"}]},
    {"send_exemplars": True, "remote_timeout": "10s", "round_robin_dns": True},
]


@for_each("changes", RIGHT)
def test_valid_receiver_is_accepted(changes: dict[str, Any]) -> None:
    required = {key: SECRETS[key] for key in ("grafanaAdminPassword", "postgresPassword")}
    values = {**required, "remoteWrite": json.dumps([_receiver(**changes)])}
    assert len(loader.parse("test", values, SECRET_KEYS).remote_write) == 1


def test_printed_settings_mask_secrets() -> None:
    required = {key: SECRETS[key] for key in ("grafanaAdminPassword", "postgresPassword")}
    values = {**required, "remoteWrite": json.dumps([_receiver(**LOGIN)])}
    assert CANARY not in repr(loader.parse("test", values, SECRET_KEYS))


def test_problems_of_all_settings_are_one_message(refused: Refused) -> None:
    with pytest.raises(SettingsError, match="2 settings are wrong"):
        loader.parse(
            "test",
            {
                **{key: SECRETS[key] for key in ("grafanaAdminPassword", "postgresPassword")},
                "demo": "yes",
                "remoteWrite": json.dumps([_receiver(name="B")]),
            },
            SECRET_KEYS,
        )
