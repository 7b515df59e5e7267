"""One record for each kind of monitored service, and one more kind without an edit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from components.alertmanager.destinations import DESTINATIONS
from components.catalog.exporters import EXPORTERS
from components.catalog.images import IMAGES
from components.catalog.integration import Integration
from components.catalog.integrations import INTEGRATIONS
from components.catalog.monitored import DEFAULT_MONITORED
from components.exporters.service import spec_of
from components.rules.rule_set import RuleSet
from ops.offline import render
from ops.offline.program import StackConfig
from tests import added_service
from tests.added_service import FILES, ROOT, ROWS

every_kind = pytest.mark.parametrize("found", INTEGRATIONS, ids=lambda found: found.kind)
RULES = RuleSet.shipped()
# Runs in the project that has MySQL too.
PROGRAM = """
import json, sys
from components.catalog.monitored import ALL_MONITORED, DEFAULT_MONITORED
from components.settings.loader import SettingsError
from ops.offline import program, render

def config(**values):
    texts = {"demo": False, "grafanaAdminPassword": "a-Password-of-a-test-1", **values}
    return program.StackConfig.of_values(texts, {*program.SECRETS, "servers"})

def refused(**values):
    try:
        config(**values).settings("test")
    except SettingsError as error:
        return str(error)
    raise AssertionError("not refused")

server = {"address": "db:3306", "user": "exporter", "password": "p`a#s;s w".replace(" ", "") * 3}
mysql = config(
    watch=["mysql"], servers={"mysql": {"primary": server}}, tls=False, keepOnlyWhatIsRead=True
)
files = render.render("test", mysql)
resources = {
    (r.type.rsplit(":", 1)[-1], r.name): program.unwrap(r.inputs)
    for r in program.run("test", mysql)
}
json.dump(
    {
        "kinds": [ALL_MONITORED, DEFAULT_MONITORED],
        "files": files,
        "container": resources["Container", "mysqld-exporter"],
        "secret": resources["ConfigFiles", "mysqld-exporter-config"]["secret_files"],
        "dev": render.render("dev", program.StackConfig.of_stack("dev")),
        "without server": refused(watch=["mysql"]),
        "two servers": refused(watch=["mysql"], servers={"mysql": {"a": server, "b": server}}),
        "no password": refused(watch=["mysql"], servers={"mysql": {"a": {"address": "a:1"}}}),
    },
    sys.stdout,
)
"""


@pytest.fixture(scope="module")
def with_mysql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    project = tmp_path_factory.mktemp("added") / "project"
    added_service.add(project)
    done = added_service.run(project, "-c", PROGRAM, seconds=300)
    assert done.returncode == 0, done.stderr
    text = done.stdout.replace(str(project), str(ROOT))
    found: dict[str, Any] = json.loads(text[text.index('{"kinds"') :])
    return found


@every_kind
def test_an_integration_names_what_is_there(found: Integration) -> None:
    assert set(found.rule_files) <= set(RULES.files)
    for name in found.dashboards:
        assert (ROOT / "components" / "dashboards" / f"{name}.py").is_file()
    if found.exporter:
        assert callable(spec_of(found.exporter))
        assert IMAGES[found.exporter.service] == found.exporter.image
    if found.destination:
        assert found.destination in {row.receiver for row in DESTINATIONS}


@every_kind
def test_the_down_alert_is_a_critical_one_of_the_service(found: Integration) -> None:
    if found.down_alert is None:
        return
    alert = RULES.alerts[found.down_alert]
    assert alert.file in found.rule_files
    assert (alert.severity, alert.labels["service"]) == ("critical", found.service)


@every_kind
def test_the_module_of_an_integration_is_named_like_its_kind(found: Integration) -> None:
    folder = ROOT / "components" / "catalog" / "integrations"
    assert f'kind="{found.kind}"' in (folder / f"{found.kind}.py").read_text()


def test_no_two_integrations_share_a_name_a_port_or_a_file() -> None:
    facts = [
        *(("service", found.service) for found in INTEGRATIONS),
        *(("file", name) for found in INTEGRATIONS for name in found.rule_files),
        *(("dashboard", name) for found in INTEGRATIONS for name in found.dashboards),
        *((what, getattr(e, what)) for e in EXPORTERS for what in ("service", "job", "port")),
    ]
    assert [fact for fact, times in Counter(facts).items() if times > 1] == []


def test_four_kinds_are_monitored_by_default() -> None:
    assert DEFAULT_MONITORED == ("backend", "host", "postgresql", "redis")


def test_mysql_is_unknown_without_its_files(refused: Callable[..., str]) -> None:
    message = refused({"watch": ["mysql"], "servers": {"mysql": {}}}, secret_keys=["servers"])
    assert 'watch.0 = "mysql" cannot be monitored; there are: backend, containers, host' in message
    assert "is not a kind of service whose servers are set here" in message


def test_mysql_takes_at_most_eight_files_of_which_three_are_python() -> None:
    added = [path.relative_to(FILES) for path in FILES.rglob("*") if path.is_file()]
    of_product = [path for path in added if path.parts[0] not in ("tests",)]
    of_product = [path for path in of_product if "__pycache__" not in path.parts]
    assert ROWS in of_product
    assert len(of_product) <= 8
    assert sorted(path.as_posix() for path in of_product if path.suffix == ".py") == [
        "components/catalog/integrations/mysql.py",
        "components/dashboards/mysql.py",
        "components/exporters/mysql.py",
    ]


def test_mysql_is_known_and_off_once_its_files_are_there(with_mysql: dict[str, Any]) -> None:
    known = ["backend", "containers", "host", "mysql", "postgresql", "probes", "redis"]
    on = [kind for kind in known if kind not in ("containers", "mysql", "probes")]
    assert with_mysql["kinds"] == [known, on]


def test_a_stack_that_does_not_name_mysql_is_unchanged(with_mysql: dict[str, Any]) -> None:
    assert with_mysql["dev"] == render.render("dev", StackConfig.of_stack("dev"))


def test_a_stack_that_names_mysql_has_all_of_it(with_mysql: dict[str, Any]) -> None:
    files = with_mysql["files"]
    assert {path for path in files if "mysql" in path} == {
        "rules/mysql.yml",
        "dashboards/mysql.json",
    }
    assert "mysqld-exporter:9104" in files["prometheus.yml"]
    assert "mysql_global_status_questions" in files["prometheus.yml"]
    assert 'alertname="MySQLDown"' in files["alertmanager.yml"]
    assert 'service=~"cache|database|mysql"' in files["alertmanager.yml"]
    assert "--config.my-cnf=/etc/mysqld_exporter/my.cnf" in with_mysql["container"]["command"]


def test_the_password_of_a_server_is_in_a_file_alone(with_mysql: dict[str, Any]) -> None:
    assert "password = `p`a#s;s" in with_mysql["secret"]["my.cnf"]
    for part in ("files", "container"):
        assert "p`a#s;s" not in json.dumps(with_mysql[part])


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("without server", "vitalstream:servers.mysql is missing: `watch` has mysql"),
        ("without server", "pulumi config set --path 'servers.mysql.primary.address' HOST:PORT"),
        ("two servers", "vitalstream:servers.mysql.b is one server too many"),
        ("no password", "pulumi config set --secret --path 'servers.mysql.a.password' --stack"),
        ("no password", "vitalstream:servers.mysql.a.user is missing"),
    ],
)
def test_wrong_servers_are_refused(case: str, words: str, with_mysql: dict[str, Any]) -> None:
    assert words in with_mysql[case]
    assert "p`a#s;s" not in with_mysql[case]


def test_the_guide_has_every_file_as_it_is() -> None:
    guide = (ROOT / "docs" / "guides" / "add-a-service.md").read_text()
    missing = [
        path.relative_to(FILES).as_posix()
        for path in sorted(FILES.rglob("*"))
        if path.is_file()
        and path.relative_to(FILES).parts[0] != "tests"
        and "__pycache__" not in path.parts
        and path.read_text() not in guide
    ]
    assert missing == []
