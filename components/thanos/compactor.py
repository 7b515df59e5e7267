"""Thanos compactor: merges and downsamples blocks and applies their retention.

One per bucket: two would conflict.
"""

from __future__ import annotations

from components.catalog.thanos import COMPACTOR
from components.docker.service import ServiceSpec
from components.settings.settings import Settings
from components.thanos import object_storage
from components.thanos import spec as serving

WORK_DIR = "/var/thanos/compact"


def spec(settings: Settings) -> ServiceSpec:
    return serving.spec(
        settings,
        COMPACTOR,
        [
            "compact",
            "--wait",
            f"--data-dir={WORK_DIR}",
            *_retention_flags(settings),
            "--web.disable",
            object_storage.FLAG,
        ],
        files=object_storage.files(settings),
        secret_files=object_storage.secret_files(settings),
        cache_dir=WORK_DIR,
        chown_volumes=object_storage.chown_volumes(settings),
        mounts=object_storage.mounts(settings),
    )


def _retention_flags(settings: Settings) -> list[str]:
    retention = settings.thanos.retention
    raw = f"--retention.resolution-raw={retention.raw}"
    if not settings.thanos.downsampling:
        return [raw, "--downsampling.disable"]
    return [
        raw,
        f"--retention.resolution-5m={retention.five_minutes}",
        f"--retention.resolution-1h={retention.one_hour}",
    ]
