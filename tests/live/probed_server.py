"""A site for probes, over http and https, that answers as the file of its state says.

Run in a container; the certificate with its key is in its environment.
"""

from __future__ import annotations

import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATE = Path("/tmp/state")


class Site(BaseHTTPRequestHandler):
    """Answers with the status that the state has, and a page that has its text."""

    def do_GET(self) -> None:
        status, _, text = STATE.read_text().partition(" ")
        self.send_response(int(status))
        self.end_headers()
        self.wfile.write(f"<h1>{text}</h1>".encode())


STATE.write_text("200 Sign in")
Path("/tmp/pair.pem").write_text(os.environ["PAIR"])
site = ThreadingHTTPServer(("", 8443), Site)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/pair.pem")
site.socket = context.wrap_socket(site.socket, server_side=True)
threading.Thread(target=site.serve_forever).start()
ThreadingHTTPServer(("", 8080), Site).serve_forever()
