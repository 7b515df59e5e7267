"""Edits of dashboards, scrapes, containers and volumes, with what the report must say of each."""

from __future__ import annotations

from ops.review.diff.snapshot import (
    CONFIG_FILES,
    CONTAINER,
    DATA_SOURCE,
    DOCKER_PROVIDER,
    FOLDER,
    NETWORK,
    VOLUME,
)
from tests.unit import diff_stacks as stacks
from tests.unit.diff_edits import (
    NO_RESTART,
    Case,
    container,
    dashboard,
    move_all,
    nothing,
    put,
    resource,
    settings,
    text,
    yaml,
)
from tests.unit.diff_stacks import panel

EDITS_OF_RESOURCES = {
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
