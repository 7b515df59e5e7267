"""Docker Engine behind ssh, forwarded to a socket on this machine.

The Docker SDK's own support starts an ssh process for every request, needs another ssh library, and
was seen to fail occasionally inside Pulumi's plugin. Here one ssh process carries all requests.
"""

from __future__ import annotations

import atexit
import contextlib
import selectors
import subprocess
import tempfile
import threading
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

# The default socket of the engine and of the Docker CLI.
REMOTE_SOCKET = "/var/run/docker.sock"
CONNECT_SECONDS = 10
READY_SECONDS = 18
READY = "ready"
OPTIONS = (
    # Never prompt for a password.
    "BatchMode=yes",
    f"ConnectTimeout={CONNECT_SECONDS}",
    "ExitOnForwardFailure=yes",
    # A lost connection is detected after a minute.
    "ServerAliveInterval=20",
)


class TunnelError(OSError):
    """Failure of ssh; the message contains ssh's own output."""


@dataclass
class _Tunnel:
    process: subprocess.Popen[str]
    url: str


_tunnels: dict[str, _Tunnel] = {}
_lock = threading.Lock()
_opening: dict[str, threading.Lock] = {}


def local_url(docker_host: str) -> str:
    """Return the local address of the engine of an ssh:// address. Raises TunnelError."""
    with _lock:
        opening = _opening.setdefault(docker_host, threading.Lock())
    with opening:
        found = _tunnels.get(docker_host)
        if found is None or found.process.poll() is not None:
            found = _tunnels[docker_host] = _open(docker_host)
        return found.url


def _open(docker_host: str) -> _Tunnel:
    there = urllib.parse.urlsplit(docker_host)
    folder = Path(tempfile.mkdtemp(prefix="vitalstream-ssh-"))
    atexit.register(_remove, folder)
    socket, words = folder / "docker.sock", folder / "words"
    command = ["ssh", "-T", "-L", f"{socket}:{REMOTE_SOCKET}"]
    command += [part for option in OPTIONS for part in ("-o", option)]
    command += ["-l", there.username] if there.username else []
    command += ["-p", str(there.port)] if there.port else []
    # It ends with its input, and so with this process in every case.
    command += ["--", there.hostname or "", f"echo {READY}; exec cat >/dev/null"]
    with words.open("w") as said:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        except FileNotFoundError:
            raise TunnelError("ssh is not installed on this machine") from None
    atexit.register(_end, process)
    if not _is_ready(process):
        _end(process)
        reason = words.read_text(errors="replace").strip() or f"no answer in {READY_SECONDS} s"
        raise TunnelError(f"ssh: {reason.removeprefix('ssh: ').removesuffix('.')}")
    return _Tunnel(process, f"unix://{socket}")


def _is_ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return bool(selector.select(READY_SECONDS)) and READY in process.stdout.readline()


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()
