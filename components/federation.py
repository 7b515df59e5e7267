"""The recorded series of other stacks, of which a global one keeps a copy.

docs/decisions/0013-federation.md says what is fetched, and why by its own time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from components import scrape_limits
from components.field_types import Authorities, HostName, HostPort, OneLine, OptionalLogin
from components.frozen import Frozen
from components.setting_faults import PartFault

if TYPE_CHECKING:
    from components.settings import Settings

FOLDER: Final = "federation"
"""Where the passwords and authorities lie, below Prometheus' own folder."""
JOB: Final = "federate"
# level:metric:operation: what rules/ record. Raw metrics have no colon, and neither has ALERTS:
# an alert is raised and sent where it is watched.
NAMES: Final = "[a-z][a-zA-Z0-9_]*:[a-zA-Z0-9_]+:[a-zA-Z0-9_]+"
_STACK = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9])?")


def _stack(name: str) -> str:
    if not _STACK.fullmatch(name):
        raise ValueError("is not the name of a stack: letters, digits, `_`, `.` and `-`")
    return name


class FederationSource(Frozen):
    """A stack's Prometheus. With its `tls`, `username` and `password` are its `webUser` and
    `webPassword`; `ca` is PEM text, empty for the public authorities.
    """

    stack: Annotated[str, AfterValidator(_stack)]
    target: HostPort
    scheme: Literal["http", "https"] = "http"
    ca: Authorities = ""
    server_name: HostName = ""
    username: OptionalLogin = ""
    # Checked also by default: with a user it is required.
    password: OneLine = Field(default=SecretStr(""), validate_default=True)

    @field_validator("ca", "server_name")
    @classmethod
    def _is_of_https(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("scheme") == "http":
            raise ValueError("is set, and the scheme is http: it is for https")
        return value

    @field_validator("password")
    @classmethod
    def _goes_with_a_user(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        password, username = value.get_secret_value(), info.data.get("username")
        if username and not password:
            raise ValueError("is missing: username is set, and the two go together")
        if password and username == "":
            raise ValueError("is set without username: the two go together")
        if password and info.data.get("scheme") == "http":
            raise ValueError("would go over the network in clear text: it needs scheme https")
        return value


def faults(own: str, sources: Sequence[FederationSource]) -> list[PartFault]:
    """What is wrong with them together, and beside the stack itself."""
    names = Counter(source.stack for source in sources)
    found: list[PartFault] = []
    for index, source in enumerate(sources):
        earlier = sources[:index]
        if source.stack == own:
            problem = f"is {own}, this stack itself: its series would be here twice"
            found.append(PartFault((str(index), "stack"), problem))
        elif names[source.stack] > 1 and source.stack in (one.stack for one in earlier):
            problem = f"is {source.stack} as one before it, and nobody could tell their series"
            found.append(PartFault((str(index), "stack"), problem))
        if source.target in (one.target for one in earlier):
            problem = "is that of one before it: the same series would be here twice"
            found.append(PartFault((str(index), "target"), problem))
    return found


def scrape_configs(settings: Settings, folder: str, replica: str) -> list[dict[str, Any]]:
    """One for each source, since each has a password of its own; all of them are the job
    `federate`. `folder` is Prometheus' own, `replica` the label that tells a pair apart.
    """
    return [
        {
            "job_name": f"{JOB}-{source.stack}",
            "metrics_path": "/federate",
            "params": {"match[]": [f'{{__name__=~"{NAMES}"}}']},
            # What the source says of its series stands: job, instance, and the stack that they
            # are of.
            "honor_labels": True,
            **_asking(source, folder),
            **scrape_limits.of(settings),
            "static_configs": [
                {"targets": [source.target], "labels": {"job": JOB, "stack": source.stack}}
            ],
            # A server that is no Prometheus, or a proxy before it, may know nothing of match[].
            "metric_relabel_configs": [
                {"action": "keep", "source_labels": ["__name__"], "regex": NAMES},
                # So that the other one of a pair may take its place.
                {"action": "labeldrop", "regex": replica},
            ],
        }
        for source in settings.federation
    ]


def _asking(source: FederationSource, folder: str) -> dict[str, Any]:
    if source.scheme == "http":
        return {}
    tls = {
        **({"ca_file": f"{folder}/{_ca(source)}"} if source.ca else {}),
        **({"server_name": source.server_name} if source.server_name else {}),
    }
    found: dict[str, Any] = {"scheme": "https"}
    if tls:
        found["tls_config"] = tls
    if source.username:
        found["basic_auth"] = {
            "username": source.username,
            "password_file": f"{folder}/{_password(source)}",
        }
    return found


def files(sources: Sequence[FederationSource]) -> dict[str, str]:
    """The sources' authorities, by path."""
    return {_ca(source): f"{source.ca.strip()}\n" for source in sources if source.ca}


def secret_files(sources: Sequence[FederationSource]) -> dict[str, str]:
    """The passwords, by path."""
    return {
        _password(source): source.password.get_secret_value()
        for source in sources
        if source.username
    }


def _ca(source: FederationSource) -> str:
    return f"{FOLDER}/{source.stack}.ca.pem"


def _password(source: FederationSource) -> str:
    return f"{FOLDER}/{source.stack}.password"
