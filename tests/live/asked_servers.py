"""Targets that ask for a login: https with a bearer token, and http with a password.

Run in a container; the certificate with its key, the token and the password are in its environment.
"""

from __future__ import annotations

import base64
import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = f"Bearer {os.environ['TOKEN']}"
BASIC = "Basic " + base64.b64encode(f"prometheus:{os.environ['PASSWORD']}".encode()).decode()
METRICS = """\
http_requests_total{method="GET",endpoint="/api",status="200"} 7
nginx_up 1
"""


def handler(path: str, login: str) -> type[BaseHTTPRequestHandler]:
    """Answers the path alone, and only with the login."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == login
            self.send_response(200 if known and self.path == path else 401 if not known else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(METRICS.encode())

    return Handler


with open("/tmp/pair.pem", "w") as file:
    file.write(os.environ["PAIR"])
api = ThreadingHTTPServer(("", 8443), handler("/internal/metrics", TOKEN))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/pair.pem")
api.socket = context.wrap_socket(api.socket, server_side=True)
threading.Thread(target=api.serve_forever).start()
ThreadingHTTPServer(("", 9113), handler("/metrics", BASIC)).serve_forever()
