"""Types of the settings' values: each error shows what a valid value looks like."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

import idna
from cryptography import x509
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from components.catalog.networks import HOST_NAME
from components.common import quantities
from components.settings import in_house

# All of these are matched in full: with `$`, a line break at the end would pass.
_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:]+\])"
_HOST_PORT = re.compile(rf"{_HOST}:(?P<port>[0-9]{{1,5}})")
_HOST_NAME = re.compile(_HOST)
# Stricter than Python's urlsplit: Alertmanager's words on a URL that it cannot parse quote it.
_WEB_URL = re.compile(
    rf"https?://(?:[A-Za-z0-9._~!$&'()*+,;=:-]+@)?{_HOST}(?::[0-9]{{1,5}})?"
    r"(?:[/?#](?:[^\s%\"<>\\^`{|}]|%[0-9A-Fa-f]{2})*)?"
)
_PUBLIC_URL = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9_~][A-Za-z0-9._~-]*)*")
_RUNBOOK_BASE = re.compile(rf"(?:https?://{_HOST}(?::[0-9]{{1,5}})?)?/(?:[A-Za-z0-9._~/-]*/)?")
_ADDRESS = r"[^@\s<>,;:\"]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
# Also with a name before it, as in a mail's header.
_MAIL = re.compile(rf"{_ADDRESS}|(?:[^<>@,;:\"()\[\]\\]+|\"[^<>\"\\]+\") <{_ADDRESS}>")
# A Docker reference: host[:port]/ and path, in lower case; then the tag, then perhaps a digest.
_REPOSITORY = (
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]{1,5}(?=/))?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
)
_REGISTRY_PREFIX = re.compile(
    r"[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
)
_IMAGE = re.compile(
    rf"{_REPOSITORY}:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})(?:@sha256:[0-9a-f]{{64}})?"
)
_NETWORK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DOCKER_HOST = re.compile(r"unix:///\S+|(?:tcp|ssh|https?)://[^/\s]+")
_SOCKET = re.compile(r"(?:unix:(?://)?)?/\S*", re.IGNORECASE)


def _duration(text: str) -> str:
    if quantities.duration_seconds(text) <= 0:
        raise ValueError("must be longer than zero")
    return text


def _size(text: str) -> str:
    if quantities.size_bytes(text) < quantities.size_bytes("100MB"):
        raise ValueError("is less than 100MB, which Prometheus' write-ahead log alone can fill")
    return text


def _body_size(text: str) -> str:
    if (
        not quantities.size_bytes("1MB")
        <= quantities.size_bytes(text)
        <= quantities.size_bytes("256MB")
    ):
        raise ValueError("is not from 1MB, which a healthy exporter may need, to 256MB")
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


def _optional_ip_address(text: str) -> str:
    return _ip_address(text) if text else text


def host_port(text: str) -> str:
    """Raises ValueError."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError("is not host:port, such as backend:8000 (no scheme, no path)")
    return text


def service_address(text: str) -> str:
    """Address that a container connects to; loopback would be that container itself.

    Raises ValueError.
    """
    if _SOCKET.fullmatch(text):
        raise ValueError(
            "is a Unix socket, for which the exporter's container would need a folder of the host: "
            "none is mounted; let the server listen on the Docker bridge as well, and write "
            f"{HOST_NAME}:PORT"
        )
    host_port(text)
    host, _, port = text.rpartition(":")
    if in_house.is_own_container(host.strip("[]")):
        raise ValueError(
            "is the asking container itself, and not this machine: write "
            f"{HOST_NAME}:{port}, where the service listens on more than 127.0.0.1, or "
            f"the service's container (postgres:{port}, on one of applicationNetworks)"
        )
    return text


def _mail_server(text: str) -> str:
    """Written as certificates and DNS have it: `smtp.xn--klinik-mnchen-dsb.example`."""
    if text and not text.isascii():
        host, _, port = text.rpartition(":")
        try:
            text = f"{idna.encode(host, uts46=True).decode()}:{port}"
        except idna.IDNAError:
            raise ValueError("is not host:port, with a host name that DNS can have") from None
    return host_port(text) if text else text


def _mail_address(text: str) -> str:
    if not _MAIL.fullmatch(text):
        raise ValueError(
            "is not a mail address, such as ops-team@example.com or Ops <ops-team@example.com>"
        )
    return text


def _image(text: str) -> str:
    match = _IMAGE.fullmatch(text)
    if match is None:
        raise ValueError(
            "is not an image with a tag, such as prom/prometheus:v3.5.0 "
            "(a digest may follow: @sha256:...; `latest` and no tag are not reproducible)"
        )
    if match["tag"] == "latest":
        raise ValueError("has the tag `latest`, which is another image tomorrow: name a version")
    return text


def web_url(value: SecretStr) -> SecretStr:
    """https, or http to a host in the house."""
    text = value.get_secret_value()
    if text and not _WEB_URL.fullmatch(text):
        raise ValueError("is not an https URL, such as https://host.example.com/path")
    if problem := in_house.problem(text):
        raise ValueError(problem)
    return value


def _public_url(text: str) -> str:
    if not _PUBLIC_URL.fullmatch(text):
        raise ValueError(
            "is not the address of a site, such as https://grafana.example.com (Grafana's may have "
            "a path, without / at the end: https://example.com/grafana)"
        )
    return text


def _runbook_base(text: str) -> str:
    # It is put into a template: no quote, brace, backslash or $.
    if text and not _RUNBOOK_BASE.fullmatch(text):
        raise ValueError(
            "is not a place of runbooks: https://wiki.example.com/runbooks/, or the path of a "
            "folder, with / at the end"
        )
    return text


def _network_name(text: str) -> str:
    if not _NETWORK_NAME.fullmatch(text):
        raise ValueError("is not a Docker network name (letters, digits, `_`, `.` and `-`)")
    return text


def _docker_host(text: str) -> str:
    if text.startswith("npipe:"):
        raise ValueError(
            "is a Windows pipe, which this program does not reach: run Pulumi in WSL 2, where "
            "Docker Desktop has unix:///var/run/docker.sock, or name an engine by ssh://user@host"
        )
    if not _DOCKER_HOST.fullmatch(text):
        raise ValueError(
            "is not a Docker host, such as unix:///var/run/docker.sock or ssh://user@host"
        )
    return text


def _host_name(text: str) -> str:
    if text and not _HOST_NAME.fullmatch(text):
        raise ValueError("is not a host name, such as monitoring.example.com (no scheme, no port)")
    return text


def _registry_prefix(text: str) -> str:
    if text and not _REGISTRY_PREFIX.fullmatch(text):
        raise ValueError(
            "is not a registry prefix: host[:port][/path], with no scheme and no last slash"
        )
    return text


def authorities(text: str) -> str:
    """Check the certificates of authorities, in PEM form. Raises ValueError."""
    if "PRIVATE KEY" in text:
        raise ValueError("has a private key in it: only the authority's certificate belongs here")
    if not text:
        return text
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError(
            "is not a certificate in PEM form, which begins with -----BEGIN CERTIFICATE----- "
            "(its text, not its path: `pulumi config set --path deliveryCa.slack < ca.pem`)"
        ) from None
    return text


def _instance_name(text: str) -> str:
    if not text.strip() or len(text) > 60 or not text.isprintable():
        raise ValueError(
            "is not a name for messages, such as Ward database: one line, 60 characters at most"
        )
    return text


def number(value: Any) -> Any:
    # `true` is a number to Python; to a reader of the stack file it is a mistake.
    if isinstance(value, bool):
        raise ValueError("is not a number")
    return value


Duration = Annotated[str, AfterValidator(_duration)]
OptionalDuration = Annotated[str, AfterValidator(lambda text: _duration(text) if text else text)]
Size = Annotated[str, AfterValidator(_size)]
BodySize = Annotated[str, AfterValidator(_body_size)]
InstanceName = Annotated[str, AfterValidator(_instance_name)]
RunbookBase = Annotated[str, AfterValidator(_runbook_base)]
SampleLimit = Annotated[int, BeforeValidator(number), Field(ge=1_000, le=10_000_000)]
Memory = Annotated[str, AfterValidator(_memory)]
Cpus = Annotated[float, BeforeValidator(number), Field(gt=0, le=256)]
Port = Annotated[int, BeforeValidator(number), Field(ge=1, le=65535)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
OptionalIpAddress = Annotated[str, AfterValidator(_optional_ip_address)]
HostPort = Annotated[str, AfterValidator(host_port)]
ServiceAddress = Annotated[str, AfterValidator(service_address)]
MailServer = Annotated[str, AfterValidator(_mail_server)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Image = Annotated[str, AfterValidator(_image)]
WebUrl = Annotated[SecretStr, AfterValidator(web_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
NetworkName = Annotated[str, AfterValidator(_network_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
RegistryPrefix = Annotated[str, AfterValidator(_registry_prefix)]
Authorities = Annotated[str, AfterValidator(authorities)]
DockerHost = Annotated[str, AfterValidator(_docker_host)]
