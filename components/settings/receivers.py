"""Receivers in Alertmanager's own schema, and the routes to them.

Their content is judged by amtool in the preview; here are the mistakes that it cannot see.
Schema: https://prometheus.io/docs/alerting/latest/configuration/#receiver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, StrictBool

from components.common.model import Frozen
from components.common.problems import Problem
from components.common.redaction import redact_value
from components.rules.overrides import PROD
from components.settings import in_house, receiver_texts
from components.settings.secrets import FIELDS_WITHOUT_FILE, SECRET_FIELDS, UPSTREAM, Path
from components.settings.types import Duration
from components.settings.upstream import file_problem, leaves

Channel = Literal["critical", "warnings", "database", "backend"]
CHANNELS: tuple[str, ...] = get_args(Channel)
BUILT_IN = (*CHANNELS, "heartbeat", "nobody")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38}[A-Za-z0-9])?")
_MATCHER = re.compile(r'\s*(?:[A-Za-z_][A-Za-z0-9_]*|"[^"]+")\s*(?:=~|!~|!=|=)\s*\S.*')
_CRITICAL = re.compile(r'\s*severity\s*(?:=\s*"?critical"?|=~\s*"?.*critical.*)\s*')
_CONFIGS = "_configs"
# Fields that are a secret in these integrations alone.
URL_FIELDS = frozenset(
    {("webhook_configs", "url"), ("incidentio_configs", "url"), ("slack_configs", "api_url")}
)
_POSTED = ("url", "api_url", "webhook_url")
_NO_FILE = {
    "secret_key": "Alertmanager reads it from its configuration alone; let the machine's role "
    "(sigv4.role_arn) sign instead",
    "secrets": "Alertmanager reads it from its configuration alone; http_config.authorization "
    "takes a token, which becomes a file",
}


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("is not a name: letters, digits, `_` and `-`, 40 characters at most")
    if text in BUILT_IN:
        raise ValueError(
            f"is the name of a built-in receiver ({', '.join(BUILT_IN)}): take another"
        )
    return text


def _matcher(text: str) -> str:
    if not _MATCHER.fullmatch(text):
        raise ValueError('is not a matcher of Alertmanager, such as team="lab" or service!~"a|b"')
    return text


ReceiverName = Annotated[str, AfterValidator(_name)]
Receiver = Annotated[dict[str, Any], UPSTREAM]
Matcher = Annotated[str, AfterValidator(_matcher)]


class Timings(Frozen):
    """When messages go out: the first of a group, its next ones, and again while it fires."""

    wait: Duration | None = None
    interval: Duration | None = None
    repeat: Duration | None = None


class Route(Frozen):
    """Alerts that have all the matchers go to the receiver, and on to the next routes unless
    `continue` is false. `mute` names mute times.
    """

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    continue_: StrictBool = Field(default=True, alias="continue")
    timings: Timings = Timings()
    mute: tuple[str, ...] = ()


class Destination(Frozen):
    """What is other than usual of a built-in destination."""

    enabled: StrictBool = True
    receiver: str = ""
    timings: Timings = Timings()
    mute: tuple[str, ...] = ()


def receiver_problems(receivers: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    """What amtool cannot see: files that are not there, secrets that cannot be in one."""
    for name, receiver in receivers.items():
        if not receiver:
            problem = "has no integration, such as webhook_configs: [{url: https://...}]"
            yield Problem((name,), problem)
        for kind, entries in receiver.items():
            if not kind.endswith(_CONFIGS):
                problem = f"is unknown: a receiver has integrations alone, such as {kind}{_CONFIGS}"
                yield Problem((name, kind), problem, remove=True)
            elif not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
                yield Problem((name, kind), "is not a list of objects, as Alertmanager has it")
            else:
                for path, value in leaves(entries, (name, kind)):
                    yield from _field_problems(path, value)
                yield from receiver_texts.problems(leaves(entries, (name, kind)))
    for path, url in posted_urls(receivers):
        if problem := in_house.problem(url):
            yield Problem(path, problem, hidden=True)


def _field_problems(path: Path, value: Any) -> Iterator[Problem]:
    field = path[-1]
    if field in _NO_FILE and value:
        yield Problem(path, f"cannot be kept secret: {_NO_FILE[field]}", hidden=True, remove=True)
    elif path[-2:] == ("tls_config", "key"):
        problem = "cannot be kept secret: Alertmanager shows it; use a login instead of a key"
        yield Problem(path, problem, hidden=True, remove=True)
    elif field.endswith("_file"):
        yield file_problem(path)
    elif _is_read_from_the_configuration(path, value):
        yield Problem(
            path,
            "has a login or a token in it, and Alertmanager shows this field to everybody: "
            "http_config.basic_auth takes a login, whose password becomes a file, and "
            "deliveryProxy that of a proxy",
            hidden=True,
            remove=True,
        )


def _is_read_from_the_configuration(path: Path, value: Any) -> bool:
    """Whether it is a secret by its look, in a field that becomes no file."""
    _, kind, _, *below = path
    is_file = bool(below) and _becomes_a_file(kind, below[-1])
    return isinstance(value, str) and not is_file and redact_value(value) != value


def posted_urls(receivers: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The URLs that Alertmanager posts to, by their paths; others are links in messages."""
    for name, receiver in receivers.items():
        for path, value in leaves(receiver, (name,)):
            posted = path[-1] == "token_url" or (len(path) == 4 and path[-1] in _POSTED)
            if posted and isinstance(value, str):
                yield path, value


def _becomes_a_file(kind: str, field: str) -> bool:
    return field in SECRET_FIELDS - FIELDS_WITHOUT_FILE or (kind, field) in URL_FIELDS


def secret_leaves(kind: str, entry: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The secrets of an integration's entry that become files, by their paths."""
    for path, value in leaves(entry):
        field = path[-1]
        if _becomes_a_file(kind, field) and isinstance(value, str | int) and value != "":
            yield path, str(value)


def route_problems(
    routes: Sequence[Route],
    destinations: Mapping[str, Destination],
    receivers: Mapping[str, Any],
    mute_times: Mapping[str, Any],
) -> Iterator[Problem]:
    """Receivers and mute times that are not there."""
    known = ", ".join(receivers) or "none"
    places = [
        *(("routes", str(index), route.receiver, route.mute) for index, route in enumerate(routes)),
        *(("destinations", name, one.receiver, one.mute) for name, one in destinations.items()),
    ]
    for setting, at, receiver, mute in places:
        built_in = CHANNELS if setting == "routes" else ()
        if receiver and receiver not in receivers and receiver not in built_in:
            problem = f"is an unknown receiver; vitalstream:receivers has: {known}"
            yield Problem((at, "receiver"), problem, setting=setting)
        for index, name in enumerate(mute):
            if name not in mute_times:
                there = ", ".join(mute_times) or "none"
                problem = f"is an unknown mute time; vitalstream:muteTimes has: {there}"
                yield Problem((at, "mute", str(index)), problem, setting=setting)


def unused_receivers(
    receivers: Mapping[str, Any],
    routes: Sequence[Route],
    destinations: Mapping[str, Destination],
    escalate_to: str,
) -> Iterator[Problem]:
    used = {
        escalate_to,
        *(route.receiver for route in routes),
        *(one.receiver for one in destinations.values()),
    }
    for name in receivers:
        if name not in used:
            yield Problem(
                (name,),
                "is a receiver that nothing is routed to",
                f"pulumi config set --path 'routes[{len(routes)}].receiver' {name}, with matchers",
                setting="receivers",
            )


def critical_problems(
    stack: str, routes: Sequence[Route], destinations: Mapping[str, Destination]
) -> Iterator[Problem]:
    """In production critical alerts reach somebody."""
    critical = destinations.get("critical", Destination())
    taken = any(not one.matchers or all(map(_CRITICAL.fullmatch, one.matchers)) for one in routes)
    if stack == PROD and not critical.enabled and not taken:
        yield Problem(
            ("critical", "enabled"),
            "is false, and no route takes all critical alerts: in prod they reach somebody",
            f"pulumi config set --path destinations.critical.enabled true --stack {stack}, or a "
            'route with the matcher severity="critical"',
        )
