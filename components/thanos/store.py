"""The store gateway: answers from the object storage, and keeps only indexes on this machine."""

from __future__ import annotations

from components.service import ServiceSpec
from components.settings import Settings
from components.thanos import object_storage, serving
from components.thanos.members import STORE

CACHE_DIR = "/var/thanos/store"
# Of the memory limit in components/catalog.py: cached parts of indexes, and what answers are
# made of. The default pool of 2 GB is for other machines.
INDEX_CACHE = "100MB"
CHUNK_POOL = "256MB"


def spec(settings: Settings) -> ServiceSpec:
    return serving.spec(
        settings,
        STORE,
        [
            "store",
            f"--data-dir={CACHE_DIR}",
            f"--index-cache-size={INDEX_CACHE}",
            f"--chunk-pool-size={CHUNK_POOL}",
            "--web.disable",
            object_storage.FLAG,
        ],
        files=object_storage.files(settings),
        secret_files=object_storage.secret_files(settings),
        scratch=CACHE_DIR,
        owned=object_storage.owned(settings),
        mounts=object_storage.mounts(settings),
        grpc=True,
    )
