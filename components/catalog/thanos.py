"""Thanos components and their ports."""

from __future__ import annotations

HTTP_PORT = 10902
GRPC_PORT = 10901
IMAGE = "thanos"
SIDECAR = "thanos-sidecar"
STORE = "thanos-store"
COMPACTOR = "thanos-compact"
QUERIER = "thanos-query"
SERVICES = (SIDECAR, STORE, COMPACTOR, QUERIER)
