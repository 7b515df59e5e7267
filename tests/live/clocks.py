"""A clock that jumps for single processes: this machine's stays as it is.

The kernel maps into every process a piece of code, the vDSO, that Go programs ask for the time of
day. In the process's own copy of it, the question is led to a few instructions more, which ask the
kernel and add an offset. Only CLOCK_REALTIME has one: timers and pauses go by another clock, as
they do when a machine's clock is set.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

from docker.models.containers import Container

QUESTION = "__vdso_clock_gettime"
# mov eax, SYS_clock_gettime; syscall; test edi, edi; jne done; mov rcx, [rip + 6]; add [rsi], rcx;
# done: ret; and the offset in seconds, to the next 8 bytes.
CODE = bytes.fromhex("b8e4000000 0f05 85ff 750a 488b0d06000000 48010e c3".replace(" ", ""))
OFFSET_AT = 24
SIZE = 64
DYNAMIC = 2
END, STRINGS, SYMBOLS = 0, 5, 6


class NoClockError(Exception):
    """Raised when a process' clock cannot be changed here; the message says why."""


def obstacle() -> str | None:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"a process's clock is changed on Linux on x86_64 alone, not {platform.machine()}"
    if os.geteuid() != 0:
        return "only root can change the clock of a container's process"
    return None


def set_clock(container: Container, seconds: int) -> None:
    """Set the clock of a container's running processes ahead by `seconds`.

    Processes that start later, such as health checks, have the right time. Raises NoClockError.
    """
    for process in container.top(ps_args="-eo pid,comm")["Processes"]:
        pid = int(process[0])
        with _stopped(pid):
            _change(pid, seconds)


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _change(pid: int, seconds: int) -> None:
    begin, end = _vdso(pid)
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin)
        image = memory.read(end - begin)
        ours = len(image) - SIZE
        if not image[ours:].startswith(CODE):
            if image[ours:].strip(b"\0"):
                raise NoClockError(f"the vDSO of process {pid} has no room at its end")
            # A write makes it the process's own.
            memory.seek(begin + ours)
            memory.write(CODE.ljust(SIZE, b"\0"))
        memory.seek(begin + ours + OFFSET_AT)
        memory.write(struct.pack("<q", seconds))
        question = _symbol(image, QUESTION)
        memory.seek(begin + question)
        # jmp, relative to what follows it.
        memory.write(b"\xe9" + struct.pack("<i", ours - question - 5))


def _vdso(pid: int) -> tuple[int, int]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            begin, _, end = line.split()[0].partition("-")
            return int(begin, 16), int(end, 16)
    raise NoClockError(f"process {pid} has no vDSO")


def _symbol(image: bytes, name: str) -> int:
    """Return the offset of a function in a 64-bit ELF image."""
    (headers,) = struct.unpack_from("<Q", image, 0x20)
    size, count = struct.unpack_from("<HH", image, 0x36)
    for number in range(count):
        kind, _, offset = struct.unpack_from("<IIQ", image, headers + number * size)
        if kind == DYNAMIC:
            break
    else:
        raise NoClockError("the vDSO has no dynamic section")
    entries: dict[int, int] = {}
    while True:
        tag, value = struct.unpack_from("<QQ", image, offset)
        if tag == END:
            break
        entries[tag] = value
        offset += 16
    strings = entries[STRINGS]
    wanted = image.index(b"\0" + name.encode() + b"\0", strings) + 1 - strings
    # The table of symbols lies before that of their names.
    for at in range(entries[SYMBOLS], strings, 24):
        text, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", image, at)
        if text == wanted:
            return int(value)
    raise NoClockError(f"the vDSO has no {name}")
