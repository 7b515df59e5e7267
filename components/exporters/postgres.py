"""postgres_exporter: connections, query and transaction times, table statistics, replication."""

from __future__ import annotations

from components.catalog.integrations.postgresql import EXPORTER
from components.catalog.replicas import DEFAULT_SERVER, MAIN, server_exporter
from components.docker import tls_files
from components.docker.config_files import NoAction, RestartOnChange
from components.docker.container import ContainerSpec, busybox_probe
from components.docker.service import ServiceFiles, ServiceSpec
from components.exporters.exporter import (
    CA,
    CERTIFICATE,
    KEY,
    QUICK_LOOKUPS,
    key_file,
    public_tls_files,
)
from components.prometheus.config import scrape_timeout
from components.settings.settings import Settings

SECRETS_DIR = "/etc/postgres_exporter"
DEFAULT_DATABASE = "postgres"
# Databases of managed servers that nobody else may connect to: asked for their size, they fail a
# collector.
OF_PROVIDERS = ("azure_maintenance", "cloudsqladmin", "rdsadmin")
# Shares of the scrape's time-out. A query that waits for a table's lock, such as that for the
# tables' sizes, or a slow one fails alone, and the rest of the scrape arrives: the queries come one
# after the other. In the connection's parameters, since no version has a flag that does so
# (--collection-timeout of 0.19 leaves the scrape hanging).
LOCK_SHARE, STATEMENT_SHARE, CONNECT_SHARE = 0.2, 0.6, 0.3


def _time_outs(settings: Settings) -> str:
    milliseconds = 1000 * scrape_timeout(settings)
    connect = max(1, int(CONNECT_SHARE * scrape_timeout(settings)))
    return (
        f"lock_timeout={round(LOCK_SHARE * milliseconds)}"
        f"&statement_timeout={round(STATEMENT_SHARE * milliseconds)}&connect_timeout={connect}"
    )


def spec(settings: Settings, server: str = MAIN) -> ServiceSpec:
    """Return the container that asks one server of `servers.postgresql`."""
    server = server or DEFAULT_SERVER
    asked = settings.servers_of("postgresql")[server]
    service = server_exporter(EXPORTER.service, server)
    database = asked.database or DEFAULT_DATABASE
    # No version of the exporter carries a space in the address, and all have the variable.
    in_address = "" if " " in database else database
    ca = f"&sslrootcert={SECRETS_DIR}/{CA}" if asked.ca else ""
    own = f"&sslcert={SECRETS_DIR}/{CERTIFICATE}&sslkey={SECRETS_DIR}/{KEY}"
    client = own if asked.certificate else ""
    query = f"sslmode={asked.sslmode}{ca}{client}&{_time_outs(settings)}"
    return ServiceSpec(
        ContainerSpec(
            service=service,
            # Off by default; the alerts on transaction wraparound read it.
            command=[
                "--collector.database_wraparound",
                *(
                    [f"--exclude-databases={','.join(OF_PROVIDERS)}"]
                    if server != DEFAULT_SERVER
                    else []
                ),
                *tls_files.server_flags(settings, SECRETS_DIR),
            ],
            envs=[
                f"DATA_SOURCE_URI={asked.address}/{in_address}?{query}",
                *([f"PGDATABASE={database}"] if not in_address else []),
                f"DATA_SOURCE_USER={asked.user}",
                f"DATA_SOURCE_PASS_FILE={SECRETS_DIR}/password",
            ],
            probe=busybox_probe(EXPORTER.port, "/", tls=settings.tls),
            port=EXPORTER.port,
            dns_opts=QUICK_LOOKUPS,
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            files=public_tls_files(asked),
            secret_files={
                "password": asked.password.get_secret_value(),
                **key_file(asked),
                **tls_files.server_files(settings, password=False),
            },
            on_change=RestartOnChange(),
            on_change_by_path={tls_files.FOLDER: NoAction()},
        ),
    )
