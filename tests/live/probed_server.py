"""A site for probes, over http and https, that answers as the file of its state says, and its DNS.

Run in a container; the certificate with its key is in its environment.
"""

from __future__ import annotations

import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUDPServer

STATE = Path("/tmp/state")
# The question's one name, and its record: a pointer to the name, A, IN, 60 s, 192.0.2.80.
KNOWN = b"\x06portal\x07example\x03com\x00\x00\x01\x00\x01"
RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x50"
HEADER_BYTES = 12


class Site(BaseHTTPRequestHandler):
    """Answers with the status that the state has, and a page that has its text."""

    def do_GET(self) -> None:
        status, _, text = STATE.read_text().partition(" ")
        self.send_response(int(status))
        self.end_headers()
        self.wfile.write(f"<h1>{text}</h1>".encode())


class Names(BaseRequestHandler):
    """Answers with the record of the known name, or that there is no such name (NXDOMAIN)."""

    def handle(self) -> None:
        query, connection = self.request
        known = query[HEADER_BYTES : HEADER_BYTES + len(KNOWN)] == KNOWN
        end = query.index(b"\0", HEADER_BYTES) + 5
        flags = b"\x84\x00" if known else b"\x84\x03"
        counts = b"\x00\x01" + (b"\x00\x01" if known else b"\x00\x00") + b"\x00\x00" * 2
        question = query[HEADER_BYTES:end]
        answer = query[:2] + flags + counts + question + (RECORD if known else b"")
        connection.sendto(answer, self.client_address)


STATE.write_text("200 Sign in")
Path("/tmp/pair.pem").write_text(os.environ["PAIR"])
site = ThreadingHTTPServer(("", 8443), Site)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/pair.pem")
site.socket = context.wrap_socket(site.socket, server_side=True)
threading.Thread(target=site.serve_forever).start()
threading.Thread(target=ThreadingUDPServer(("", 53), Names).serve_forever).start()
ThreadingHTTPServer(("", 8080), Site).serve_forever()
