"""Remote write receivers in Prometheus' own schema: `remoteWrite`.

promtool judges them in the preview; here are the mistakes that it cannot see. Schema:
https://prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write.
docs/decisions/0012-remote-write.md says what is refused, and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from components.common.problems import Problem, raise_if_any
from components.settings import in_house, remote_write_keys
from components.settings.passwords import one_line
from components.settings.secrets import UPSTREAM
from components.settings.types import authorities
from components.settings.upstream import LOGIN, leaf_problem, leaves, secret_leaves

RemoteWrite = Annotated[dict[str, Any], UPSTREAM]
# All samples in a queue are in Prometheus' memory.
_MOST = {"capacity": 500_000, "max_shards": 200, "max_samples_per_send": 50_000}
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_URL = re.compile(
    r"https?://(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
    r"(?:[/?](?:[^\s%#\"<>\\^`{|}]|%[0-9A-Fa-f]{2})*)?"
)
_OF_A_SECRET = re.compile(
    r"pass|secret|token|cookie|api.?key|access.?key|auth|credential|signature"
)
_FOR_SECRETS = "authorization.credentials is for that, or basic_auth"


def checked(entries: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return the receivers with Prometheus' keys. Raises Problems, by the paths as written."""
    found: list[Problem] = []
    receivers: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        problems = list(remote_write_keys.problems(entry))
        if not problems:
            receiver = remote_write_keys.translated(entry)
            if any(receiver["name"] == other["name"] for other in receivers):
                problem = f"is {receiver['name']} as of another receiver"
                problems.append(Problem(("name",), problem))
            receivers.append(receiver)
            problems += _problems(receiver)
        for one in problems:
            path = remote_write_keys.as_written(entry, one.path)
            found.append(replace(one, path=(str(index), *path)))
    raise_if_any(found)
    return tuple(receivers)


def _problems(receiver: Mapping[str, Any]) -> Iterator[Problem]:
    if not _NAME.fullmatch(receiver["name"]):
        problem = "is not a name, such as mimir: small letters, digits, `-`, 40 characters at most"
        yield Problem(("name",), problem)
    yield from _url_problems(receiver["url"])
    yield from _header_problems(receiver["headers"])
    login = receiver["basic_auth"]
    for key, other in (("username", "password"), ("password", "username")):
        if login.get(other) and not login.get(key):
            yield Problem(("basic_auth", key), f"is missing: {other} is set")
    secrets = dict(secret_leaves(receiver))
    for path, secret in secrets.items():
        if "PRIVATE KEY" not in secret:
            yield from _of_value(path, SecretStr(secret), one_line)
    if secrets and receiver["url"].startswith("http://"):
        problem = "would carry password or token in clear text, since it is http: https"
        yield Problem(("url",), problem)
    yield from _of_value(("tls_config", "ca"), receiver["tls_config"].get("ca", ""), authorities)
    for key, most in _MOST.items():
        if isinstance(value := receiver["queue_config"][key], int) and value > most:
            problem = f"is more than {most}: all samples in the queue are in Prometheus' memory"
            yield Problem(("queue_config", key), problem)
    for path, value in leaves(receiver):
        if found := leaf_problem(path, value):
            yield found


def _header_problems(headers: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in headers.items():
        if _OF_A_SECRET.search(name.lower()):
            problem = f"cannot be set: it is for a secret, and Prometheus shows it; {_FOR_SECRETS}"
            yield Problem(("headers", name), problem, hidden=True)
        elif not (text := str(value)) or not text.isprintable() or text != text.strip():
            problem = "is not the value of a header: one line, with no space around it"
            yield Problem(("headers", name), problem)


def _of_value(
    path: tuple[str, ...], value: Any, check: Callable[[Any], object]
) -> Iterator[Problem]:
    try:
        check(value)
    except ValueError as error:
        yield Problem(path, str(error), hidden=True)


def _url_problems(text: str) -> Iterator[Problem]:
    at = ("url",)
    if LOGIN.match(text):
        return  # A problem of any text.
    if not _URL.fullmatch(text):
        yield Problem(at, "is not a URL, such as https://mimir.example.com/api/v1/push")
        return
    url = urlsplit(text)
    host = url.hostname or ""
    if any(_OF_A_SECRET.search(key.lower()) for key, _ in parse_qsl(url.query)):
        problem = f"has a secret in its query, which anybody reads in Prometheus: {_FOR_SECRETS}"
        yield Problem(at, problem, hidden=True)
    if in_house.is_own_container(host):
        yield Problem(at, "is Prometheus' own container: name the receiver's or the host's address")
    elif url.scheme == "http" and not in_house.is_in_house(host):
        elsewhere = "is http to a host that may be anywhere: https, or, in the house"
        yield Problem(at, f"{elsewhere}, {in_house.WHERE}")
