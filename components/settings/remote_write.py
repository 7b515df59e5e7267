"""Remote write receivers (`remoteWrite`): their model, checks and rendered configuration.

Format: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write.
docs/decisions/0012-remote-write.md says what is refused, and why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictBool

from components.common.model import Frozen
from components.common.problems import Problem, raise_if_any
from components.common.quantities import duration_seconds
from components.promql.metric_allowlist import WrittenMetric
from components.settings import in_house
from components.settings.passwords import OneLine
from components.settings.relabelling import RelabelRule
from components.settings.types import Authorities, HostName, number

TENANT_HEADER = "X-Scope-OrgID"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_URL = re.compile(
    r"https?://(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
    r"(?:[/?](?:[^\s%#\"<>\\^`{|}]|%[0-9A-Fa-f]{2})*)?"
)
_HEADER = re.compile(r"[A-Za-z0-9!#$&'*+^_`|~-]+")
# Prometheus itself refuses to have these set.
_RESERVED = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-encoding", "content-length",
        "content-type", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "user-agent", "www-authenticate", "x-amz-content-sha256", "x-amz-date",
        "x-amz-security-token", "x-prometheus-remote-read-version",
        "x-prometheus-remote-write-version",
    }
)  # fmt: skip
_OF_A_SECRET = re.compile(
    r"pass|secret|token|cookie|api.?key|access.?key|auth|credential|signature"
)


def _as_text(value: Any) -> Any:
    # `pulumi config set --path` makes a number of a tenant or a user that is one.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            "is not a name, such as mimir: small letters, digits and `-`, 40 characters at most"
        )
    return text


def _url(text: str) -> str:
    if "@" in re.split("[/?#]", text.partition("://")[2])[0]:
        problem = "has a user in it, which anybody reads in Prometheus: username and password"
        raise_if_any([Problem((), problem, hidden=True)])
    if not _URL.fullmatch(text):
        raise ValueError("is not a URL, such as https://mimir.example.com/api/v1/push")
    url = urlsplit(text)
    if any(_OF_A_SECRET.search(key.lower()) for key, _ in parse_qsl(url.query)):
        problem = "has a secret in its query, which anybody reads in Prometheus: bearerToken"
        raise_if_any([Problem((), problem, hidden=True)])
    host = url.hostname or ""
    if in_house.is_own_container(host):
        raise ValueError(
            "is Prometheus' own container: name the receiver's container, or the host's address"
        )
    if url.scheme == "http" and not in_house.is_in_house(host):
        raise ValueError(
            f"is http to a host that may be anywhere: https, or, in the house, {in_house.WHERE}"
        )
    return text


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("is not the name of a header")
    problem = ""
    if _OF_A_SECRET.search(name.lower()):
        problem = (
            "cannot be set: it is for a secret, and anybody could read it in Prometheus; "
            "bearerToken is for that, or username and password"
        )
    elif name.lower() in _RESERVED:
        problem = "cannot be set: Prometheus sets it itself"
    raise_if_any([Problem((), problem, hidden=True)] if problem else [])
    return name


def _header_value(text: str) -> str:
    if not text or not text.isprintable() or text != text.strip():
        raise ValueError("is not the value of a header: one line, with no space around it")
    return text


def _user(text: str) -> str:
    if not text.isprintable() or ":" in text:
        raise ValueError("is not a user for basic authentication: one line without a colon")
    return text


def _between(least: str, most: str) -> AfterValidator:
    def check(text: str) -> str:
        if not duration_seconds(least) <= duration_seconds(text) <= duration_seconds(most):
            raise ValueError(f"is not from {least} to {most}")
        return text

    return AfterValidator(check)


Text = Annotated[str, BeforeValidator(_as_text)]
HeaderValue = Annotated[Text, AfterValidator(_header_value)]


def _count(least: int, most: int) -> Any:
    return Annotated[int, BeforeValidator(number), Field(ge=least, le=most)]


class Queue(Frozen):
    """Queue of samples to send; the defaults are those of Prometheus 3, except for 429.

    Each of up to `max_shards` sends for itself, and keeps `capacity` samples beside the
    `max_samples_per_send` that it is sending: all of them are in Prometheus' memory.
    """

    capacity: _count(100, 500_000) = 10_000  # type: ignore[valid-type]
    max_shards: _count(1, 200) = 50  # type: ignore[valid-type]
    min_shards: _count(1, 200) = 1  # type: ignore[valid-type]
    max_samples_per_send: _count(10, 50_000) = 2_000  # type: ignore[valid-type]
    batch_send_deadline: Annotated[str, _between("100ms", "5m")] = "5s"
    min_backoff: Annotated[str, _between("10ms", "1m")] = "30ms"
    max_backoff: Annotated[str, _between("100ms", "10m")] = "5s"
    # Prometheus' own default loses what a receiver is too busy for.
    retry_on_http_429: StrictBool = True

    def problems(self, path: tuple[str, ...]) -> Iterator[Problem]:
        if self.min_shards > self.max_shards:
            yield Problem((*path, "minShards"), f"is more than maxShards, {self.max_shards}")
        if self.max_samples_per_send > self.capacity:
            problem = f"is more than capacity, {self.capacity}: it would never be reached"
            yield Problem((*path, "maxSamplesPerSend"), problem)
        if duration_seconds(self.min_backoff) > duration_seconds(self.max_backoff):
            yield Problem((*path, "minBackoff"), f"is longer than maxBackoff, {self.max_backoff}")


class RemoteWrite(Frozen):
    """Remote write receiver. `keep` and `drop` are metric names or regular expressions of them."""

    name: Annotated[str, AfterValidator(_name)]
    url: Annotated[str, AfterValidator(_url)]
    username: Annotated[Text, AfterValidator(_user)] = ""
    password: OneLine = SecretStr("")
    bearer_token: OneLine = SecretStr("")
    tenant: Annotated[Text, AfterValidator(lambda text: text and _header_value(text))] = ""
    headers: dict[Annotated[str, AfterValidator(_header)], HeaderValue] = Field(default={})
    ca: Authorities = ""
    server_name: HostName = ""
    queue: Queue = Queue()
    keep: tuple[WrittenMetric, ...] = ()
    drop: tuple[WrittenMetric, ...] = ()
    write_relabel: tuple[RelabelRule, ...] = ()


def problems(receivers: Sequence[RemoteWrite]) -> list[Problem]:
    """Find invalid combinations of receivers that are valid on their own."""
    times = Counter(receiver.name for receiver in receivers)
    found = [
        Problem((str(index), "name"), f"is {receiver.name} as of another receiver")
        for index, receiver in enumerate(receivers)
        if times[receiver.name] > 1
    ]
    for index, receiver in enumerate(receivers):
        found += _problems(receiver, (str(index),))
    return found


def _problems(receiver: RemoteWrite, path: tuple[str, ...]) -> Iterator[Problem]:
    password, token = receiver.password.get_secret_value(), receiver.bearer_token.get_secret_value()
    if receiver.username and not password:
        yield Problem((*path, "password"), "is missing: username is set")
    if password and not receiver.username:
        yield Problem((*path, "username"), "is missing: password is set")
    if token and (password or receiver.username):
        yield Problem((*path, "bearerToken"), "is set beside username and password: one of them")
    if receiver.url.startswith("http://"):
        if password or token:
            problem = "would carry password or token in clear text, since it is http: https"
            yield Problem((*path, "url"), problem)
        for key, value in (("ca", receiver.ca), ("serverName", receiver.server_name)):
            if value:
                yield Problem((*path, key), "is of no use, since url is http")
    if receiver.tenant and TENANT_HEADER.lower() in map(str.lower, receiver.headers):
        yield Problem((*path, "tenant"), f"is {TENANT_HEADER}, which is in headers too")
    yield from receiver.queue.problems((*path, "queue"))
    for index, rule in enumerate(receiver.write_relabel):
        yield from rule.problems((*path, "writeRelabel", str(index)))
