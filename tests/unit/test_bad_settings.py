"""Invalid settings: all problems are reported at once, with a fix, before anything is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ops.offline import program
from ops.offline.program import ProgramError, StackConfig
from tests.unit.conftest import stack_config
from tests.unit.wrong_parts import WRONG_INSIDE

Refused = Callable[..., str]

# key, value, what the message must say; a structure's inner path is in `WRONG_INSIDE`.
WRONG = [
    ("retentonTime", "7d", "is an unknown setting; did you mean retentionTime?"),
    ("retention_time", "7d", "did you mean retentionTime?"),
    ("zzz", "1", "is an unknown setting"),
    ("teamsWebhookUrl", "https://a.example.com/b", "it belongs into vitalstream:receivers"),
    ("stack", "prod", "is an unknown setting"),
    ("demo", "yes", "valid boolean"),
    ("protectData", "1", "valid boolean"),
    ("mailRequireTls", "True", "valid boolean"),
    ("retentionTime", "30 days", "is not a Prometheus duration"),
    ("retentionTime", "30", "is not a Prometheus duration"),
    ("retentionTime", "1h", "is shorter than 2h"),
    ("retentionTime", "0d", "must be longer than zero"),
    ("retentionTime", "300y", "292 years"),
    ("retentionSize", "10 GB", "is not a Prometheus size"),
    ("retentionSize", "10gb", "is not a Prometheus size"),
    ("retentionSize", "1MB", "is less than 100MB"),
    ("bodySizeLimit", "10KB", "is not from 1MB"),
    ("bodySizeLimit", "1GB", "is not from 1MB"),
    ("bodySizeLimit", "large", "is not a Prometheus size"),
    ("sampleLimit", "10", "greater than or equal to 1000"),
    ("sampleLimit", "true", "valid integer"),
    ("sampleLimit", "many", "valid integer"),
    ("scrapeInterval", "3m", "is longer than 2m"),
    ("scrapeInterval", "2m1s", "is longer than 2m"),
    ("scrapeInterval", "100ms", "is shorter than 1s"),
    ("scrapeInterval", "31s", "is so long that one lost scrape fires BackendDown, "),
    ("scrapeInterval", "15", "is not a Prometheus duration"),
    ("evaluationInterval", "10m", "is longer than 2m"),
    ("keepMetrics", "pg_up", "is not of the type that Pulumi.yaml has"),
    ("keepAllMetrics", "yes", "valid boolean"),
    ("keepOnlyWhatIsRead", "yes", "valid boolean"),
    ("bindAddress", "localhost", "is not an IP address"),
    ("bindAddress", "300.1.1.1", "is not an IP address"),
    ("bindAddress", "10.0.0.0/8", "is not an IP address"),
    ("ports", "9090", "valid dictionary"),
    ("ports", "{grafana: 3000", "is not of the type that Pulumi.yaml has"),
    ("ports", {"grafana": 9090}, "has port 9090 twice, for prometheus and grafana"),
    ("ports", {"grafana": 80, "prometheus": 80}, "has port 80 twice, for prometheus and grafana"),
    ("publicHost", "https://mon.example.com", "is not a host name"),
    ("publicHost", "mon.example.com:3000", "is not a host name"),
    ("tls", "yes", "valid boolean"),
    ("webUser", "a b", "is not a user name"),
    ("dockerHost", "/var/run/docker.sock", "is not a Docker host"),
    ("dockerHost", "unix:///", "is not a Docker host"),
    ("dockerHost", "", "is not a Docker host"),
    ("dockerHost", "npipe:////./pipe/docker_engine", "is a Windows pipe"),
    ("applicationNetworks", "clinic", "is not of the type that Pulumi.yaml has"),
    ("applicationNetworks", ["clinic", "clinic"], "has clinic twice"),
    ("backendTargets", "backend:8000", "is not of the type that Pulumi.yaml has"),
    ("backendTargets", [], "neither backendDns nor backendTargetFiles says where one is found"),
    ("watch", "backend", "is not of the type that Pulumi.yaml has"),
    ("watch", [], "is empty, and there is no federation"),
    ("watch", ["redis", "redis"], "has redis twice"),
    ("federation", "prod", "is not of the type that Pulumi.yaml has"),
    ("backendDns", "backend.internal", "is not of the type that Pulumi.yaml has"),
    ("backendTargetFiles", "targets.yml", "is not of the type that Pulumi.yaml has"),
    ("postgresAddress", "postgres", "is not host:port"),
    ("postgresAddress", "postgres:70000", "is not host:port"),
    ("postgresAddress", "postgres:5432\n", "is not host:port"),
    ("postgresAddress", "/var/run/postgresql", "is a Unix socket"),
    ("redisAddress", "unix:///run/redis.sock", "is a Unix socket"),
    ("postgresDatabase", " vitals", "is not a database name"),
    ("postgresDatabase", "", "is not a database name"),
    ("postgresDatabase", "vitals?sslmode=disable", "is not a database name"),
    ("postgresUser", "a user", "is not a user name"),
    ("postgresSslmode", "yes", "'disable', 'require', 'verify-ca' or 'verify-full'"),
    ("redisAddress", "redis://redis:6379", "is not host:port"),
    ("redisUser", "watcher@redis", "is not a user name"),
    ("grafanaAdminUser", "a:b", "is not a user name"),
    ("slackChannels", {"critical": ""}, "is not a Slack channel"),
    ("mailSmarthost", "smtp.example.com", "is not host:port"),
    ("mailSmarthost", "smtp.a\u00fc b.example:25", "that DNS can have"),
    ("mailFrom", "alertmanager", "is not a mail address"),
    ("mailFrom", "VitalStream <a@example.com", "is not a mail address"),
    ("mailFrom", "VitalStream, <a@example.com>", "is not a mail address"),
    ("mailTo", [], "at least 1 item"),
    ("imageRegistryMirror", "https://mirror.example.com", "is not a registry prefix"),
    ("imageRegistryMirror", "mirror.example.com/", "is not a registry prefix"),
]


def _ids(rows: list[Any]) -> list[str]:
    return [f"{row[0]}={json.dumps(row[1])}" for row in rows]


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=_ids(WRONG))
def test_a_wrong_setting_is_refused_with_a_reason(
    key: str, value: Any, words: str, refused: Refused
) -> None:
    assert words in refused({key: value})


@pytest.mark.parametrize(("key", "value", "path", "words"), WRONG_INSIDE, ids=_ids(WRONG_INSIDE))
def test_a_wrong_part_of_a_setting_is_refused_by_its_path(
    key: str, value: Any, path: str, words: str, refused: Refused
) -> None:
    lines = refused({key: value}).splitlines()
    assert words in next(line for line in lines if line.startswith(f"  vitalstream:{path} "))


EVERY_WRONG = {
    **{row[0]: row[1] for row in WRONG},
    **{row[0]: row[1] for row in WRONG_INSIDE},
}


@pytest.mark.parametrize("key", sorted(EVERY_WRONG))
def test_one_message_tells_of_every_fault(key: str, refused: Refused) -> None:
    assert f"  vitalstream:{key}" in refused(EVERY_WRONG)


def test_two_faults_of_one_structure_are_both_told(refused: Refused) -> None:
    message = refused({"limits": {"grafana": {"memory": "1gb", "cpus": 0}}})
    assert ("limits.grafana.memory" in message, "limits.grafana.cpus" in message) == (True, True)


@pytest.mark.parametrize("key", sorted(EVERY_WRONG))
def test_settings_error_has_one_line_with_a_fix_for_each_problem(
    key: str, refused: Refused
) -> None:
    _, *lines = refused({key: EVERY_WRONG[key]}).splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"  vitalstream:.+; fix: (?:pulumi config |edit vitalstream:).+", line)


@pytest.mark.parametrize(
    ("key", "value", "command"),
    [
        ("scrapeInterval", "3m", "pulumi config set scrapeInterval 15s --stack prod"),
        ("demo", "yes", "pulumi config set demo true --stack prod"),
        ("retentionTime", "30 days", "pulumi config set retentionTime 30d --stack prod"),
        ("retentionSize", "10 gb", "pulumi config set retentionSize 10GB --stack prod"),
        ("postgresAddress", "db.test", "pulumi config set postgresAddress db.test:5432 --stack"),
        ("redisAddress", "rediss://c.test:6380", "pulumi config rm redisAddress --stack prod && "),
        ("mailSmarthost", "mail.test", "pulumi config set mailSmarthost mail.test:587 --stack"),
        ("postgresSslmode", "verify", "pulumi config set postgresSslmode verify-ca --stack prod"),
        ("postgresUser", "a user", "pulumi config set postgresUser VALUE --stack prod"),
        ("bindAddress", "localhost", "pulumi config set bindAddress VALUE --stack prod"),
        ("zzz", "1", "pulumi config rm zzz --stack prod"),
        ("ports", {"x": 1}, "pulumi config rm --path 'ports.x' --stack prod"),
        ("ports", {"grafana": 0}, "pulumi config set --path 'ports.grafana' VALUE --stack prod"),
        ("mailTo", ["x"], "pulumi config set --path 'mailTo[0]' VALUE --stack prod"),
        ("ports", "[", "edit vitalstream:ports in Pulumi.prod.yaml"),
    ],
)
def test_settings_error_has_a_command_to_copy(
    key: str, value: Any, command: str, refused: Refused
) -> None:
    assert f"; fix: {command}" in refused({key: value}, stack="prod")


@pytest.mark.parametrize(
    ("values", "first_line"),
    [
        ({"demo": "yes"}, "1 setting is wrong in Pulumi.prod.yaml; nothing was touched."),
        (
            {"demo": "yes", "ports": "["},
            "2 settings are wrong in Pulumi.prod.yaml; nothing was touched.",
        ),
    ],
)
def test_the_message_begins_with_how_many_faults_are_in_which_file(
    values: dict[str, str], first_line: str, refused: Refused
) -> None:
    assert refused(values, stack="prod").splitlines()[0] == first_line


def test_the_value_that_is_wrong_is_shown(refused: Refused) -> None:
    assert 'vitalstream:retentionTime = "30 days"' in refused({"retentionTime": "30 days"})


def test_wrong_settings_register_no_resource() -> None:
    created: list[str] = []

    def create(registration: Any) -> tuple[str, dict[str, Any]]:
        created.append(registration.name)
        return "", {}

    with pytest.raises(ProgramError):
        program.run("dev", stack_config("dev", {"demo": "yes"}), create)
    assert created == []


def test_a_fault_reaches_the_user_in_its_own_words(run_program: Callable[..., Any]) -> None:
    with pytest.raises(ProgramError, match='retentionTime = "30 days" is not a Prometheus'):
        run_program("dev", retentionTime="30 days")


def test_a_stack_without_its_secrets_does_not_come_up() -> None:
    with pytest.raises(ProgramError, match="postgresPassword is missing"):
        program.run("dev", StackConfig.of_values({}, set()))


def test_replicas_that_take_another_services_port_are_told(refused: Callable[..., str]) -> None:
    values = {"prometheus": {"replicas": 2}, "ports": {"grafana": 9190}}
    assert "has port 9190 twice, for prometheus-2 and grafana" in refused(values)


def test_replicas_that_take_another_services_port_are_told_by_default_too(
    refused: Callable[..., str],
) -> None:
    values = {"alertmanager": {"replicas": 2}, "ports": {"node-exporter": 9193}}
    assert "has port 9193 twice" in refused(values)


def test_a_shared_database_without_its_password_is_told(refused: Callable[..., str]) -> None:
    said = refused({"grafana": {"database": {"address": "db:5432"}}})
    assert "vitalstream:grafanaDatabasePassword" in said
    assert "is missing: grafana.database is set" in said


def test_mail_server_with_letters_beyond_ascii_is_written_as_dns_has_it(
    settings: Callable[..., Any],
) -> None:
    found = settings(mailSmarthost="smtp.stra\u00dfe.example:587", mailTo=["a@example.com"])
    assert found.mail_smarthost == "smtp.xn--strae-oqa.example:587"


@pytest.mark.parametrize(
    ("key", "value", "fixed"),
    [
        ("dockerHost", "/run/podman.sock", "dockerHost unix:///run/podman.sock"),
        ("dockerHost", "npipe:////./pipe/docker_engine", "dockerHost unix:///var/run/docker.sock"),
        ("postgresAddress", "/var/run/postgresql", "postgresAddress host.docker.internal:5432"),
        ("redisAddress", "unix:///run/redis.sock", "redisAddress host.docker.internal:6379"),
    ],
)
def test_fix_of_a_socket_has_what_to_write_instead(
    key: str, value: str, fixed: str, refused: Refused
) -> None:
    assert f"fix: pulumi config set {fixed} --stack" in refused({key: value})
