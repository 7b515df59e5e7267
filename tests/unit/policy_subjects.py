"""A container that every policy accepts, and a secret that none may show."""

from __future__ import annotations

from typing import Any

CONTAINER = "docker:index/container:Container"
DIGEST = f"sha256:{'0' * 64}"
SECRET = "canary-of-a-secret-6d1f"
GOOD: dict[str, Any] = {
    "command": ["--storage.tsdb.path=/data", "--storage.tsdb.retention.time=30d"],
    "cpus": "0.5",
    "envs": ["GF_AUTH_ANONYMOUS_ENABLED=false"],
    "healthcheck": {"tests": ["CMD", "true"]},
    "image": f"example/image:1@{DIGEST}",
    "memory": 64,
    "mounts": [{"type": "volume", "source": "data", "target": "/data"}],
    "ports": [{"internal": 80, "external": 80, "ip": "127.0.0.1"}],
}
