"""The prod stack on the real engine: no demo, protected data, TLS and passwords."""

from __future__ import annotations

import json

import pytest
import requests
from pulumi import automation

from components.settings.tls import served_names
from ops import connections
from tests.engine.program import EngineStack, eventually
from tests.issued import HOUR, issued, validity

STACK = "engine-prod"
LIKE = "prod"
HOSTS = served_names("127.0.0.1", "")
SERVED = issued(HOSTS)
CONFIG: dict[str, object] = {
    "tlsCa": SERVED["tlsCa"],
    "tlsCertificate": SERVED["tlsCertificate"],
    "scrapeInterval": "3s",
    "evaluationInterval": "3s",
}
MORE_SECRETS = {"tlsKey": SERVED["tlsKey"], "webPassword": "canary-web-4f3c2d1e"}
NEW_WEB_PASSWORD = "canary-web-5a6b7c8d"
DATA_VOLUMES = {"alertmanager-data", "grafana-data", "prometheus-data"}
# The only one that reads its certificate when it starts.
RESTARTED_FOR_A_CERTIFICATE = {f"vitalstream-{STACK}-grafana"}


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    """The stack, up."""
    engine.up()
    return engine


def every_target_is_up(engine: EngineStack) -> bool:
    """But the backend, which this stack does not have."""
    found = engine.query('up{job!="backend"}')
    return len(found) == 6 and {series["value"][1] for series in found} == {"1"}


def test_up_new_stack_makes_every_container_healthy(up: EngineStack) -> None:
    assert {container.health for container in up.containers()} == {"healthy"}


def test_up_new_stack_scrapes_every_target(up: EngineStack) -> None:
    assert eventually(lambda: every_target_is_up(up))


def test_up_repeated_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_preview_refresh_unchanged_stack_changes_nothing(up: EngineStack) -> None:
    assert up.preview(refresh=True) == {}


def test_prometheus_retention_is_30_days(up: EngineStack) -> None:
    flags = up.get("prometheus", "/api/v1/status/flags")["data"]
    assert flags["storage.tsdb.retention.time"] == "30d"


def test_up_rule_edited_updates_one_resource_without_restart(up: EngineStack) -> None:
    before = up.started()
    rules = up.folder / "rules" / "backend.yml"
    rules.write_text(
        rules.read_text().replace("instance:backend_up:min == 0", "instance:backend_up:min < 1")
    )
    assert up.up() == {"update": 1}
    assert up.rule("BackendDown")["query"] == "instance:backend_up:min < 1"
    assert up.started() == before


def test_preview_expired_certificate_fails_with_the_reason(up: EngineStack) -> None:
    expired = issued(HOSTS, validity(-2 * HOUR, -HOUR))
    up.configure(tlsCa=expired["tlsCa"], tlsCertificate=expired["tlsCertificate"])
    with pytest.raises(automation.CommandError, match=r"has expired: CN=prometheus was valid un"):
        up.preview()
    up.configure(**CONFIG)


def test_up_certificate_changed_applies_without_replacement(up: EngineStack) -> None:
    before = up.started()
    renewed = issued(HOSTS)
    up.set_secret("tlsKey", renewed["tlsKey"])
    up.configure(tlsCa=renewed["tlsCa"], tlsCertificate=renewed["tlsCertificate"])
    assert set(up.up()) == {"update"}
    after = up.started()
    assert {name for name in before if before[name] != after[name]} == RESTARTED_FOR_A_CERTIFICATE
    assert eventually(lambda: every_target_is_up(up))
    with (
        connections.trusting(SERVED["tlsCa"]) as session,
        pytest.raises(requests.exceptions.SSLError),
    ):
        session.get(f"https://127.0.0.1:{up.values['ports']['prometheus']}/", timeout=10)


def test_up_web_password_changed_applies_without_replacement(up: EngineStack) -> None:
    before = up.started()
    up.set_secret("webPassword", NEW_WEB_PASSWORD)
    assert set(up.up()) == {"update"}
    after = up.started()
    assert {name for name in before if before[name] != after[name]} == RESTARTED_FOR_A_CERTIFICATE
    assert eventually(lambda: every_target_is_up(up))
    with connections.trusting(str(up.values["tlsCa"])) as session:
        session.auth = ("vitalstream", MORE_SECRETS["webPassword"])
        address = f"https://127.0.0.1:{up.values['ports']['prometheus']}/-/ready"
        assert session.get(address, timeout=10).status_code == 401


def test_grafana_restarted_keeps_the_data_sources_password(up: EngineStack) -> None:
    assert up.through_grafana("vector(46)") == [46]


def test_up_after_rotations_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_state_contains_no_secret(up: EngineStack) -> None:
    looked_for = (b"canary", up.secrets["tlsKey"].splitlines()[2].encode())
    kept = [path for path in (up.folder / ".state").rglob("*") if path.is_file()]
    found = [path.name for path in kept if any(what in path.read_bytes() for what in looked_for)]
    assert found == []
    assert any(b"prometheus-config" in path.read_bytes() for path in kept)


def test_inspect_and_logs_contain_no_secret(up: EngineStack) -> None:
    for container in up.containers():
        shown = json.dumps(container.attrs) + container.logs().decode(errors="replace")
        assert "canary" not in shown, container.name


def test_destroy_protected_data_is_refused(up: EngineStack) -> None:
    with pytest.raises(automation.CommandError, match="protected"):
        up.destroy()
    assert up.volumes() >= DATA_VOLUMES


def test_destroy_exclude_protected_keeps_the_data_volumes(up: EngineStack) -> None:
    up.destroy(exclude_protected=True)
    assert up.containers() == []
    assert up.networks() == []
    assert up.volumes() == DATA_VOLUMES


def test_up_after_destroy_reuses_the_data_volumes(up: EngineStack) -> None:
    up.up()
    assert {container.health for container in up.containers()} == {"healthy"}


def test_destroy_unprotected_removes_everything(up: EngineStack) -> None:
    up.configure(protectData=False)
    up.up()
    up.destroy()
    assert (up.containers(), up.volumes(), up.networks()) == ([], set(), [])
