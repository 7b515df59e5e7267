"""Grafana objects through the HTTP API; existing ones are updated."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import requests

from ops import connections
from ops.offline.local_deploy.errors import LocalDeployError

TIMEOUT_SECONDS = 20
_EXISTS = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
_KNOWN_DATA_SOURCE = frozenset(
    (
        *("accessMode", "basicAuthEnabled", "basicAuthUsername", "isDefault", "jsonDataEncoded"),
        *("name", "secureJsonDataEncoded", "type", "uid", "url"),
        *("databaseName", "httpHeaders", "username"),
    )
)
_PERMISSIONS = {"View": 1, "Edit": 2, "Admin": 4}


class GrafanaApi:
    """Client of one Grafana; `auth` is `user:password`, as in the provider's configuration, and
    `authority` the CA of its certificate, if it has one.
    """

    def __init__(self, url: str, auth: str, authority: str = "") -> None:
        self._user, _, password = auth.partition(":")
        self._url = url.rstrip("/")
        self._session = connections.trusting(authority)
        self._session.auth = (self._user, password)
        # Grafana's SQLite gives up on writes that wait for one another, and a session is for one.
        self._one_at_a_time = threading.Lock()

    def create_folder(self, inputs: Mapping[str, Any]) -> str:
        uid, title = str(inputs["uid"]), inputs["title"]
        made = self._call("POST", "/api/folders", {"uid": uid, "title": title}, allow=_EXISTS)
        if made.status_code in _EXISTS:
            self._call("PUT", f"/api/folders/{uid}", {"title": title, "overwrite": True})
        return uid

    def create_data_source(self, inputs: Mapping[str, Any]) -> str:
        if unknown := sorted(set(inputs) - _KNOWN_DATA_SOURCE):
            raise LocalDeployError(
                f"The local deploy does not support the data source property {', '.join(unknown)}."
            )
        uid = str(inputs["uid"])
        headers = [*enumerate((inputs.get("httpHeaders") or {}).items(), start=1)]
        body = {
            "uid": uid,
            "name": inputs["name"],
            "type": inputs["type"],
            "url": inputs.get("url", ""),
            "database": inputs.get("databaseName", ""),
            "user": inputs.get("username", ""),
            "access": inputs["accessMode"],
            "isDefault": inputs.get("isDefault", False),
            "basicAuth": inputs.get("basicAuthEnabled", False),
            "basicAuthUser": inputs.get("basicAuthUsername", ""),
            "jsonData": json.loads(inputs.get("jsonDataEncoded") or "{}")
            | {f"httpHeaderName{number}": name for number, (name, _) in headers},
            "secureJsonData": json.loads(inputs.get("secureJsonDataEncoded") or "{}")
            | {f"httpHeaderValue{number}": value for number, (_, value) in headers},
        }
        path = f"/api/datasources/uid/{uid}"
        found = self._call("GET", path, allow=(HTTPStatus.NOT_FOUND,))
        if found.status_code == HTTPStatus.NOT_FOUND:
            self._call("POST", "/api/datasources", body)
        else:
            self._call("PUT", path, body)
        return uid

    def create_team(self, inputs: Mapping[str, Any]) -> str:
        """Create a team of users that Grafana knows already, by their mail addresses."""
        name, members = str(inputs["name"]), inputs.get("members") or []
        found = self._call("GET", f"/api/teams/search?{urlencode({'name': name})}").json()["teams"]
        team = found[0]["id"] if found else None
        if team is None:
            team = self._call("POST", "/api/teams", {"name": name}).json()["teamId"]
        self._call("PUT", f"/api/teams/{team}/members", {"admins": [], "members": members})
        return str(team)

    def set_permissions(self, inputs: Mapping[str, Any]) -> str:
        """Replace the permissions on a folder."""
        uid = str(inputs["folderUid"])
        items = [
            {"permission": _PERMISSIONS[one["permission"]]}
            | ({"role": one["role"]} if one.get("role") else {"teamId": int(one["teamId"])})
            for one in inputs["permissions"]
        ]
        self._call("POST", f"/api/folders/{uid}/permissions", {"items": items})
        return uid

    def create_dashboard(self, inputs: Mapping[str, Any]) -> str:
        body = {
            "dashboard": json.loads(inputs["configJson"]),
            "folderUid": inputs.get("folder"),
            "overwrite": inputs.get("overwrite", False),
        }
        return str(self._call("POST", "/api/dashboards/db", body).json()["uid"])

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        allow: tuple[HTTPStatus, ...] = (),
    ) -> requests.Response:
        try:
            with self._one_at_a_time:
                answer = self._session.request(
                    method, self._url + path, json=body, timeout=TIMEOUT_SECONDS
                )
        except requests.RequestException as error:
            raise LocalDeployError(f"Grafana at {self._url} does not answer: {error}") from None
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise LocalDeployError(
                f"Grafana at {self._url} refuses the password of {self._user}: its data volume "
                "was made with another. Set vitalstream:grafanaAdminPassword to that one, or "
                "remove the volume."
            )
        if not answer.ok and answer.status_code not in allow:
            raise LocalDeployError(
                f"Grafana at {self._url} refuses {method} {path} with status "
                f"{answer.status_code}: {answer.text.strip()}"
            )
        return answer
