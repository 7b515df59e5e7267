"""Thanos store gateway: serves blocks from the object storage and keeps only indexes locally."""

from __future__ import annotations

from components.catalog.thanos import STORE
from components.docker.service import ServiceSpec
from components.settings.settings import Settings
from components.thanos import object_storage
from components.thanos import spec as serving

CACHE_DIR = "/var/thanos/store"
# What answers are made of at once, in the memory limit of components/catalog/services.py; the
# default of 2 GB is for other machines. Beside it cached parts of indexes take up to 250 MB.
CHUNK_POOL = "256MB"


def spec(settings: Settings) -> ServiceSpec:
    return serving.spec(
        settings,
        STORE,
        [
            "store",
            f"--data-dir={CACHE_DIR}",
            f"--chunk-pool-size={CHUNK_POOL}",
            "--web.disable",
            object_storage.FLAG,
        ],
        files=object_storage.files(settings),
        secret_files=object_storage.secret_files(settings),
        cache_dir=CACHE_DIR,
        chown_volumes=object_storage.chown_volumes(settings),
        mounts=object_storage.mounts(settings),
        grpc=True,
    )
