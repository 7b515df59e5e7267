"""Commands that fix a setting, with the user's own value where it can be made right."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import parse_qs

from pydantic import TypeAdapter, ValidationError

from components.catalog.networks import HOST_NAME
from components.catalog.replicas import DEFAULT_SERVER
from components.common.redaction import MASK, redact_value
from components.settings import schema
from components.settings.secrets import UPSTREAM, type_at

PLACEHOLDER = "VALUE"
# Defaults that say nothing of a user's own site: a number, a duration, a size, true or false.
_GENERIC_DEFAULT = re.compile(r"\d+(?:\.\d+)?[A-Za-z]*|true|false")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:]+\]")
_LOOPBACK = re.compile(r"(?:localhost|127\.[0-9.]+|\[::1\]|0\.0\.0\.0):([0-9]+)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_UNITS = {"second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w", "year": "y"}
_SCHEME_PORTS = {
    "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379, "smtp": 587,
    "smtps": 465, "http": 80, "https": 443,
}  # fmt: skip


@dataclass(frozen=True)
class _Fills:
    """Settings that a URL pasted into an address fills: paths, `*` for an index or a name.

    `form` is that of the address itself: host:port, the URL without its user, or host/path.
    """

    port: int = 443
    user: str = ""
    database: str = ""
    secret: str = ""
    sslmode: str = ""
    form: Literal["host:port", "url", "host/path", "host"] = "host:port"


_FILLED = {
    "postgresAddress": _Fills(
        5432, "postgresUser", "postgresDatabase", "postgresPassword", "postgresSslmode"
    ),
    "redisAddress": _Fills(6379, "redisUser", secret="redisPassword"),
    "servers.postgresql.*.address": _Fills(
        5432,
        "servers.postgresql.*.user",
        "servers.postgresql.*.database",
        "servers.postgresql.*.password",
        "servers.postgresql.*.sslmode",
    ),
    "servers.redis.*.address": _Fills(
        6379, "servers.redis.*.user", secret="servers.redis.*.password"
    ),
    "backendTargets.*": _Fills(8000),
    "backend.*.targets.*": _Fills(8000, "backend.*.username", secret="backend.*.password"),
    "mailSmarthost": _Fills(587, "mailUsername", secret="mailPassword"),
    "grafana.database.address": _Fills(
        5432,
        "grafana.database.user",
        "grafana.database.name",
        "grafanaDatabasePassword",
        "grafana.database.sslmode",
    ),
    "federation.*.target": _Fills(9090, "federation.*.username", secret="federation.*.password"),
    "remoteWrite.*.url": _Fills(
        user="remoteWrite.*.basic_auth.username",
        secret="remoteWrite.*.basic_auth.password",
        form="url",
    ),
    "thanos.endpoint": _Fills(form="host"),
    "publicUrls.*": _Fills(form="url"),
    "probes.*.url": _Fills(user="probes.*.username", secret="probes.*.password", form="url"),
    "probes.*.tcp": _Fills(443),
    "publicHost": _Fills(form="host"),
    "imageRegistryMirror": _Fills(form="host/path"),
}


def set_value(path: str, value: str, stack: str) -> str:
    if "." in path:
        return f"pulumi config set --path '{schema.pulumi_path(path)}' {value} --stack {stack}"
    return f"pulumi config set {path} {value} --stack {stack}"


def set_secret(path: str | Sequence[str], stack: str) -> str:
    written = schema.pulumi_path(path)
    option = "" if written.isalnum() else "--path "
    quoted = f"'{written}'" if option else written
    return f"pulumi config set --secret {option}{quoted} --stack {stack}"


def of_pasted_url(path: tuple[str, ...], value: str, stack: str) -> tuple[str, str] | None:
    """Return problem and fix for a URL with credentials, or of Redis over TLS, that was pasted
    into an address setting.

    None if the value is neither or the setting is not an address.
    """
    commands = []
    tls = "redis" in path[0] + "".join(path[1:2]) and value.lower().startswith("rediss://")
    if tls and len(path) == 1:
        commands.append(f"pulumi config rm {path[0]} --stack {stack}")
        path = ("servers", "redis", DEFAULT_SERVER, "address")
    fills = _fills(path)
    if fills is None or (redact_value(value) == value and not tls):
        return None
    scheme, _, rest = value.rpartition("://")
    user_info, _, rest = rest.rpartition("@")
    if not user_info and fills.form == "url":
        return None
    user, _, password = user_info.partition(":")
    host, _, query = rest.partition("?")
    address, _, database = host.partition("/")
    # A user alone may be a token.
    known_user = user if password and _NAME.fullmatch(user) else "USER" if user else ""
    sslmode = parse_qs(query).get("sslmode", [""])[0]
    commands.append(set_value(".".join(path), _address(fills, scheme, address, host), stack))
    if tls:
        commands.append(set_value(_concrete("servers.redis.*.tls", path), "true", stack))
    for name, found in (
        (fills.user, known_user),
        (fills.database, database if _NAME.fullmatch(database) else ""),
        (fills.sslmode, sslmode if _NAME.fullmatch(sslmode) else ""),
    ):
        if name and found:
            commands.append(set_value(_concrete(name, path), found, stack))
    if fills.secret:
        commands.append(set_secret(_concrete(fills.secret, path), stack))
    if tls:
        takes = "takes no TLS" if commands[0].startswith("pulumi config rm") else "takes host:port"
        return f"is a URL of Redis over TLS, and {takes}", " && ".join(commands)
    what = "a URL with a user or a password in it" if scheme else "an address with a login in it"
    takes = {"url": "a URL without one"}.get(fills.form, f"{fills.form} alone")
    return f"is {what}, and takes {takes}", " && ".join(commands)


def _fills(path: tuple[str, ...]) -> _Fills | None:
    for name, fills in _FILLED.items():
        parts = name.split(".")
        if len(parts) == len(path) and all(
            part in ("*", given) for part, given in zip(parts, path, strict=True)
        ):
            return fills
    return None


def _concrete(name: str, path: tuple[str, ...]) -> str:
    parts = name.split(".")
    return ".".join(path[index] if part == "*" else part for index, part in enumerate(parts))


def _address(fills: _Fills, scheme: str, address: str, with_path: str) -> str:
    name, port = _split(address)
    if not name:
        return {"url": "https://HOST", "host:port": f"HOST:{fills.port}"}.get(fills.form, "HOST")
    with_port = f"{name}:{port}" if port else name
    match fills.form:
        case "url":
            tail = with_path.removeprefix(address)
            path = tail if re.fullmatch(r"[A-Za-z0-9/_.-]*", tail) else ""
            return f"{scheme if scheme in ('http', 'https') else 'https'}://{with_port}{path}"
        case "host/path":
            is_plain = re.fullmatch(r"[a-z0-9.:/_-]+", with_path)
            return with_path.rstrip("/") if is_plain else with_port
        case "host":
            return name
    return f"{name}:{port or _SCHEME_PORTS.get(scheme.lower(), fills.port)}"


def _split(address: str) -> tuple[str, str]:
    """Host and port; both empty where the host is none."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        host, port = address, ""
    return (host, port) if _HOST.fullmatch(host) else ("", "")


def own_value(path: tuple[str, ...], value: Any) -> str:
    """Return the user's value in the setting's form. If it cannot be corrected, return a
    placeholder or, for a number or a duration, the default.
    """
    annotation = type_at(schema.type_of(path[0]), path[1:])
    for candidate in _candidates(path, annotation, value):
        if candidate != value and MASK not in candidate and _is_valid(annotation, candidate):
            return shlex.quote(candidate)
    if len(path) == 1:
        default = schema.default_of(path[0])
        text = str(default).lower() if isinstance(default, bool) else str(default)
        if _GENERIC_DEFAULT.fullmatch(text):
            return text
    return PLACEHOLDER


def _candidates(path: tuple[str, ...], annotation: Any, value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not value or redact_value(value) != value:
        return
    text = value.strip()
    yield text
    if port := _LOOPBACK.fullmatch(text):
        yield f"{HOST_NAME}:{port[1]}"
    if choices := _choices(annotation):
        yield from difflib.get_close_matches(text.lower(), choices, n=1)
    if bool in get_args(annotation):
        yield {"yes": "true", "on": "true", "1": "true"}.get(text.lower(), "false")
    if quantity := re.fullmatch(r"(\d+) ?([a-z]+?)s?", text.lower()):
        yield quantity[1] + _UNITS.get(quantity[2], quantity[2])
        yield quantity[1] + quantity[2].upper()
    if path[0] == "dockerHost":
        yield f"unix://{text}" if text.startswith("/") else schema.default_of(path[0])
    if in_brackets := re.search(r"<([^<>]+)>", text):
        yield in_brackets[1]
    if fills := _fills(path):
        if re.match(r"(?:unix:)?/", text):
            yield f"{HOST_NAME}:{fills.port}"
        scheme, _, rest = text.rpartition("://")
        address = rest.partition("/")[0]
        if _split(address)[0]:
            yield _address(fills, scheme, address, rest)


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    return [str(one) for one in get_args(annotation)] if get_origin(annotation) is Literal else []


def _is_valid(annotation: Any, text: str) -> bool:
    if annotation is UPSTREAM:
        return text.startswith(f"{HOST_NAME}:")
    value: str | bool = text == "true" if bool in get_args(annotation) else text
    try:
        TypeAdapter(annotation).validate_python(value)
    except (ValidationError, ValueError):
        return False
    return True
