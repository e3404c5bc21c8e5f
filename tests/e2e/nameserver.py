# SPDX-License-Identifier: MIT
"""A name server on loopback that knows where a few XMPP servers are, and of nobody else.

All are at localhost, a name that every resolver knows by itself: Erlang, for one, asks us only for
SRV records, and the system for addresses.
"""

from __future__ import annotations

import socket
import struct
import threading

SRV = 33
NOT_FOUND = 3
ANSWER = 0x8180  # a response, recursion desired and available


def encoded(name: str) -> bytes:
    """RFC 1035 section 3.1."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return labels + b"\0"


class NameServer:
    def __init__(self, port: int = 0) -> None:
        self._records: dict[str, bytes] = {}  # SRV records
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def add_server(self, host: str, s2s_port: int) -> None:
        """Others find the XMPP server of `host` at that port of localhost."""
        record = struct.pack("!HHH", 0, 0, s2s_port) + encoded("localhost")
        self._records[f"_xmpp-server._tcp.{host}"] = record

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(4096)
            if not query:
                return
            self._socket.sendto(self._answer(query), sender)

    def _answer(self, query: bytes) -> bytes:
        """RFC 1035 section 4.1: header, the question again, at most one answer."""
        labels = []
        at = 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode().lower())
            at += 1 + length
        (kind,) = struct.unpack_from("!H", query, at + 1)
        question = query[12 : at + 5]
        record = self._records.get(".".join(labels)) if kind == SRV else None
        flags, count = (ANSWER | NOT_FOUND, 0) if record is None else (ANSWER, 1)
        header = query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0)
        if record is None:
            return header + question
        same_name = b"\xc0\x0c"
        return header + question + same_name + struct.pack("!HHIH", SRV, 1, 1, len(record)) + record
