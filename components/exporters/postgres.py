"""postgres_exporter: connections, query and transaction times, table statistics, replication."""

from __future__ import annotations

from components.catalog.integrations.postgresql import EXPORTER
from components.catalog.replicas import MAIN
from components.docker import tls_files
from components.docker.config_files import NoticesItself, RestartOnChange
from components.docker.container import ContainerSpec, busybox_probe
from components.docker.service import ServiceFiles, ServiceSpec
from components.exporters.exporter import QUICK_LOOKUPS
from components.settings.settings import Settings

SECRETS_DIR = "/etc/postgres_exporter"


def spec(settings: Settings, _host: str = MAIN) -> ServiceSpec:
    address = settings.postgres_address
    query = f"sslmode={settings.postgres_sslmode}"
    return ServiceSpec(
        ContainerSpec(
            service="postgres-exporter",
            # Off by default; the alerts on transaction wraparound read it.
            command=[
                "--collector.database_wraparound",
                *tls_files.server_flags(settings, SECRETS_DIR),
            ],
            envs=[
                f"DATA_SOURCE_URI={address}/{settings.postgres_database}?{query}",
                f"DATA_SOURCE_USER={settings.postgres_user}",
                f"DATA_SOURCE_PASS_FILE={SECRETS_DIR}/password",
            ],
            probe=busybox_probe(EXPORTER.port, "/", tls=settings.tls),
            port=EXPORTER.port,
            dns_opts=QUICK_LOOKUPS,
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            secret_files={
                "password": settings.postgres_password.get_secret_value(),
                **tls_files.server_files(settings, service="postgres-exporter", password=False),
            },
            on_change=RestartOnChange(),
            on_change_below={tls_files.FOLDER: NoticesItself()},
        ),
    )
