"""One Grafana below a path: company login, mail, a viewer, a team and a further data source."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import docker
import pytest
import requests

from ops.offline import local_deploy
from tests.certificates import authority
from tests.live import stack as stacks
from tests.live.company_site import CLIENT, LoginSite, login_site
from tests.live.delivery import address
from tests.live.sinks import Sink, sink
from tests.live.stack import (
    SECRETS,
    TIMEOUT_SECONDS,
    Stack,
    eventually,
    not_of_this_machine,
)
from tests.local_images import local_images
from tests.ports import free_ports

NAME = "live-company"
# Invented for this test; with what a reader of .ini files takes for a comment or a quote.
CLIENT_SECRET = "live #;`'\"=\\ Secret-21"
MAIL_LOGIN = ("grafana", "live #;'= Password-22")
TENANT, BIND = "live-tenant-Token-23", "live-bind-Password-24"
USER = {"sub": "7", "login": "nurse", "email": "nurse@example.com", "name": "A Nurse"}
LDAP = f"""
[[servers]]
host = "127.0.0.1"
port = 389
bind_dn = "cn=grafana"
bind_password = "{BIND}"
search_filter = "(cn=%s)"
search_base_dns = ["dc=example"]
[servers.attributes]
username = "cn"
"""
PLUGIN = "vitalstream-absent-panel"
READY_SECONDS = 60
LEFT_OUT = frozenset({"postgres-exporter", "redis-exporter", "node-exporter", "alertmanager"})
OVERVIEW = "/api/dashboards/uid/vitalstream-overview"


@dataclass(frozen=True)
class Company:
    stack: Stack
    login: LoginSite
    mails: Sink
    url: str

    def get(self, path: str, session: requests.Session | None = None) -> requests.Response:
        return (session or plain()).get(self.url + path, timeout=TIMEOUT_SECONDS)

    def logged_in(self, groups: list[str]) -> requests.Session:
        """Return the session of somebody who came from the company's login."""
        self.login.user["groups"] = groups
        session = plain()
        answer = self.get("/login/generic_oauth", session)
        assert answer.ok, answer.text
        return session

    def as_admin(self) -> requests.Session:
        session = plain()
        session.auth = ("admin", SECRETS["grafanaAdminPassword"])
        return session


def plain() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@pytest.fixture(scope="module")
def company(docker_client: docker.DockerClient) -> Iterator[Company]:
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    images = local_images(docker_client, stacks.say)
    if "grafana" not in images:
        pytest.skip("no image of Grafana is here")
    here = address(docker_client)
    with ExitStack() as up:
        login = up.enter_context(login_site(here, CLIENT_SECRET, dict(USER)))
        mails = up.enter_context(sink(authority(), here, MAIL_LOGIN))
        up.enter_context(stacks.alone(NAME, docker_client))
        ports = free_ports()
        url = f"http://127.0.0.1:{ports['grafana']}/grafana"
        values = {
            "ports": ports,
            "publicUrls": {"grafana": url},
            "grafana": values_of(login, mails),
        }
        config = stacks.config(images, **values)
        config = type(config)(config.values, (*config.secret_keys, "vitalstream:grafana"))
        result = local_deploy.up(NAME, config, stacks.say, leave_out=LEFT_OUT)
        yield Company(Stack(NAME, docker_client, config, result), login, mails, url)


def values_of(login: LoginSite, mails: Sink) -> dict[str, Any]:
    return {
        "settings": {
            "auth.generic_oauth": {
                "enabled": True,
                "client_id": CLIENT,
                "client_secret": CLIENT_SECRET,
                "scopes": "openid email",
                "auth_url": f"{login.url}/authorize",
                "token_url": f"{login.url}/token",
                "api_url": f"{login.url}/userinfo",
                "role_attribute_path": "contains(groups[*], 'ops') && 'Editor' || 'Viewer'",
            },
            "auth.ldap": {
                "enabled": True,
                "config_file": "/etc/grafana/secrets/files/ldap.toml",
            },
            "smtp": {
                "enabled": True,
                "host": mails.smarthost,
                "user": MAIL_LOGIN[0],
                "password": MAIL_LOGIN[1],
                "from_address": "grafana@example.com",
                # Its authority is of this test.
                "skip_verify": True,
            },
            "emails": {"content_types": "text/html,text/plain"},
            # Refused: it is no catalogue of plugins.
            "grafana_com": {"api_url": f"{login.url}/catalogue"},
        },
        "files": {"ldap.toml": LDAP},
        "plugins": {PLUGIN: "1.0.0"},
        "anonymousViewer": True,
        "teams": {"icu": []},
        "folderPermissions": [
            {"role": "Viewer", "permission": "View"},
            {"team": "icu", "permission": "Edit"},
        ],
        "dataSources": {
            "second": {
                "type": "prometheus",
                "url": "http://prometheus:9090",
                "httpHeaders": {"X-Scope-OrgID": TENANT},
            }
        },
    }


@pytest.mark.parametrize(("groups", "role"), [(["ops", "ward"], "Editor"), ([], "Viewer")])
def test_company_login_gives_the_role_of_the_groups(
    groups: list[str], role: str, company: Company
) -> None:
    session = company.logged_in(groups)
    assert company.get("/api/user", session).json()["email"] == USER["email"]
    (org,) = company.get("/api/user/orgs", session).json()
    assert org["role"] == role
    assert set(company.login.asked) >= {"/authorize", "/token", "/userinfo"}


def test_anonymous_viewer_sees_a_dashboard_and_cannot_edit_it(company: Company) -> None:
    found = company.get(OVERVIEW)
    assert found.ok, found.text
    assert found.json()["meta"]["canEdit"] is False
    body = {"dashboard": found.json()["dashboard"], "overwrite": True}
    answer = plain().post(f"{company.url}/api/dashboards/db", json=body, timeout=TIMEOUT_SECONDS)
    assert answer.status_code in (401, 403), answer.text
    assert company.get("/api/admin/settings").status_code in (401, 403)


def test_mail_of_an_invitation_arrives(company: Company) -> None:
    invited = "doctor@example.com"
    body = {"name": "A Doctor", "loginOrEmail": invited, "role": "Viewer", "sendEmail": True}
    answer = company.as_admin().post(
        f"{company.url}/api/org/invites", json=body, timeout=TIMEOUT_SECONDS
    )
    assert answer.ok, answer.text
    assert company.mails.wait_until(
        lambda mails: any(mail.to == invited for mail in mails), READY_SECONDS
    )
    (mail,) = (mail for mail in company.mails.messages if mail.to == invited)
    assert f"{company.url}/invite/" in mail.text


def test_below_a_path_prometheus_and_the_health_check_reach_grafana(company: Company) -> None:
    assert company.stack.container("grafana").health == "healthy"
    up = 'up{job="grafana"} == 1'
    assert eventually(lambda: company.stack.value(up) == 1, READY_SECONDS)
    page = company.get("/d/vitalstream-overview")
    assert page.url.startswith(f"{company.url}/d/")
    assert '<base href="/grafana/"' in page.text


def test_team_has_its_permission_on_the_folder(company: Company) -> None:
    admin = company.as_admin()
    found = company.get("/api/folders/vitalstream/permissions", admin).json()
    given = {(one.get("role") or one.get("team"), one["permissionName"]) for one in found}
    assert {("Viewer", "View"), ("icu", "Edit")} <= given
    assert not any(role == "Editor" for role, _ in given)


def test_further_data_source_answers(company: Company) -> None:
    query = {"refId": "A", "datasource": {"uid": "second"}, "expr": "vector(7)", "instant": True}
    answer = company.as_admin().post(
        f"{company.url}/api/ds/query",
        json={"queries": [query], "from": "now-1m", "to": "now"},
        timeout=TIMEOUT_SECONDS,
    )
    assert answer.ok, answer.text
    assert answer.json()["results"]["A"]["frames"][0]["data"]["values"][1] == [7]


def test_plugin_alone_is_asked_for_and_grafana_runs_without_it(company: Company) -> None:
    def asked() -> list[str]:
        return [path for path in company.login.asked if path.startswith("/catalogue")]

    assert eventually(lambda: any(PLUGIN in path for path in asked()), READY_SECONDS)
    assert [path for path in asked() if PLUGIN not in path] == []
    assert company.get("/api/health").json()["database"] == "ok"


def test_ldap_file_is_read_and_the_administrator_logs_in_without_its_server(
    company: Company,
) -> None:
    (server,) = company.get("/api/admin/ldap/status", company.as_admin()).json()
    assert (server["host"], server["port"], server["available"]) == ("127.0.0.1", 389, False)


def test_secrets_are_in_files_of_mode_0400_and_nowhere_else(company: Company) -> None:
    container = company.stack.container("grafana")
    secrets = {CLIENT_SECRET, MAIL_LOGIN[1], BIND}
    settings = company.get("/api/admin/settings", company.as_admin()).text
    shown = json.dumps(container.attrs) + container.logs().decode() + settings
    stream, _ = container.get_archive("/etc/grafana/secrets")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        files = {
            (file.name, file.mode & 0o777): archive.extractfile(file).read().decode()  # type: ignore[union-attr]
            for file in archive
            if file.isfile()
        }
    for secret in (*secrets, TENANT):
        assert json.dumps(secret)[1:-1] not in shown
        assert secret not in shown
    for secret in secrets:
        assert {mode for (_, mode), text in files.items() if secret in text} == {0o400}
