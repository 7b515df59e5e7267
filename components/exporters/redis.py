"""redis_exporter: memory, hits and misses, connections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components import web
from components.config_files import NoticesItself, RestartOnChange
from components.container import ContainerSpec, http_probe
from components.exporters.exporter import QUICK_LOOKUPS, Exporter
from components.service import ServiceFiles, ServiceSpec

if TYPE_CHECKING:
    from components.settings import Settings

PORT = 9121
SECRETS_DIR = "/etc/redis_exporter"


def _spec(settings: Settings) -> ServiceSpec:
    password = settings.redis_password.get_secret_value()
    user = settings.redis_user
    # The exporter looks its password up by address; newer ones by user and address.
    passwords = {f"redis://{settings.redis_address}": password}
    if user:
        passwords[f"redis://{user}@{settings.redis_address}"] = password
    return ServiceSpec(
        ContainerSpec(
            service="redis-exporter",
            command=[
                f"--redis.addr=redis://{settings.redis_address}",
                # Not in the address: a user without a password there is taken for the password.
                *([f"--redis.user={user}"] if user else []),
                f"--redis.password-file={SECRETS_DIR}/passwords.json",
                *(
                    [
                        f"--tls-server-cert-file={SECRETS_DIR}/{web.CERTIFICATE}",
                        f"--tls-server-key-file={SECRETS_DIR}/{web.KEY}",
                    ]
                    if settings.tls
                    else []
                ),
            ],
            probe=http_probe(PORT, "/health", tls=settings.tls),
            port=PORT,
            dns_opts=QUICK_LOOKUPS,
        ),
        files=ServiceFiles(
            target=SECRETS_DIR,
            secret_files={"passwords.json": json.dumps(passwords), **web.key_pair(settings)},
            on_change=RestartOnChange(),
            on_change_below={web.FOLDER: NoticesItself()},
        ),
    )


EXPORTER = Exporter(service="redis-exporter", job="redis", watches="redis", port=PORT, spec=_spec)
