"""mysqld_exporter: connections, queries, the buffer pool, replication."""

from __future__ import annotations

from components.catalog.integrations.mysql import EXPORTER

from components.catalog.replicas import MAIN
from components.docker import tls_files
from components.docker.config_files import NoAction, RestartOnChange
from components.docker.container import ContainerSpec, busybox_probe
from components.docker.service import ServiceFiles, ServiceSpec
from components.exporters.exporter import QUICK_LOOKUPS
from components.settings.servers import Server
from components.settings.settings import Settings

CONFIG_DIR = "/etc/mysqld_exporter"


def spec(settings: Settings, _host: str = MAIN) -> ServiceSpec:
    """Return the container that asks the server of `vitalstream:servers.mysql`."""
    return ServiceSpec(
        ContainerSpec(
            service=EXPORTER.service,
            command=[
                f"--config.my-cnf={CONFIG_DIR}/my.cnf",
                *tls_files.server_flags(settings, CONFIG_DIR),
            ],
            probe=busybox_probe(EXPORTER.port, "/", tls=settings.tls),
            port=EXPORTER.port,
            dns_opts=QUICK_LOOKUPS,
        ),
        files=ServiceFiles(
            target=CONFIG_DIR,
            secret_files={
                "my.cnf": _client(settings.server("mysql")),
                **tls_files.server_files(settings, password=False),
            },
            on_change=RestartOnChange(),
            on_change_by_path={tls_files.FOLDER: NoAction()},
        ),
    )


def _client(server: Server) -> str:
    """Quoted: `#` and `;` in a password would else begin a comment."""
    return (
        "[client]\n"
        f"host = {server.host}\n"
        f"port = {server.port}\n"
        f"user = {server.user}\n"
        f"password = `{server.password.get_secret_value()}`\n"
    )
