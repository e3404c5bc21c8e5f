# SPDX-License-Identifier: MIT
"""A name server on loopback that knows only the records that a test has set."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass

A = 1
AAAA = 28
SRV = 33
NOT_FOUND = 3
ANSWER = 0x8180  # a response, recursion desired and available
MAX_DATAGRAM = 65507


def encoded(name: str) -> bytes:
    """RFC 1035 section 3.1."""
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


@dataclass(frozen=True)
class Question:
    name: str
    kind: int
    text: bytes  # as it was asked


def parse_question(query: bytes) -> Question:
    """RFC 1035 section 4.1.2."""
    labels = []
    at = 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return Question(".".join(labels), kind, query[12 : at + 5])


class NameServer:
    """Names without any record do not exist. Queries in `silent` get no answer. `raw`
    has whole answers to queries for SRV records, without the id."""

    def __init__(self, port: int = 0) -> None:
        self._records: dict[str, list[tuple[int, bytes]]] = {}
        self.silent: set[tuple[str, int]] = set()  # of those, SRV and so on are not answered
        self.is_silent = False
        self.raw: dict[str, bytes] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    # ---- what it knows ----

    def forget(self) -> None:
        self._records, self.silent, self.raw = {}, set(), {}
        self.is_silent = False

    def add_srv(
        self, name: str, host: str, port: int, priority: int = 0, weight: int = 0
    ) -> None:
        data = struct.pack("!HHH", priority, weight, port) + encoded(host)
        self._records.setdefault(name, []).append((SRV, data))

    def add_address(self, name: str, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = AAAA if ":" in address else A
        data = socket.inet_pton(family, address)
        self._records.setdefault(name, []).append((kind, data))

    def add_name(self, name: str) -> None:
        """The name exists, and has no records."""
        self._records.setdefault(name, [])

    def add_server(self, host: str, s2s_port: int) -> None:
        """Others find the XMPP server of `host` at that port of localhost, which is a name that
        every resolver knows by itself: Erlang, for one, asks us only for SRV records, and the
        system for addresses."""
        self.add_srv(f"_xmpp-server._tcp.{host}", "localhost", s2s_port)

    # ---- what it says ----

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
            question = parse_question(query)
            if not self.is_silent and (question.name, question.kind) not in self.silent:
                self._socket.sendto(self._answer(query[:2], question)[:MAX_DATAGRAM], sender)

    def _answer(self, number: bytes, question: Question) -> bytes:
        """RFC 1035 section 4.1: header, the question again, the answers."""
        if question.name in self.raw and question.kind == SRV:
            return number + self.raw[question.name]
        known = self._records.get(question.name)
        records = [data for kind, data in known or [] if kind == question.kind]
        flags = ANSWER | NOT_FOUND if known is None else ANSWER
        return number + message(flags, question, records)


def message(flags: int, question: Question, records: list[bytes]) -> bytes:
    """Without the id."""
    same_name = b"\xc0\x0c"
    answers = b"".join(
        same_name + struct.pack("!HHIH", question.kind, 1, 1, len(data)) + data for data in records
    )
    return struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question.text + answers
