"""A container's health check, without curl or a shell.

    python -m demo.healthcheck                              is the backend serving on port 8000?
    python -m demo.healthcheck --heartbeat /tmp/traffic     was this file touched within 30 s?

Exit code 0 means yes, 1 means no, with the reason on standard error.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path

MAX_AGE_SECONDS = 30.0
TIMEOUT_SECONDS = 3.0
_OK = 200


def backend_fault(port: int) -> str | None:
    """Return the fault of the backend on this machine, or None."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"/healthz on port {port}: {error}"
    finally:
        connection.close()
    return None if status == _OK else f"/healthz on port {port} answered {status}"


def heartbeat_fault(file: Path) -> str | None:
    """Return the fault of a process that touches `file`, or None."""
    try:
        age = time.time() - file.stat().st_mtime
    except OSError as error:
        return str(error)
    return None if age < MAX_AGE_SECONDS else f"{file} was touched {age:.0f} s ago"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.healthcheck")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--heartbeat", type=Path)
    options = parser.parse_args(arguments)
    fault = heartbeat_fault(options.heartbeat) if options.heartbeat else backend_fault(options.port)
    if fault:
        print(fault, file=sys.stderr)
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
