"""Docker Engine at tcp:// that requires a client certificate, played by a test server."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from components.docker.connection import ConfigFilesError, connect
from tests import certificates


class Engine(http.server.BaseHTTPRequestHandler):
    """Part of Docker's API that makes a server pass for an engine."""

    def do_GET(self) -> None:
        version = json.dumps({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}).encode()
        body = b"OK" if self.path.endswith("/_ping") else version
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def authority() -> certificates.Authority:
    return certificates.authority()


@pytest.fixture
def engine(authority: certificates.Authority, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "server.pem").write_text(authority.server("127.0.0.1"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=authority.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def folder(path: Path, trusted: certificates.Authority, mine: certificates.Authority) -> str:
    """Folder of the client: the trusted authority and its own certificate."""
    certificate, key = mine.client()
    path.mkdir()
    for name, text in (("ca", trusted.pem), ("cert", certificate), ("key", key)):
        (path / f"{name}.pem").write_text(text)
    return str(path)


def test_client_certificate_is_accepted_despite_environment(
    engine: str,
    authority: certificates.Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    client = connect(engine, "monitor-2", folder(tmp_path / "certs", authority, authority))
    assert client.ping()


@pytest.mark.parametrize("stranger", ["the engine", "the client"])
def test_certificate_of_another_authority_is_refused_by_both_sides(
    engine: str, authority: certificates.Authority, tmp_path: Path, stranger: str
) -> None:
    other = certificates.authority()
    whom = (other, authority) if stranger == "the engine" else (authority, other)
    with pytest.raises(ConfigFilesError, match=r"hosts\.monitor-2\.docker"):
        connect(engine, "monitor-2", folder(tmp_path / "certs", *whom))


def test_folder_without_certificates_is_reported(engine: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigFilesError, match="certificate") as raised:
        connect(engine, "monitor-2", str(tmp_path / "nothing"))
    assert "monitor-2" in str(raised.value)
