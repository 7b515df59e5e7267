"""Targets that do what no exporter should, in a network of their own. Run in a container."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

PORT = 8000
MILLION = 1_000_000
CHUNK = 10_000


class Handler(BaseHTTPRequestHandler):
    """Server whose answer to `http://SERVICE:8000/metrics` depends on the name SERVICE."""

    bodies: ClassVar = {}

    def do_GET(self) -> None:
        name = self.headers["Host"].partition(":")[0]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        try:
            for part in getattr(self, name)():
                self.wfile.write(part.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass

    def good(self):
        yield "broken_targets_good 1\n"

    def garbage(self):
        yield "<html>this is not a metric {{{</html>\n"

    def huge(self):
        """100 MB of one comment."""
        for _ in range(100):
            yield "# " + "x" * 1_000_000 + "\n"

    def million(self):
        for start in range(0, MILLION, CHUNK):
            yield "".join(
                f'http_requests_total{{status="{n}"}} 1\n' for n in range(start, start + CHUNK)
            )

    def many(self):
        """Too many samples in an answer that is small enough."""
        yield "".join(f'http_requests_total{{status="{n}"}} 1\n' for n in range(60_000))

    def labels(self):
        named = ",".join(f'l{n}="x"' for n in range(100))
        yield f"http_requests_total{{{named}}} 1\n"

    def longlabel(self):
        yield f'http_requests_total{{status="{"x" * 10_000}"}} 1\n'

    def clock(self):
        """Answer with timestamps an hour ahead."""
        ahead = int((time.time() + 3600) * 1000)
        yield f'http_requests_total{{status="200"}} 1 {ahead}\n'

    def slow(self):
        time.sleep(30)
        yield "broken_targets_good 1\n"

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
