"""A query asked as a panel asks it."""

from __future__ import annotations

import requests

from components.user_files.dashboards import DATA_SOURCE_UID

TIMEOUT_SECONDS = 10


def values(
    session: requests.Session, grafana: str, login: tuple[str, str], expr: str
) -> list[float]:
    """The values of an instant query of the stack's data source, by Grafana at that address."""
    query = {"refId": "A", "datasource": {"uid": DATA_SOURCE_UID}, "expr": expr, "instant": True}
    answer = session.post(
        f"{grafana}/api/ds/query",
        json={"queries": [query], "from": "now-1m", "to": "now"},
        auth=login,
        timeout=TIMEOUT_SECONDS,
    )
    assert answer.ok, answer.text
    frames = answer.json()["results"]["A"]["frames"]
    return [value for frame in frames for value in frame["data"]["values"][1]]
