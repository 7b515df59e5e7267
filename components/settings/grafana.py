"""Grafana's database, own configuration, plugins, teams and data sources: the setting `grafana`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictBool

from components.catalog.replicas import MOST
from components.common.model import Frozen
from components.common.problems import Problem
from components.common.redaction import redact, redact_value
from components.settings import grafana_sections, in_house
from components.settings.grafana_sections import Section
from components.settings.logins import DatabaseName, Login
from components.settings.types import Authorities, HostPort, NetworkName, number

_UID = re.compile(r"(?!vitalstream-)[A-Za-z0-9_-]{1,40}")
_PLUGIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:[-+][A-Za-z0-9.-]+)?")
_TEAM = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 _-]{0,38}[A-Za-z0-9])?")
_MEMBER = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def _matching(form: re.Pattern[str], problem: str) -> AfterValidator:
    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(problem)
        return text

    return AfterValidator(check)


SourceUid = Annotated[
    str, _matching(_UID, "is not a uid: 40 letters, digits, `_` and `-`, not vitalstream-...")
]
PluginId = Annotated[str, _matching(_PLUGIN, "is not a plugin's id, such as grafana-clock-panel")]
PluginVersion = Annotated[str, _matching(_VERSION, "is not a plugin's version, such as 2.1.8")]
TeamName = Annotated[str, _matching(_TEAM, "is not a name of a team, such as icu or Ward 3")]
Member = Annotated[str, _matching(_MEMBER, "is not a user's mail address, such as a@example.com")]
FileName = Annotated[str, _matching(_FILE, "is not a file's name, such as ldap.toml")]
ADMIN_ADDRESS = "admin@localhost"
Grafanas = Annotated[int, BeforeValidator(number), Field(ge=1, le=MOST["grafana"])]


class GrafanaDatabase(Frozen):
    """PostgreSQL that several Grafanas share; `network` is the Docker network it is in."""

    address: HostPort
    name: DatabaseName = "grafana"
    user: Login = "grafana"
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "disable"
    ca: Authorities = ""
    network: NetworkName | None = None


class DataSource(Frozen):
    """A further data source, by the arguments of the Grafana provider's `oss.DataSource`."""

    type: str
    url: str = ""
    basic_auth_enabled: StrictBool = False
    basic_auth_username: str = ""
    database_name: str = ""
    username: str = ""
    json_data: dict[str, Any] = {}
    secure_json_data: dict[str, SecretStr] = {}
    http_headers: dict[str, SecretStr] = {}

    @property
    def host(self) -> str:
        """Host of its URL, which for some types is host:port alone."""
        address = re.split(r"[/?#]", self.url.rpartition("://")[2])[0]
        return re.sub(r":\d+$", "", address).strip("[]")


class FolderPermission(Frozen):
    """Permission of a team, or of everybody who has a role, on the folders of dashboards."""

    permission: Literal["View", "Edit", "Admin"]
    role: Literal["Viewer", "Editor"] | None = None
    team: str | None = None


class GrafanaSettings(Frozen):
    """`settings` are sections of grafana.ini, `files` those that they name; see the guide."""

    replicas: Grafanas = 1
    database: GrafanaDatabase | None = None
    networks: tuple[NetworkName, ...] = ()
    settings: dict[str, Section] = {}
    files: dict[FileName, SecretStr] = {}
    plugins: dict[PluginId, PluginVersion] = {}
    anonymous_viewer: StrictBool = False
    teams: dict[TeamName, tuple[Member, ...]] = {}
    folder_permissions: tuple[FolderPermission, ...] = ()
    data_sources: dict[SourceUid, DataSource] = {}

    @property
    def source_types(self) -> dict[str, str]:
        """Type of each further data source, by its uid."""
        return {uid: source.type for uid, source in self.data_sources.items()}


def problems(grafana: GrafanaSettings) -> Iterator[Problem]:
    """Yield what Grafana would ignore, show or not start with."""
    if grafana.replicas > 1 and grafana.database is None:
        yield Problem(
            ("database", "address"),
            f"is missing: {grafana.replicas} Grafanas share one PostgreSQL, or each would have "
            "users and dashboards of its own",
        )
    yield from grafana_sections.problems(
        grafana.settings, grafana.files, anonymous=grafana.anonymous_viewer
    )
    for team, members in grafana.teams.items():
        # Grafana refuses whoever is a member already: "addTeamMember (status 400): {}".
        if ADMIN_ADDRESS in members:
            problem = "has Grafana's administrator, who is in every team: take the address out"
            yield Problem(("teams", team), problem)
    for index, one in enumerate(grafana.folder_permissions):
        place = ("folderPermissions", str(index))
        if bool(one.role) == bool(one.team):
            yield Problem(place, "is for one role (Viewer or Editor) or one team")
        elif one.team and one.team not in grafana.teams:
            known = ", ".join(grafana.teams) or "none"
            yield Problem((*place, "team"), f"is an unknown team; grafana.teams has: {known}")
    for uid, source in grafana.data_sources.items():
        yield from _source_problems(("dataSources", uid), source)


def _source_problems(place: tuple[str, ...], source: DataSource) -> Iterator[Problem]:
    if in_house.is_own_container(source.host):
        yield Problem(
            (*place, "url"),
            "is Grafana's own container: name the other's container and its network in "
            "grafana.networks, or host.docker.internal",
        )
    if redact(source.url) != source.url:
        problem = "has a login in it, which Grafana shows: basicAuthUsername and secureJsonData"
        yield Problem((*place, "url"), problem, hidden=True)
    for key, value in source.json_data.items():
        if redact_value({key: value}) != {key: value}:
            problem = "has a secret in it, which Grafana shows: it belongs into secureJsonData"
            yield Problem((*place, "jsonData", key), problem, hidden=True, remove=True)


def unsafe_viewer(grafana: GrafanaSettings, address: str, *, tls: bool) -> Iterator[Problem]:
    """Yield a problem where everybody on the internet could read the dashboards."""
    found = in_house.address_of(address)
    private = found is not None and found.is_private and not found.is_unspecified
    if grafana.anonymous_viewer and not (tls or private):
        yield Problem(
            ("anonymousViewer",),
            f"is true, and Grafana is published at {address} without TLS: whoever reaches it "
            "would read every patient's dashboards; a private bindAddress, or tls",
            setting="grafana",
        )


def warnings(grafana: GrafanaSettings) -> Iterator[str]:
    if grafana.plugins:
        names = ", ".join(f"{name} {version}" for name, version in grafana.plugins.items())
        yield (
            f"vitalstream:grafana.plugins: Grafana downloads {names} from grafana.com when it "
            "starts; where it cannot, it runs without them"
        )
