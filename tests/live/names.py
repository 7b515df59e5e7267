"""DNS server that answers every query at once with "no such name".

Without one Docker's own waits, and what asks for a name that is not there waits longer than a
scrape may take.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

PORT = 53
# A response (QR) to a recursive question (RD, RA), of which nothing is known: NXDOMAIN (RFC 1035).
NOTHING_KNOWN = b"\x81\x83"
HEADER_BYTES = 12


@contextlib.contextmanager
def no_names(address: str) -> Iterator[None]:
    """Answers at an address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, PORT))
        thread = threading.Thread(target=_answer, args=[server], daemon=True)
        thread.start()
        try:
            yield
        finally:
            # What it waits in ends only with something to read.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (address, PORT))
            thread.join(5)


def _answer(server: socket.socket) -> None:
    while True:
        question, sender = server.recvfrom(4096)
        if not question:
            return
        # The question as it is, without the additional records (EDNS) that may follow it.
        end = _end_of_question(question)
        counts = b"\0\1" + bytes(6)
        answer = question[:2] + NOTHING_KNOWN + counts + question[HEADER_BYTES:end]
        server.sendto(answer, sender)


def _end_of_question(message: bytes) -> int:
    """Return the end of the first question: length-prefixed labels, type and class."""
    at = HEADER_BYTES
    while at < len(message) and message[at]:
        at += 1 + message[at]
    return at + 5
