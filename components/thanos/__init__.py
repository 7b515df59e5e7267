"""Thanos: one view over all Prometheus servers, and their blocks in object storage for years."""
