"""Display names of instances: set by the stack, or the server behind an exporter."""

from __future__ import annotations

from collections.abc import Iterator

from components.catalog.integrations import INTEGRATIONS
from components.catalog.replicas import DEFAULT_SERVER, NODE_EXPORTER
from components.settings.discovery import groups_of
from components.settings.settings import Settings
from components.user_files.paths import PROJECT_DIR


def instance_names(settings: Settings) -> dict[str, str]:
    """Return what messages call an instance, by its label `instance`; the rest have no other name.

    An exporter is called what it monitors: by the name that is set for either of them, by its name
    in `servers` or `hosts`, or by its address.
    """
    own = settings.instance_names
    found = {
        instance: own.get(instance) or own.get(address) or name or instance
        for instance, address, name in _exporters(settings)
    }
    return {instance: name for instance, name in (own | found).items() if name != instance}


def unknown_instances(settings: Settings) -> list[str]:
    """Return the instances that are named and that no target has, as far as targets are known."""
    if settings.backend_dns or settings.federation or settings.scrape_jobs:
        return []
    known = {
        *settings.backend_targets,
        *(target for group in settings.backend.values() for target in group.targets),
        *(place for found in _exporters(settings) for place in found[:2]),
        *_of_files(settings),
    }
    return [
        instance
        for instance in settings.instance_names
        if instance not in known and instance.rpartition(":")[0] not in _own_services(settings)
    ]


def _exporters(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield each exporter's instance, the address that it asks, and the name of what is there."""
    for kind in INTEGRATIONS:
        exporter = kind.exporter
        if exporter is None or kind.kind not in settings.watch:
            continue
        services = settings.names_of(exporter)
        if exporter.service == NODE_EXPORTER:
            for service in services:
                instance = f"{service}:{exporter.port}"
                yield instance, instance, settings.host_of(service) or settings.public_host
        elif kind.has_servers:
            for service, (name, server) in zip(
                services, settings.servers_of(kind.kind).items(), strict=True
            ):
                called = server.address if name == DEFAULT_SERVER else name
                yield f"{service}:{exporter.port}", server.address, called


def _of_files(settings: Settings) -> Iterator[str]:
    for path in settings.backend_target_files:
        for group in groups_of(PROJECT_DIR, path):
            yield from group["targets"]
            yield str((group.get("labels") or {}).get("instance", ""))


def _own_services(settings: Settings) -> set[str]:
    return {*settings.services, *settings.thanos_sidecars, "localhost", "grafana-lb"}
