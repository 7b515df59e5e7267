"""Warnings of a preview: settings that are valid and still cause trouble."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from components.catalog.images import IMAGES, OLDEST_SUPPORTED, is_unsupported
from components.catalog.integrations import INTEGRATIONS
from components.common import certificates
from components.common.redaction import redact
from components.rules import selection
from components.rules.rule_set import RuleSet
from components.settings import grafana, notification_warnings
from components.settings.discovery import groups_of
from components.settings.instance_names import unknown_instances
from components.settings.passwords import weakness
from components.settings.settings import Settings
from components.user_files import dashboards
from components.user_files.paths import PROJECT_DIR

EXPIRY_DAYS = 30
_REDIS_TLS_PORT = 6380


def warnings(settings: Settings) -> Iterator[str]:
    """Yield each warning in words for the preview, with no credentials in it."""
    yield from map(redact, _all(settings))


def _all(settings: Settings) -> Iterator[str]:
    yield from open_ports(settings)
    yield from docker_in_clear_text(settings)
    yield from unverified_databases(settings)
    yield from weak_passwords(settings)
    yield from dashboards_that_stay_empty(settings)
    yield from grafana.warnings(settings.grafana)
    yield from notification_warnings.missing_receivers(settings)
    yield from notification_warnings.plain_http(settings)
    yield from notification_warnings.unnoticed_in_prod(settings)
    yield from old_images(settings)
    yield from disabled_alerts(settings)
    yield from expiring_certificates(settings)
    yield from even_alertmanagers(settings)
    yield from no_targets_in_files(settings)
    yield from ignored_settings(settings)
    yield from traffic_between_hosts(settings)
    yield from unresolvable_targets(settings)
    yield from names_of_nothing(settings)


def open_ports(settings: Settings) -> Iterator[str]:
    """Yield a warning where everybody on the network reaches the services in clear text."""
    address = ipaddress.ip_address(settings.bind_address)
    if address.is_unspecified and not settings.tls:
        yield (
            f"vitalstream:bindAddress is {address}, all interfaces, and tls is off: everybody who "
            "reaches this machine reaches its ports, past a firewall such as ufw, and reads "
            "passwords on the way; `make certs` and tls, or one private address "
            f"(`pulumi config set bindAddress ADDRESS --stack {settings.stack}`)"
        )


def docker_in_clear_text(settings: Settings) -> Iterator[str]:
    """Yield a warning for a Docker Engine that asks for no certificate."""
    if settings.docker_cert_path:
        return
    if re.match(r"(?:tcp|http)://(?!127\.|localhost|\[::1\])", settings.docker_host):
        yield (
            f"vitalstream:dockerHost is {settings.docker_host}, without certificates: whoever "
            "reaches that port is root there; use ssh://USER@HOST, or TLS with `pulumi config set "
            f"dockerCertPath FOLDER --stack {settings.stack}` (ca.pem, cert.pem and key.pem)"
        )


def unverified_databases(settings: Settings) -> Iterator[str]:
    """Yield a warning for each flat address that asks for TLS and cannot say by which authority."""
    if settings.postgres_sslmode.startswith("verify-"):
        yield (
            f"vitalstream:postgresSslmode is {settings.postgres_sslmode}, and the exporter knows "
            "no authority: give it the server's, as vitalstream:servers.postgresql.NAME.ca "
            "(docs/guides/production.md)"
        )
    if settings.redis_address.endswith(f":{_REDIS_TLS_PORT}"):
        yield (
            f"vitalstream:redisAddress has port {_REDIS_TLS_PORT}, which usually is TLS, and is "
            "asked in clear text: vitalstream:servers.redis.NAME takes `tls: true`"
        )


def weak_passwords(settings: Settings) -> Iterator[str]:
    """Yield a warning for each weak password of a server that is not this program's to set."""
    passwords = {
        "postgresPassword": settings.postgres_password,
        "redisPassword": settings.redis_password,
        **{
            f"servers.{kind}.{name}.password": server.password
            for kind, servers in settings.servers.items()
            for name, server in servers.items()
        },
    }
    for key, password in passwords.items():
        if password.get_secret_value() and (problem := weakness(password)):
            yield f"vitalstream:{key} {problem}; change it on the server, then here"


def dashboards_that_stay_empty(settings: Settings) -> Iterator[str]:
    """Yield a warning for each own dashboard that needs what this Grafana does not have."""
    for warning in dashboards.warnings(
        settings.dashboards_folder,
        sources=settings.grafana.source_types,
        plugins=settings.grafana.plugins,
    ):
        yield f"vitalstream:dashboardsFolder: {warning}"


def old_images(settings: Settings) -> Iterator[str]:
    """Yield a warning for each image that is older than the supported versions."""
    for service, reference in settings.images.items():
        if is_unsupported(service, reference):
            oldest = ".".join(map(str, OLDEST_SUPPORTED[service]))
            yield (
                f"vitalstream:images.{service} is {reference}, older than {oldest}, the oldest "
                "that is supported: its flags and metrics may differ, and alerts stay silent; "
                f"`pulumi config rm --path 'images.{service}' --stack {settings.stack}` takes "
                f"{IMAGES[service].reference}"
            )


def disabled_alerts(settings: Settings) -> list[str]:
    """Return a warning that lists the disabled alerts and their reasons."""
    off = [
        f"{name} ({override.reason.strip() or 'no reason is given'})"
        for name, override in settings.alerts.items()
        if not override.enabled
    ]
    what = "1 alert is" if len(off) == 1 else f"{len(off)} alerts are"
    return [f"{what} disabled and will not notify: {'; '.join(off)}"] if off else []


def expiring_certificates(settings: Settings) -> list[str]:
    """Return a warning for each certificate that expires soon."""
    if not settings.tls:
        return []
    soon = datetime.now(UTC) + timedelta(days=EXPIRY_DAYS)
    return [
        f"{key} is valid until {ends:%Y-%m-%d}, less than {EXPIRY_DAYS} days: "
        f"`make certs STACK={settings.stack} RENEW=1`, or a new one of your own"
        for key, text in (("tlsCa", settings.tls_ca), ("tlsCertificate", settings.tls_certificate))
        if (ends := certificates.expiry(text)) < soon
    ]


def even_alertmanagers(settings: Settings) -> list[str]:
    """Return a warning for an even number of Alertmanagers."""
    count = settings.alertmanager.replicas
    if count % 2 or count == 1:
        return []
    return [
        f"vitalstream:alertmanager.replicas is {count}, an even number: a network that is cut in "
        f"the middle leaves equal halves, of which each sends every message; {count + 1} is usual"
    ]


def no_targets_in_files(settings: Settings) -> list[str]:
    """Return a warning if no target file has a target: BackendDown fires at once."""
    paths = settings.backend_target_files
    if settings.backend_targets or settings.backend_dns or settings.backend or not paths:
        return []
    if "backend" not in settings.watch:
        return []
    if any(group["targets"] for path in paths for group in groups_of(PROJECT_DIR, path)):
        return []
    return [
        f"vitalstream:backendTargetFiles: {' and '.join(paths)} name no target. "
        "BackendDown fires until one is in them."
    ]


def ignored_settings(settings: Settings) -> Iterator[str]:
    """Settings of what is not watched, which nothing reads."""
    if "backend" not in settings.watch:
        for key, value in (
            ("backend", settings.backend),
            ("backendDns", settings.backend_dns),
            ("backendTargetFiles", settings.backend_target_files),
        ):
            if value:
                yield f"vitalstream:{key} is set, and the backend is not watched: nothing reads it."
    if settings.keep_metrics and not settings.keep_only_what_is_read:
        yield (
            "vitalstream:keepMetrics is set, but every metric is stored without it; it adds to the "
            "list of keepOnlyWhatIsRead (`pulumi config set keepOnlyWhatIsRead true --stack "
            f"{settings.stack}`)"
        )
    if "keep_all_metrics" in settings.model_fields_set:
        yield (
            "vitalstream:keepAllMetrics is replaced by keepOnlyWhatIsRead, which says the same "
            f"already: `pulumi config rm keepAllMetrics --stack {settings.stack}`"
        )
    if settings.probes and "probes" not in settings.watch:
        yield "vitalstream:probes is set, and `watch` has no probes: nothing asks them."
    for kind in settings.servers:
        if kind not in settings.watch:
            yield f"vitalstream:servers.{kind} is set, but {kind} is not monitored: it is ignored."
    known = RuleSet.shipped()
    # The files of what is not monitored; an override for Thanos may wait for Thanos.
    loaded = selection.select(
        known.files, settings.watch, thanos=True, remote_write=True, scrape_jobs=True
    )
    if left_out := [name for name in settings.alerts if known.alerts[name].file not in loaded]:
        files = {known.alerts[name].file for name in left_out}
        kinds = [found.kind for found in INTEGRATIONS if files & {*found.rule_files}]
        yield (
            f"vitalstream:alerts: {', '.join(left_out)} belongs to a service that is not monitored "
            f"({', '.join(kinds)}); ignored"
        )


def traffic_between_hosts(settings: Settings) -> list[str]:
    """Return warnings about unencrypted or open traffic between hosts."""
    found = gossip_between_hosts(settings)
    if settings.hosts and not settings.tls:
        found.append(
            "vitalstream:tls is off: what the hosts say to each other passes the network in clear "
            "text, and whoever is on it can read and ask everything"
        )
    return found


def gossip_between_hosts(settings: Settings) -> list[str]:
    """Return a warning about gossip ports that other hosts can reach."""
    return [
        f"{' and '.join(peers)} exchange silences and the notification log: whoever reaches those "
        "ports can join the cluster, so let only the hosts reach them (docs/operations/hosts.md)"
        for peers in [settings.gossip_peers.values()]
        if peers
    ]


def unresolvable_targets(settings: Settings) -> list[str]:
    """Targets by a name that only Docker's networks on another host know, in words."""
    groups = [target for group in settings.backend.values() for target in group.targets]
    listed = [*settings.backend_targets, *groups] if "backend" in settings.watch else ()
    names = [target for target in listed if "." not in target.rpartition(":")[0]]
    return [
        f"{name} on the host {host} asks for {', '.join(names)} (vitalstream:backendTargets or "
        "backend), which no network of Docker's there makes known: give addresses that every host "
        f"reaches, or hosts.{host}.applicationNetworks"
        for name in settings.replicas("prometheus")
        if (host := settings.host_of(name))
        and names
        and not settings.hosts[host].application_networks
    ]


def names_of_nothing(settings: Settings) -> Iterator[str]:
    """Yield a warning for each named instance that is not monitored."""
    for instance in unknown_instances(settings):
        yield (
            f"vitalstream:instanceNames has {instance}, which is the address of no target: the "
            f"name {settings.instance_names[instance]} is shown nowhere; `pulumi config rm --path "
            f"'instanceNames[\"{instance}\"]' --stack {settings.stack}`, or correct the address"
        )
