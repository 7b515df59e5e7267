"""Grafana's containers and the objects that the Grafana provider creates in them."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.catalog.networks import HOST_NAME
from components.docker import tls_files
from components.docker.config_files import RestartOnChange, RunOnChange
from components.docker.container import ContainerSpec, Network, http_probe
from components.docker.service import Service, ServiceFiles, ServiceSpec
from components.grafana import database, own_settings
from components.settings.settings import Settings

PORT = 3000
DATA_DIR = "/var/lib/grafana"
SECRETS_DIR = "/etc/grafana/secrets"
PASSWORD_FILE = f"{SECRETS_DIR}/admin_password"
# Grafana reads its admin password from the file only when it first creates its database.
RESET_PASSWORD = f"grafana cli --homepath /usr/share/grafana admin reset-admin-password \
--password-from-stdin < {PASSWORD_FILE}"


def spec(settings: Settings, name: str = "grafana") -> ServiceSpec:
    """Return one of the servers; several share a database and are published by the balancer."""
    return ServiceSpec(
        ContainerSpec(
            service=name,
            command=[],
            envs=own_settings.envs(settings, _envs(settings), SECRETS_DIR),
            probe=http_probe(PORT, f"{settings.grafana_path}/api/health", tls=settings.tls),
            port=None if settings.has_balancer else PORT,
            stop_seconds=30,
            # The first start creates the database.
            wait_seconds=120,
            knows_host=any(one.host == HOST_NAME for one in settings.grafana.data_sources.values()),
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            secret_files={
                "admin_password": settings.grafana_admin_password.get_secret_value(),
                **database.secret_files(settings),
                **tls_files.key_pair(settings),
                **_metrics_password(settings),
                **own_settings.secret_files(settings),
            },
            on_change=RestartOnChange(),
            on_change_by_path={"admin_password": RunOnChange(("sh", "-c", RESET_PASSWORD))},
        ),
        data_dir=DATA_DIR,
    )


def _envs(settings: Settings) -> list[str]:
    """Return what this program sets; the stack's own settings may change some of it."""
    return [
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES=false",
        "GF_ANALYTICS_REPORTING_ENABLED=false",
        "GF_AUTH_ANONYMOUS_ENABLED=false",
        "GF_LOG_MODE=console",
        "GF_NEWS_NEWS_FEED_ENABLED=false",
        "GF_PLUGINS_PREINSTALL_DISABLED=true",
        # The keys that sign plugins are built in; newer ones come from outside.
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED=true",
        f"GF_SECURITY_ADMIN_PASSWORD__FILE={PASSWORD_FILE}",
        f"GF_SECURITY_ADMIN_USER={settings.grafana_admin_user}",
        "GF_SECURITY_DISABLE_GRAVATAR=true",
        f"GF_SERVER_ROOT_URL={settings.url('grafana')}/",
        *database.envs(settings, SECRETS_DIR),
        *_over_https(settings),
        "GF_SNAPSHOTS_EXTERNAL_ENABLED=false",
        "GF_USERS_ALLOW_SIGN_UP=false",
        # The alerts are Prometheus' and Alertmanager's.
        "GF_UNIFIED_ALERTING_ENABLED=false",
    ]


def _over_https(settings: Settings) -> list[str]:
    envs = []
    if settings.url("grafana").startswith("https://"):
        # Also where a reverse proxy in front has the certificate.
        envs += ["GF_SECURITY_COOKIE_SAMESITE=strict", "GF_SECURITY_COOKIE_SECURE=true"]
    if settings.tls:
        envs += [
            f"GF_METRICS_BASIC_AUTH_PASSWORD__FILE={SECRETS_DIR}/{tls_files.PASSWORD}",
            f"GF_METRICS_BASIC_AUTH_USERNAME={settings.web_user}",
            f"GF_SERVER_CERT_FILE={SECRETS_DIR}/{tls_files.CERTIFICATE}",
            f"GF_SERVER_CERT_KEY={SECRETS_DIR}/{tls_files.KEY}",
            "GF_SERVER_PROTOCOL=https",
        ]
    if settings.tls and settings.public_host:
        # Of a name, which browsers then ask by https only, at every port: not of an address.
        envs.append("GF_SECURITY_STRICT_TRANSPORT_SECURITY=true")
    return envs


def _metrics_password(settings: Settings) -> dict[str, str]:
    return {tls_files.PASSWORD: settings.web_password.get_secret_value()} if settings.tls else {}


class Grafana(Service):
    """Create one Grafana server and, unless it shares one, its database."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        networks: Sequence[Network],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "vitalstream:grafana:Grafana",
            settings,
            spec(settings, name),
            networks,
            opts,
            after=after,
        )
