"""Alertmanager's container, its configuration, and silences that survive the container."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.alertmanager import receivers, routing, user_receivers
from components.alertmanager.templates import render_templates
from components.docker import tls_files
from components.docker.config_files import NoAction, ReloadOnChange
from components.docker.container import (
    ContainerSpec,
    Network,
    PublishedPort,
    http_probe,
)
from components.docker.service import Service, ServiceFiles, ServiceSpec
from components.settings.hosts import GOSSIP_PORT
from components.settings.settings import Settings

PORT = 9093
SNAPSHOT_INTERVAL = "15s"
DATA_DIR = "/alertmanager"


def spec(settings: Settings, name: str = "alertmanager") -> ServiceSpec:
    """Return one of the servers; with several, including the addresses of its peers."""
    # Alertmanager reads a proxy's login from its configuration alone.
    config = {"alertmanager.yml": routing.render_config(settings)}
    public, secret = ({}, config) if settings.proxy_has_login else (config, {})
    files = {
        **public,
        "notifications.tmpl": render_templates(settings),
        **user_receivers.template_files(settings),
        **{_below(path): pem for path, pem in receivers.ca_files(settings).items()},
    }
    secret_files = secret | {
        _below(path): text
        for path, text in (
            receivers.secret_files(settings) | user_receivers.secret_files(settings)
        ).items()
    }
    return ServiceSpec(
        ContainerSpec(
            service=name,
            command=[
                f"--config.file={receivers.CONFIG_DIR}/alertmanager.yml",
                f"--storage.path={DATA_DIR}",
                # Limits the silences and notification log entries lost in a crash.
                # The default of 15 minutes would lose silences and repeat pages.
                f"--data.maintenance-interval={SNAPSHOT_INTERVAL}",
                # The URL of links in messages.
                f"--web.external-url={settings.url(name)}",
                *_cluster_flags(settings, name),
                *tls_files.server_flags(settings, receivers.CONFIG_DIR),
            ],
            probe=_probe(settings),
            port=PORT,
            more_ports=[
                PublishedPort(GOSSIP_PORT, settings.gossip_port(name), protocol)
                # Gossip over TLS uses TCP only.
                for protocol in (("tcp",) if settings.tls else ("tcp", "udp"))
                if name in settings.gossip_peers
            ],
        ),
        files=ServiceFiles(
            target=receivers.CONFIG_DIR,
            files=files,
            secret_files={
                **secret_files,
                **tls_files.server_files(settings, password=True),
                **tls_files.client_files(settings, receivers.CONFIG_DIR, "alertmanager"),
                **(
                    tls_files.gossip_files(settings, receivers.CONFIG_DIR, "alertmanager")
                    if settings.gossip_peers
                    else {}
                ),
            },
            checker=("amtool", "check-config", f"{receivers.CONFIG_DIR}/alertmanager.yml"),
            on_change=ReloadOnChange(),
            on_change_by_path={tls_files.FOLDER: NoAction()},
        ),
        data_dir=DATA_DIR,
    )


def _below(path: str) -> str:
    return path.removeprefix(f"{receivers.CONFIG_DIR}/")


def _cluster_flags(settings: Settings, name: str) -> list[str]:
    if elsewhere := dict(settings.gossip_peers):
        return [
            f"--cluster.listen-address=0.0.0.0:{GOSSIP_PORT}",
            # Its own address is on a Docker network, which other hosts cannot reach.
            f"--cluster.advertise-address={elsewhere.pop(name)}",
            *(f"--cluster.peer={address}" for address in elsewhere.values()),
            *tls_files.gossip_flags(settings, receivers.CONFIG_DIR),
        ]
    peers = dict(settings.gossip_addresses)
    if not peers:
        # One Alertmanager has no peers to gossip with.
        return ["--cluster.listen-address="]
    own = peers.pop(name)
    # By address: a name is resolved only at start, when peers may not exist yet.
    return [
        f"--cluster.listen-address={own}:{GOSSIP_PORT}",
        *(f"--cluster.peer={address}:{GOSSIP_PORT}" for address in peers.values()),
    ]


def _probe(settings: Settings) -> str:
    """Return the health probe; with peers it succeeds once silences and notification log are
    synced.
    """
    settled = " | grep -q ready" if len(settings.replicas("alertmanager")) > 1 else ""
    if not settings.tls:
        ready = http_probe(PORT, "/-/ready")
        status = f"wget -q -O - http://127.0.0.1:{PORT}/api/v2/status"
        return f"{status}{settled}" if settled else ready
    config = f"--http.config.file={receivers.CONFIG_DIR}/{tls_files.CLIENT}"
    return f"amtool {config} --alertmanager.url=https://localhost:{PORT} cluster show{settled}"


class Alertmanager(Service):
    """One of the servers, its silences and its configuration."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        networks: Sequence[Network],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:alertmanager:Alertmanager",
            settings,
            spec(settings, name),
            networks,
            opts,
            after=after,
        )
