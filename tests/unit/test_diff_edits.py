"""Small edits, each with what the report must say of it and what it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ops.review.diff.snapshot import (
    CONFIG_FILES,
    CONTAINER,
    DATA_SOURCE,
    DOCKER_PROVIDER,
    FOLDER,
    NETWORK,
    VOLUME,
    Snapshot,
)
from tests.unit import diff_stacks as stacks
from tests.unit.diff_stacks import panel, rule

Edit = Callable[[Snapshot], Snapshot]
NO_RESTART = "Configuration only: no container restarts."
BACKEND, ROUTES = "rules/backend.yml", "alertmanager.yml"


@dataclass(frozen=True)
class Case:
    """Edit of a stack, with lines that its report has and lines that it does not have."""

    edit: Edit
    says: tuple[str, ...]
    silent: tuple[str, ...] = ()


def text(path: str, old: str, new: str) -> Edit:
    return lambda stack: stacks.with_text(stack, path, old, new)


def yaml(path: str, change: Callable[[Any], Any]) -> Edit:
    return lambda stack: stacks.with_yaml(stack, path, change)


def container(change: Callable[[Any], Any], name: str = "grafana") -> Edit:
    return lambda stack: stacks.with_container(stack, change, name)


def settings(**values: Any) -> Edit:
    return lambda _stack: stacks.with_settings("prod", **values)


def dashboard(change: Callable[[Any], Any]) -> Edit:
    return lambda stack: stacks.with_dashboard(stack, "redis", change)


def resource(kind: str, name: str, change: Callable[[Any], Any], **fields: Any) -> Edit:
    return lambda stack: stacks.edited(stack, kind, name, change, **fields)


def nothing(_inputs: Any) -> None:
    """Change no input, for cases that change only a resource's options."""


def add_alert_at_the_top(content: Any) -> None:
    content["groups"][0]["rules"].insert(
        0,
        {
            "alert": "BackendSlow",
            "expr": "job:http_requests:rate5m > 1",
            "labels": {"severity": "warning", "service": "backend"},
        },
    )


def put(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda found: found.__setitem__(name, value)


def put_label(name: str, value: str) -> Callable[[Any], Any]:
    return lambda content: rule(content, "HighErrorRate")["labels"].__setitem__(name, value)


def unwatch(content: Any, metric: str) -> None:
    for one in content["groups"][0]["rules"]:
        lines = [line for line in one["expr"].splitlines() if f'"{metric}"' not in line]
        one["expr"] = "\n".join(lines) + "\n"


def remove_alert(content: Any) -> None:
    for group in content["groups"]:
        group["rules"] = [r for r in group["rules"] if r.get("alert") != "HighErrorRate"]


def reverse(content: Any) -> None:
    for group in content["groups"]:
        group["rules"].reverse()
    content["groups"].reverse()


def stop_at_critical(content: Any) -> None:
    critical = next(r for r in content["route"]["routes"] if r["receiver"] == "critical")
    critical["continue"] = False


def receiver(content: Any, name: str) -> Any:
    return next(found for found in content["receivers"] if found["name"] == name)


def hold_all_back(content: Any) -> None:
    content["inhibit_rules"].append(
        {
            "source_matchers": ['alertname="GrafanaDown"'],
            "target_matchers": ['alertname="DiskSpaceLow"'],
            "equal": ["stack"],
        }
    )


def mute(content: Any) -> None:
    content["time_intervals"] = [{"name": "nights"}]
    content["route"]["routes"][1]["mute_time_intervals"] = ["nights"]


def move_all(content: Any) -> None:
    for one in content["panels"]:
        one["gridPos"]["y"] += 3


EDITS = {
    "a threshold": Case(
        text(BACKEND, "ratio_rate5m > 5", "ratio_rate5m > 7"),
        ("1 made weaker", "WEAKER alert HighErrorRate", "threshold: > 5 -> > 7", NO_RESTART),
        ("expression", "INTERRUPTS"),
    ),
    "a threshold that is easier to reach": Case(
        text(BACKEND, "ratio_rate5m > 5", "ratio_rate5m > 4"),
        ("alert HighErrorRate changed", "threshold: > 5 -> > 4"),
        ("WEAKER", "weaker"),
    ),
    "a lower bound raised": Case(
        text("rules/redis.yml", ") < 50", ") < 60"),
        ("alert RedisLowHitRatio changed", "threshold: < 50 -> < 60"),
        ("WEAKER",),
    ),
    "a lower bound lowered": Case(
        text("rules/redis.yml", ") < 50", ") < 40"),
        ("WEAKER alert RedisLowHitRatio changed", "threshold: < 50 -> < 40"),
    ),
    "a longer for": Case(
        yaml(BACKEND, lambda c: rule(c, "HighErrorRate").__setitem__("for", "15m")),
        ("WEAKER alert HighErrorRate changed", "it waits longer", "for: 5m -> 15m"),
        ("threshold", "expression"),
    ),
    "a for written otherwise": Case(
        yaml(BACKEND, lambda c: rule(c, "HighErrorRate").__setitem__("for", "300s")),
        ("prod: nothing changes",),
        ("HighErrorRate",),
    ),
    "a shorter keep_firing_for": Case(
        yaml(BACKEND, lambda c: rule(c, "BackendHanging").__setitem__("keep_firing_for", "1m")),
        ("alert BackendHanging changed", "it ends sooner", "keep firing for: 5m -> 1m"),
        ("WEAKER", "expression"),
    ),
    "a keep_firing_for where there was none": Case(
        yaml(BACKEND, lambda c: rule(c, "BackendDown").__setitem__("keep_firing_for", "120s")),
        ("alert BackendDown changed", "it fires longer", "keep firing for: 0s -> 120s"),
        ("WEAKER",),
    ),
    "a metric that nobody misses any more": Case(
        yaml("rules/blindness.yml", lambda c: unwatch(c, "redis_memory_max_bytes")),
        (
            "WEAKER recording rule instance_metric:redis_metrics_present:bool changed",
            "rules still read redis_memory_max_bytes, and nothing reports that they are missing",
            "metrics no longer watched",
        ),
        ("expression",),
    ),
    "a lower severity": Case(
        yaml(BACKEND, put_label("severity", "warning")),
        (
            # Once, although both its severity and its receivers are weaker.
            "1 made weaker",
            "WEAKER alert HighErrorRate changed",
            "its severity is lower",
            "severity: critical -> warning",
            "no longer: Slack #vitalstream-critical, mail to ops-team@example.com",
        ),
    ),
    "another service": Case(
        yaml(BACKEND, put_label("service", "database")),
        ("service: backend -> database", "no longer: Slack #vitalstream-backend"),
    ),
    "an alert at the top of a file": Case(
        yaml(BACKEND, add_alert_at_the_top),
        (
            "alerts and rules: 1 added;",
            "alert BackendSlow added",
            "new alert BackendSlow notifies Slack #vitalstream-backend, "
            "Slack #vitalstream-warnings",
        ),
        ("alert HighErrorRate", "changed", "WEAKER"),
    ),
    "an alert removed": Case(
        yaml(BACKEND, remove_alert),
        ("WEAKER alert HighErrorRate removed", "it is removed"),
        ("alert BackendDown changed",),
    ),
    "an alert disabled": Case(
        settings(alerts={"HighErrorRate": {"enabled": False, "reason": "moved to the SLO"}}),
        (
            "WEAKER alert HighErrorRate removed",
            "it is disabled: moved to the SLO",
            "setting alerts.HighErrorRate added",
        ),
    ),
    "rules in another order": Case(yaml(BACKEND, reverse), ("prod: nothing changes by meaning",)),
    "a comment": Case(
        text(BACKEND, "groups:", "# A new comment.\ngroups:"),
        ("prod: nothing changes by meaning: comments, order or formatting of prometheus-config",),
        ("rules/backend.yml",),
    ),
    "an expression over several lines": Case(
        text(
            BACKEND,
            "sum by (job) (endpoint:http_requests:rate5m)",
            "|\n          sum by(job)(\n            endpoint:http_requests:rate5m)",
        ),
        ("prod: nothing changes by meaning",),
    ),
    "a recording rule": Case(
        text(
            BACKEND,
            "sum by (job) (endpoint:http_request_errors:rate5m)",
            "max by (job) (endpoint:http_request_errors:rate5m)",
        ),
        (
            "recording rule job:http_request_errors:rate5m changed, read by alerts",
            "HighErrorRate",
            "panels VitalStream",
        ),
        ("WEAKER",),
    ),
    "a recording rule that is still read": Case(
        yaml(
            BACKEND,
            lambda c: c["groups"][0]["rules"].remove(rule(c, "job:auth_failures:increase5m")),
        ),
        (
            "WEAKER recording rule job:auth_failures:increase5m removed",
            "they read a series that nothing records any more",
        ),
    ),
    "an annotation": Case(
        yaml(
            BACKEND,
            lambda c: rule(c, "HighErrorRate")["annotations"].__setitem__("summary", "Too many"),
        ),
        ("annotation summary:", "-> Too many"),
        ("WEAKER",),
    ),
    "a group's interval": Case(
        yaml(BACKEND, lambda c: c["groups"][0].__setitem__("interval", "2m")),
        ("group backend of rules/backend.yml changed", "interval: 2m", "with the alerts"),
        ("alert HighErrorRate changed",),
    ),
    "a route that stops": Case(
        yaml(ROUTES, stop_at_critical),
        ("WEAKER", "now notifies other channels", "no longer: Slack #vitalstream-backend"),
        ("Alerts\n",),
    ),
    "a renamed channel": Case(
        settings(slackChannels={"critical": "#pager"}),
        ("no longer: Slack #vitalstream-critical", "Slack #pager", NO_RESTART),
    ),
    "no channel any more": Case(
        yaml(ROUTES, lambda c: receiver(c, "database").pop("slack_configs")),
        (
            "made weaker; notification routing: 3 changed",
            "alerts: PostgreSQLArchiverFailing, PostgreSQLCollectorFailing,",
            "no longer: Slack #vitalstream-database",
        ),
    ),
    "a repeat interval": Case(
        yaml(ROUTES, lambda c: c["route"]["routes"][1].__setitem__("repeat_interval", "3h")),
        ("receiver critical for", "repeat_interval: 1h -> 3h"),
        ("WEAKER",),
    ),
    "an inhibition": Case(
        yaml(ROUTES, hold_all_back),
        ("WEAKER alert DiskSpaceLow may now be inhibited while one of these fires: GrafanaDown",),
        ("HighErrorRate",),
    ),
    "a silence at night": Case(
        yaml(ROUTES, mute), ("WEAKER receiver critical for", "silent:  -> nights")
    ),
    "receivers, a route, a mute time and escalation": Case(
        settings(
            receivers={"lab": {"email_configs": [{"to": "lab@example.com"}]}},
            routes=[{"receiver": "lab", "matchers": ['team="lab"'], "continue": False}],
            muteTimes={"night": {"intervals": [{"weekdays": ["sunday"]}]}},
            destinations={"warnings": {"mute": ["night"]}},
            escalateAfter="30m",
            escalateTo="lab",
        ),
        (
            "receiver lab added",
            'WEAKER route to lab for team="lab" added',
            "alerts with these labels go to no route after it",
            'WEAKER route to warnings for severity="warning" changed',
            "WEAKER mute time night added",
            "escalation to lab added",
        ),
        ("tree of routes changed",),
    ),
    "a route that goes": Case(
        yaml(ROUTES, lambda c: c["route"]["routes"].pop()),
        ('WEAKER route to backend for service="backend" removed',),
    ),
    "a message's text": Case(
        text("notifications.tmpl", "vitalstream.title", "vitalstream.heading"),
        ('files["notifications.tmpl"]', "alertmanager reads its configuration again"),
    ),
    "a query of a panel": Case(
        dashboard(
            lambda d: panel(d, d["panels"][0]["title"])["targets"][0].__setitem__("expr", "up")
        ),
        ("panel", "of VitalStream Redis changed", "query 1:", "-> up", NO_RESTART),
        ("added", "removed"),
    ),
    "a unit": Case(
        dashboard(lambda d: d["panels"][0]["fieldConfig"]["defaults"].__setitem__("unit", "bits")),
        ("unit: ", "-> bits"),
    ),
    "panels moved": Case(
        dashboard(move_all), ("of VitalStream Redis only at another place",), ("gridPos.y",)
    ),
    "a panel removed": Case(
        dashboard(lambda d: d["panels"].pop(0)),
        ("dashboards and panels: 1 removed", "of VitalStream Redis removed"),
        ("query 1",),
    ),
    "a panel renamed": Case(
        dashboard(lambda d: d["panels"][0].__setitem__("title", "Another title")),
        ("panel Another title of VitalStream Redis changed", "title:"),
        (" added", " removed"),
    ),
    "retention": Case(
        settings(retentionTime="14d"),
        (
            "INTERRUPTS container prometheus is replaced, because of command",
            "down for at most 30 s to stop and 60 s to be healthy",
            "NOTE samples are kept for another time",
            "retention time: 30d -> 14d",
            "setting retentionTime changed",
            "7 dashboards changed alike",
        ),
        ("container grafana", NO_RESTART),
    ),
    "the scrape interval": Case(
        settings(scrapeInterval="30s"),
        ("0.5 times as many samples", "scrape interval: 15s -> 30s", NO_RESTART),
    ),
    "a scrape interval that is longer": Case(
        settings(scrapeInterval="30s"),
        (
            "WEAKER targets are scraped at another interval",
            "every alert may come 15 s later",
        ),
    ),
    "a scrape interval that is shorter": Case(
        settings(scrapeInterval="5s"),
        ("targets are scraped at another interval", "3 times as many samples"),
        ("WEAKER", "later"),
    ),
    "an evaluation interval that is longer": Case(
        settings(evaluationInterval="1m"),
        (
            "WEAKER rules are evaluated at another interval",
            "every alert may come 45 s later",
            "evaluation interval: 15s -> 1m",
        ),
    ),
    "a target": Case(
        settings(backendTargets=["backend:8000", "standby:8000"]),
        ("scrape job backend changed", "standby:8000", NO_RESTART),
        ("WEAKER",),
    ),
    "a target in the place of another": Case(
        settings(backendTargets=["standby:8000"]),
        (
            "1 made weaker",
            "WEAKER scrape job backend changed",
            "no alert covers any more backend:8000",
            "backend:8000 -> standby:8000",
        ),
    ),
    "a scrape job removed": Case(
        yaml("prometheus.yml", lambda c: c["scrape_configs"].pop(-1)),
        ("WEAKER scrape job", "removed", "its targets are no longer scraped"),
    ),
    "a lower objective": Case(
        settings(sloObjective="99"),
        (
            "WEAKER recording rule slo:objective:ratio changed, read by alerts",
            "more requests may fail before a budget alert fires",
            "expression: vector(0.999) -> vector(0.99)",
        ),
    ),
    "a higher objective": Case(
        settings(sloObjective="99.95"),
        ("recording rule slo:objective:ratio changed, read by alerts",),
        ("WEAKER",),
    ),
    "an alert with a floor of traffic": Case(
        settings(alerts={"HighErrorRate": {"minimumRate": 0.5}}),
        ("WEAKER alert HighErrorRate changed", "it needs more traffic"),
    ),
    "an alert that leaves a mount point out": Case(
        settings(alerts={"DiskSpaceLow": {"exclude": {"mountpoint": ["/mnt/.+"]}}}),
        ("WEAKER alert DiskSpaceLow changed", "it leaves more out"),
    ),
    "an alert that leaves a user out": Case(
        settings(alerts={"PostgreSQLSlowQueries": {"exclude": {"usename": ["dump"]}}}),
        (
            "WEAKER recording rule instance:pg_transaction_age_seconds:max changed",
            "alert PostgreSQLSlowQueries: it leaves more out",
        ),
    ),
    "a higher floor of traffic": Case(
        text("rules/slo.yml", "vector(0.2)", "vector(5)"),
        (
            "WEAKER recording rule slo:traffic_floor:rate changed, read by alerts",
            "more traffic is needed for a budget alert to fire",
        ),
    ),
    "only what is read is kept": Case(
        settings(keepOnlyWhatIsRead=True),
        ("scrape jobs alertmanager, backend, grafana, node, postgres, prometheus, redis changed",),
    ),
    "a data source": Case(
        resource(DATA_SOURCE, "prometheus", put("url", "http://elsewhere:9090")),
        ("data source Prometheus changed", "http://elsewhere:9090"),
    ),
    "a major version": Case(
        settings(images={"grafana": "grafana/grafana:13.0.1"}),
        (
            "INTERRUPTS container grafana is replaced, because of image",
            "NOTE image of grafana changed",
            "another major version: 12 to 13",
            "no longer pinned by its digest",
        ),
        ("container prometheus",),
    ),
    "a port": Case(
        settings(ports={"grafana": 13000}),
        (
            "INTERRUPTS container grafana is replaced, because of envs, ports",
            "ports[0].external: 3000 -> 13000",
            "Grafana's objects are made by another address or login",
        ),
    ),
    "every interface": Case(
        settings(bindAddress="0.0.0.0"),
        ("port 9090 is published on every interface of the host",),
    ),
    "memory": Case(
        settings(limits={"grafana": {"memory": "1g"}}),
        ("container grafana is changed while it runs: no restart", NO_RESTART, "memory: 512"),
        ("INTERRUPTS",),
    ),
    "a CPU limit": Case(
        settings(limits={"grafana": {"cpus": 2}}),
        ("INTERRUPTS container grafana is replaced, because of cpus",),
    ),
    "what is never applied": Case(
        lambda stack: stacks.edited(
            stack, CONTAINER, "grafana", put("tmpfs", {"/tmp": "rw"}), replace_on_changes=()
        ),
        ("NOTE container grafana is changed while it runs", "tmpfs: reported as changed and never"),
        ("INTERRUPTS container grafana",),
    ),
    "a mount": Case(
        container(lambda found: found["mounts"][0].__setitem__("source", "another")),
        ("INTERRUPTS container grafana is replaced, because of mounts", "-> another"),
    ),
    "a container removed": Case(
        lambda stack: stacks.without(stack, CONTAINER, "redis-exporter"),
        ("INTERRUPTS container redis-exporter removed for good",),
    ),
    "a protected volume deleted": Case(
        lambda stack: stacks.without(stack, VOLUME, "prometheus-data"),
        (
            "1 danger: vitalstream-prod-prometheus-data",
            "DANGER volume vitalstream-prod-prometheus-data would be deleted",
            "mounted by prometheus",
            "it is protected: `up` refuses, and changes nothing",
        ),
    ),
    "a volume renamed": Case(
        resource(VOLUME, "redis-exporter-config-volume", put("name", "another")),
        ("DANGER volume", "is deleted and recreated", "all that is in it is lost"),
    ),
    "a volume's frozen labels": Case(
        resource(VOLUME, "prometheus-data", put("labels", [])),
        ("prod: nothing changes",),
        ("DANGER",),
    ),
    "protection taken off": Case(
        settings(protectData=False),
        ("DANGER volume prometheus-data loses its protection", "setting protectData changed"),
    ),
    "a network that is replaced": Case(
        resource(NETWORK, "redis-exporter", put("internal", None)),
        ("INTERRUPTS container redis-exporter is replaced, because network redis-exporter is",),
        ("container grafana is replaced",),
    ),
    "another Docker Engine": Case(
        resource(DOCKER_PROVIDER, "docker", put("host", "ssh://root@elsewhere")),
        ("DANGER the stack goes to another Docker Engine", "ssh://root@elsewhere"),
    ),
    "Grafana's folder": Case(
        resource(FOLDER, "folder", put("uid", "another")),
        ("DANGER Grafana's folder folder is replaced", "also manually created ones"),
    ),
    "a checker": Case(
        resource(CONFIG_FILES, "prometheus-config", put("checker", [])),
        ("Other changes", "ConfigFiles prometheus-config updated", "checker"),
        ("reads its configuration again",),
    ),
    "an option of Pulumi": Case(
        resource(CONTAINER, "grafana", nothing, deleted_with="elsewhere"),
        ("Pulumi's options of Container grafana", "deleted_with:", "-> elsewhere"),
    ),
    "a password": Case(
        resource(
            CONFIG_FILES,
            "redis-exporter-config",
            put("secret_files", {"passwords.json": {"$secret": "f1d0"}}),
        ),
        (
            "INTERRUPTS redis-exporter is restarted to read its files",
            "because of secret files",
        ),
        ("f1d0",),
    ),
    "Grafana's password": Case(
        resource(
            CONFIG_FILES,
            "grafana-config",
            lambda found: found["secret_files"].update(admin_password={"$secret": "f1d0"}),
        ),
        ("grafana gets its admin password reset, without a restart", NO_RESTART),
        ("f1d0",),
    ),
    "the demo": Case(
        settings(demo=True),
        ("container demo-backend added", "Network demo created", "image of demo-redis added"),
        ("removed",),
    ),
}


@pytest.fixture(scope="module")
def prod() -> Snapshot:
    return stacks.stack("prod")


@pytest.mark.parametrize("name", EDITS)
def test_report_of_edit_has_its_lines(name: str, prod: Snapshot) -> None:
    case = EDITS[name]
    found = stacks.printed(stacks.report(prod, case.edit(prod)))
    assert [words for words in case.says if words not in found] == [], found
    assert [words for words in case.silent if words in found.partition("All changes")[0]] == []


def test_report_of_metric_added_to_allowlist_names_it() -> None:
    before, after = (
        stacks.with_settings("prod", keepOnlyWhatIsRead=True, keepMetrics=more)
        for more in ([], ["go_goroutines"])
    )
    found = stacks.printed(stacks.report(before, after))
    assert "metrics now kept: go_goroutines" in found
    assert "metric_relabel_configs" not in found.partition("All changes")[0]


@pytest.mark.parametrize("name", EDITS)
def test_report_of_reverted_edit_has_its_lines(name: str, prod: Snapshot) -> None:
    edited = EDITS[name].edit(prod)
    assert stacks.report(edited, prod).changes is stacks.report(prod, edited).changes


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_report_of_unchanged_stack_is_one_line(stack: str) -> None:
    same = stacks.stack(stack)
    assert stacks.printed(stacks.report(same, same, stack)) == f"{stack}: nothing changes\n"
