"""HAProxy in front of several Grafanas: their common address and load balancing.

Sessions are in the shared database, so that any Grafana can answer any request without sticky
sessions. TLS is passed through, and Grafana presents the certificate.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.catalog.balancer import METRICS_PORT, PORT, SERVICE
from components.docker import tls_files
from components.docker.config_files import RestartOnChange
from components.docker.container import ContainerSpec, Network, http_probe
from components.docker.service import Service, ServiceFiles, ServiceSpec
from components.settings.settings import Settings

CONFIG_DIR = "/usr/local/etc/haproxy"
CONFIG = f"{CONFIG_DIR}/haproxy.cfg"


def render_config(settings: Settings) -> str:
    """Return `haproxy.cfg`.

    Source: HAProxy, "Configuration Manual", sections 4.2, 5.2 and 5.3.2.
    """
    mode, checks = ("tcp", _tls_checks(settings)) if settings.tls else ("http", "check")
    servers = [f"    server {name} {name}:{PORT} {checks}" for name in settings.replicas("grafana")]
    forwarded = ["    option forwardfor"] if mode == "http" else []
    return "\n".join(
        [
            "global",
            "    log stdout format raw daemon notice",
            "    maxconn 1024",
            "",
            "# A container that is made anew has another address: its name is asked again.",
            "resolvers docker",
            "    parse-resolv-conf",
            "    hold valid 2s",
            "",
            "defaults",
            f"    mode {mode}",
            "    log global",
            "    option dontlognull",
            "    # They are near: who does not answer at once is gone, and the next is asked.",
            "    option redispatch 1",
            "    retries 2",
            "    timeout connect 1s",
            "    timeout check 1s",
            "    timeout client 1m",
            "    timeout server 1m",
            "    timeout tunnel 1h",
            "",
            "frontend grafana",
            f"    bind :{PORT}",
            "    default_backend grafana",
            "",
            "# Grafana's health is also its database's: it answers 503 without it.",
            "backend grafana",
            "    balance roundrobin",
            *forwarded,
            f"    option httpchk GET {settings.grafana_path}/api/health",
            "    http-check expect status 200",
            "    default-server resolvers docker init-addr libc,none inter 2s fall 2 rise 1 "
            "observe layer4 error-limit 1 on-error mark-down",
            *servers,
            "",
            "frontend metrics",
            "    mode http",
            f"    bind :{METRICS_PORT}",
            "    http-request use-service prometheus-exporter if { path /metrics }",
            "    http-request return status 200 if { path /healthy }",
            "",
        ]
    )


def _tls_checks(settings: Settings) -> str:
    name = settings.server_name("grafana")
    return (
        f"check check-ssl verify required ca-file {CONFIG_DIR}/{tls_files.AUTHORITY} "
        f"check-sni {name} verifyhost {name}"
    )


def spec(settings: Settings) -> ServiceSpec:
    return ServiceSpec(
        ContainerSpec(
            service=SERVICE,
            image="haproxy",
            command=["haproxy", "-W", "-db", "-f", CONFIG],
            probe=http_probe(METRICS_PORT, "/healthy"),
            port=PORT,
            published_as="grafana",
        ),
        files=ServiceFiles(
            target=CONFIG_DIR,
            files={"haproxy.cfg": render_config(settings), **tls_files.authority(settings)},
            checker=("haproxy", "-c", "-f", CONFIG),
            on_change=RestartOnChange(),
        ),
    )


class GrafanaBalancer(Service):
    """Balancer, healthy once it listens; it checks the Grafanas' health itself."""

    def __init__(
        self,
        settings: Settings,
        networks: Sequence[Network],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:grafana:GrafanaBalancer", settings, spec(settings), networks, opts,
            after=after,
        )  # fmt: skip
