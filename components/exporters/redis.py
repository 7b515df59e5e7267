"""redis_exporter: memory, hits and misses, connections."""

from __future__ import annotations

import json

from components.catalog.integrations.redis import EXPORTER
from components.catalog.replicas import DEFAULT_SERVER, MAIN, server_exporter
from components.docker import tls_files
from components.docker.config_files import NoAction, RestartOnChange
from components.docker.container import ContainerSpec, http_probe
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

SECRETS_DIR = "/etc/redis_exporter"
# A share of the scrape's time-out. A Redis that hangs is then reported as down; with the exporter's
# default of 15 s the scrape fails, which says that nothing is known.
CONNECT_SHARE = 0.4


def spec(settings: Settings, server: str = MAIN) -> ServiceSpec:
    """Return the container that asks one server of `servers.redis`."""
    server = server or DEFAULT_SERVER
    asked = settings.servers_of("redis")[server]
    password = asked.password.get_secret_value()
    scheme = "rediss" if asked.tls else "redis"
    # The exporter finds its password by address; newer versions by user and address.
    passwords = {f"{scheme}://{asked.address}": password}
    if asked.user:
        passwords[f"{scheme}://{asked.user}@{asked.address}"] = password
    return ServiceSpec(
        ContainerSpec(
            service=server_exporter(EXPORTER.service, server),
            command=[
                f"--redis.addr={scheme}://{asked.address}",
                # Not in the address, where a user without a password is taken for the password.
                *([f"--redis.user={asked.user}"] if asked.user else []),
                *([f"--tls-ca-cert-file={SECRETS_DIR}/{CA}"] if asked.ca else []),
                *(
                    [
                        f"--tls-client-cert-file={SECRETS_DIR}/{CERTIFICATE}",
                        f"--tls-client-key-file={SECRETS_DIR}/{KEY}",
                    ]
                    if asked.certificate
                    else []
                ),
                f"--redis.password-file={SECRETS_DIR}/passwords.json",
                f"--connection-timeout={round(CONNECT_SHARE * 1000 * scrape_timeout(settings))}ms",
                *(
                    [
                        f"--tls-server-cert-file={SECRETS_DIR}/{tls_files.CERTIFICATE}",
                        f"--tls-server-key-file={SECRETS_DIR}/{tls_files.KEY}",
                    ]
                    if settings.tls
                    else []
                ),
            ],
            probe=http_probe(EXPORTER.port, "/health", tls=settings.tls),
            port=EXPORTER.port,
            dns_opts=QUICK_LOOKUPS,
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            files=public_tls_files(asked),
            secret_files={
                "passwords.json": json.dumps(passwords),
                **key_file(asked),
                **tls_files.key_pair(settings),
            },
            on_change=RestartOnChange(),
            on_change_by_path={tls_files.FOLDER: NoAction()},
        ),
    )
