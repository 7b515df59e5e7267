"""postgres_exporter: connections, query and transaction times, table statistics, replication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components import web
from components.config_files import NoticesItself, RestartOnChange
from components.container import ContainerSpec, busybox_probe
from components.exporters.exporter import QUICK_LOOKUPS, Exporter
from components.service import ServiceFiles, ServiceSpec

if TYPE_CHECKING:
    from components.settings import Settings

PORT = 9187
SECRETS_DIR = "/etc/postgres_exporter"


def _spec(settings: Settings) -> ServiceSpec:
    address = settings.postgres_address
    query = f"sslmode={settings.postgres_sslmode}"
    return ServiceSpec(
        ContainerSpec(
            service="postgres-exporter",
            command=web.server_flags(settings, SECRETS_DIR),
            envs=[
                f"DATA_SOURCE_URI={address}/{settings.postgres_database}?{query}",
                f"DATA_SOURCE_USER={settings.postgres_user}",
                f"DATA_SOURCE_PASS_FILE={SECRETS_DIR}/password",
            ],
            probe=busybox_probe(PORT, "/", tls=settings.tls),
            port=PORT,
            dns_opts=QUICK_LOOKUPS,
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            secret_files={
                "password": settings.postgres_password.get_secret_value(),
                **web.server_files(settings, service="postgres-exporter", password=False),
            },
            on_change=RestartOnChange(),
            on_change_below={web.FOLDER: NoticesItself()},
        ),
    )


EXPORTER = Exporter(
    service="postgres-exporter", job="postgres", watches="postgresql", port=PORT, spec=_spec
)
