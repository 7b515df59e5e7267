"""DNS names that a container looks up and addresses that it connects to."""

from __future__ import annotations

import socket
import struct
import sys
import time

ETHERNET, DNS_HEADER = 14, 12
TCP, UDP = 6, 17
QUERY_MASK, SYN, ACK = 0xF800, 0x02, 0x10


def listen(seconds: float) -> None:
    """Prints each name that is looked up and each address that is called, as `name N`, `call A`.

    Runs in the network namespace of the container; nothing else is there to be heard.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3)) as heard:
        heard.settimeout(0.5)
        end = time.monotonic() + seconds
        print("listening", flush=True)
        while time.monotonic() < end:
            try:
                frame = heard.recv(65535)
            except TimeoutError:
                continue
            if line := described(frame):
                print(line, flush=True)


def described(frame: bytes) -> str | None:
    """Describe a DNS query or the first packet of a TCP connection, over IPv4."""
    packet = frame[ETHERNET:]
    if frame[12:14] != b"\x08\x00" or len(packet) < 20:
        return None
    payload = packet[4 * (packet[0] & 0x0F) :]
    if packet[9] == UDP:
        name = question(payload[8:])
        return f"name {name}" if name else None
    if packet[9] == TCP and len(payload) > 13 and payload[13] & (SYN | ACK) == SYN:
        return f"call {socket.inet_ntoa(packet[16:20])}"
    return None


def question(message: bytes) -> str | None:
    """Return the name that a DNS query asks for (RFC 1035, 4.1), or None for other packets."""
    if len(message) <= DNS_HEADER:
        return None
    flags, questions, answers = struct.unpack("!HHH", message[2:8])
    if flags & QUERY_MASK or (questions, answers) != (1, 0):
        return None
    labels, at = [], DNS_HEADER
    while at < len(message) and (length := message[at]):
        label = message[at + 1 : at + 1 + length]
        if length > 63 or len(label) < length or not label.isascii():
            return None
        labels.append(label.decode())
        at += 1 + length
    return ".".join(labels).lower() or None


if __name__ == "__main__":
    listen(float(sys.argv[1]))
