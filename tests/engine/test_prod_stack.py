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


def test_from_nothing_every_container_comes_up_healthy(up: EngineStack) -> None:
    assert {container.health for container in up.containers()} == {"healthy"}


def test_every_target_is_scraped(up: EngineStack) -> None:
    assert eventually(lambda: every_target_is_up(up))


def test_a_second_up_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_a_preview_with_refresh_changes_nothing(up: EngineStack) -> None:
    assert up.preview(refresh=True) == {}


def test_prometheus_keeps_30_days(up: EngineStack) -> None:
    flags = up.get("prometheus", "/api/v1/status/flags")["data"]
    assert flags["storage.tsdb.retention.time"] == "30d"


def test_a_rule_edit_updates_one_resource_and_restarts_nothing(up: EngineStack) -> None:
    before = up.started()
    rules = up.folder / "rules" / "backend.yml"
    rules.write_text(
        rules.read_text().replace("instance:backend_up:min == 0", "instance:backend_up:min < 1")
    )
    assert up.up() == {"update": 1}
    assert up.rule("BackendDown")["query"] == "instance:backend_up:min < 1"
    assert up.started() == before


def test_a_certificate_that_has_expired_fails_the_preview_in_plain_words(up: EngineStack) -> None:
    expired = issued(HOSTS, validity(-2 * HOUR, -HOUR))
    up.configure(tlsCa=expired["tlsCa"], tlsCertificate=expired["tlsCertificate"])
    with pytest.raises(automation.CommandError, match=r"has expired: CN=prometheus was valid un"):
        up.preview()
    up.configure(**CONFIG)


def test_a_new_certificate_replaces_nothing_and_is_in_force(up: EngineStack) -> None:
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


def test_a_new_web_password_replaces_nothing_and_is_in_force(up: EngineStack) -> None:
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


def test_grafana_restarted_still_knows_the_data_sources_password(up: EngineStack) -> None:
    assert up.through_grafana("vector(46)") == [46]


def test_after_that_too_a_second_up_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}


def test_state_contains_no_secret(up: EngineStack) -> None:
    looked_for = (b"canary", up.secrets["tlsKey"].splitlines()[2].encode())
    kept = [path for path in (up.folder / ".state").rglob("*") if path.is_file()]
    found = [path.name for path in kept if any(what in path.read_bytes() for what in looked_for)]
    assert found == []
    assert any(b"prometheus-config" in path.read_bytes() for path in kept)


def test_no_secret_can_be_inspected_or_is_logged(up: EngineStack) -> None:
    for container in up.containers():
        shown = json.dumps(container.attrs) + container.logs().decode(errors="replace")
        assert "canary" not in shown, container.name


def test_destroy_refuses_to_delete_protected_data(up: EngineStack) -> None:
    with pytest.raises(automation.CommandError, match="protected"):
        up.destroy()
    assert up.volumes() >= DATA_VOLUMES


def test_destroy_without_the_protected_leaves_the_data_volumes_alone(up: EngineStack) -> None:
    up.destroy(exclude_protected=True)
    assert up.containers() == []
    assert up.networks() == []
    assert up.volumes() == DATA_VOLUMES


def test_the_stack_comes_back_with_its_data_volumes(up: EngineStack) -> None:
    up.up()
    assert {container.health for container in up.containers()} == {"healthy"}


def test_unprotected_everything_goes(up: EngineStack) -> None:
    up.configure(protectData=False)
    up.up()
    up.destroy()
    assert (up.containers(), up.volumes(), up.networks()) == ([], set(), [])
