"""Properties and files that several exporters' containers share."""

from __future__ import annotations

from components.settings.servers import Server

CA, CERTIFICATE, KEY = "server-ca.pem", "client.pem", "client-key.pem"
"""The authorities of a server's certificate; the exporter's own certificate and key."""
# DNS options of an exporter that connects to the application. In a network without a route out,
# Docker's resolver does not answer for a removed name, and resolv.conf's default timeout is 10 s:
# as long as a scrape may take. Prometheus then reports the exporter of a dead database as dead.
QUICK_LOOKUPS = ("timeout:1", "attempts:2")


def public_tls_files(server: Server) -> dict[str, str]:
    """Return what an exporter needs to connect over TLS, without its key."""
    texts = {CA: server.ca, CERTIFICATE: server.certificate}
    return {name: f"{text.strip()}\n" for name, text in texts.items() if text}


def key_file(server: Server) -> dict[str, str]:
    """Return the key of an exporter that shows a certificate."""
    key = server.key.get_secret_value().strip()
    return {KEY: f"{key}\n"} if key else {}
