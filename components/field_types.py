"""The types of the settings' values: each says, on a wrong value, what a right one looks like."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from components import quantities

_HOST_PORT = re.compile(r"^(?P<host>[A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})$")
_MAIL = re.compile(r"^[^@\s<>,;:\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")
_IMAGE = re.compile(
    r"^(?:[a-z0-9.-]+(?::\d+)?/)?[a-z0-9._/-]+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
    r"(?:@sha256:[0-9a-f]{64})?$"
)
_CHANNEL = re.compile(r"^[#@][A-Za-z0-9._-]{1,80}$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_DOCKER_HOST = re.compile(r"^(unix:///|tcp://[^/]+|ssh://[^/]+|https?://[^/]+)")

# What people type first; the first two were the defaults of older VitalStream documents.
_COMMON_PASSWORDS = frozenset(
    "admin123 admin changeme password password123 postgres redis grafana vitalstream "
    "letmein secret 123456789012 passwordpassword".split()
)
MIN_PASSWORD_LENGTH = 12


def _duration(text: str) -> str:
    if quantities.duration_seconds(text) <= 0:
        raise ValueError("must be longer than zero")
    return text


def _size(text: str) -> str:
    if quantities.size_bytes(text) < quantities.size_bytes("100MB"):
        raise ValueError("is less than 100MB, which Prometheus' write-ahead log alone can fill")
    return text


def _memory(text: str) -> str:
    # Docker itself refuses less than 6m.
    if quantities.memory_mebibytes(text) < 6:
        raise ValueError("is less than 6m, the least that Docker accepts")
    return text


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("is not an IP address, such as 127.0.0.1 or 0.0.0.0") from None


def _host_port(text: str) -> str:
    match = _HOST_PORT.match(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError("is not host:port, such as backend:8000 (no scheme, no path)")
    return text


def _optional_host_port(text: str) -> str:
    return _host_port(text) if text else text


def _mail_address(text: str) -> str:
    if not _MAIL.match(text):
        raise ValueError("is not a mail address, such as ops-team@example.com")
    return text


def _image(text: str) -> str:
    if not _IMAGE.match(text):
        raise ValueError(
            "is not an image with a tag, such as prom/prometheus:v3.5.0 "
            "(a digest may follow: @sha256:...; `latest` and no tag are not reproducible)"
        )
    if text.split("@")[0].endswith(":latest"):
        raise ValueError("has the tag `latest`, which is another image tomorrow: name a version")
    return text


def _https_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    parts = urlsplit(text)
    if text and (parts.scheme != "https" or not parts.hostname or re.search(r"\s", text)):
        raise ValueError("is not an https URL, such as Slack gives for an incoming webhook")
    return value


def _password(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text:
        raise ValueError("is missing")
    if text.lower() in _COMMON_PASSWORDS:
        raise ValueError("is a default or a well-known password")
    if len(text) < MIN_PASSWORD_LENGTH:
        raise ValueError(f"is weak: it has fewer than {MIN_PASSWORD_LENGTH} characters")
    if len(set(text)) < 5:
        raise ValueError("is weak: it has fewer than 5 different characters")
    if "\n" in text or "\x00" in text:
        raise ValueError("has a line break or a NUL in it, which a password file cannot carry")
    return value


def _optional_password(value: SecretStr) -> SecretStr:
    return _password(value) if value.get_secret_value() else value


def _channel(text: str) -> str:
    if not _CHANNEL.match(text):
        raise ValueError("is not a Slack channel, such as #vitalstream-critical")
    return text


def _network_name(text: str) -> str:
    if not _NAME.match(text):
        raise ValueError("is not a Docker network name (letters, digits, `_`, `.` and `-`)")
    return text


def _docker_host(text: str) -> str:
    if not _DOCKER_HOST.match(text):
        raise ValueError(
            "is not a Docker host, such as unix:///var/run/docker.sock or ssh://user@host"
        )
    return text


def _cpus(value: Any) -> Any:
    # `true` is a number to Python; to a reader of the stack file it is a mistake.
    if isinstance(value, bool):
        raise ValueError("is not a number of CPUs, such as 0.5")
    return value


Duration = Annotated[str, AfterValidator(_duration)]
Size = Annotated[str, AfterValidator(_size)]
Memory = Annotated[str, AfterValidator(_memory)]
Cpus = Annotated[float, BeforeValidator(_cpus)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
HostPort = Annotated[str, AfterValidator(_host_port)]
OptionalHostPort = Annotated[str, AfterValidator(_optional_host_port)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Image = Annotated[str, AfterValidator(_image)]
HttpsUrl = Annotated[SecretStr, AfterValidator(_https_url)]
Password = Annotated[SecretStr, AfterValidator(_password)]
OptionalPassword = Annotated[SecretStr, AfterValidator(_optional_password)]
SlackChannel = Annotated[str, AfterValidator(_channel)]
NetworkName = Annotated[str, AfterValidator(_network_name)]
DockerHost = Annotated[str, AfterValidator(_docker_host)]
