# SPDX-License-Identifier: MIT
"""The proxy that causes faults: two sockets, one on each side, see each fault."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from faultproxy import FaultProxy


class Ends:
    """A proxy, and the listening socket to which it connects."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.proxy = FaultProxy(self.listener.getsockname()[1], seed=1)
        self.opened: list[socket.socket] = [self.listener]

    def connect(self) -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=20)
        server, _ = self.listener.accept()
        server.settimeout(20)
        self.opened += [client, server]
        return client, server

    def close(self) -> None:
        self.proxy.stop()
        for opened in self.opened:
            opened.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def read_exactly(end: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (part := end.recv(count - len(got))):
        got += part
    return got


def expect_silence(end: socket.socket) -> None:
    end.settimeout(0.3)
    with pytest.raises(TimeoutError):
        end.recv(1)
    end.settimeout(20)


def test_both_ways_and_in_order(ends: Ends) -> None:
    client, server = ends.connect()
    client.sendall(b"question")
    assert read_exactly(server, 8) == b"question"
    server.sendall(b"answer")
    server.close()
    assert read_exactly(client, 100) == b"answer"
    client.close()
    assert (ends.proxy.connections, ends.proxy.sent, ends.proxy.received) == (1, 8, 6)


def test_cut(ends: Ends) -> None:
    client, server = ends.connect()
    client.sendall(b"x")
    assert read_exactly(server, 1) == b"x"
    assert ends.proxy.cut() == 1
    for end in (client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    ends.connect()


def test_cut_after(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.cut_after(3)
    client.sendall(b"abcdef")
    assert read_exactly(server, 3) == b"abc"
    for end in (client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    client, server = ends.connect()
    client.sendall(b"abcdef")
    assert read_exactly(server, 6) == b"abcdef"


def test_freeze(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.freeze()
    client.sendall(b"abc")
    expect_silence(server)
    server.shutdown(socket.SHUT_WR)
    expect_silence(client)
    ends.proxy.thaw()
    assert read_exactly(server, 3) == b"abc"
    assert client.recv(1) == b""


def test_strand(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.strand()
    client.sendall(b"abc")
    server.sendall(b"abc")
    for end in (client, server):
        expect_silence(end)
    client, server = ends.connect()
    client.sendall(b"abc")
    assert read_exactly(server, 3) == b"abc"


def test_refuse(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ends.proxy.port), timeout=20)
    client.sendall(b"still")
    assert read_exactly(server, 5) == b"still"
    ends.proxy.accept()
    ends.connect()


def test_a_server_that_refuses(ends: Ends) -> None:
    ends.listener.close()
    with pytest.raises(ConnectionResetError):  # of either call: it may come before connect() returns
        with socket.create_connection(("127.0.0.1", ends.proxy.port), timeout=20) as client:
            client.recv(1)


def test_delay(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.delay = 0.3
    start = time.monotonic()
    client.sendall(b"x")
    assert read_exactly(server, 1) == b"x"
    assert time.monotonic() - start >= 0.3


def test_rate(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.rate = 10_000
    start = time.monotonic()
    client.sendall(bytes(5000))
    assert read_exactly(server, 5000) == bytes(5000)
    assert 0.3 < time.monotonic() - start < 5


def parts_of(end: socket.socket, content: bytes) -> int:
    """The count of pieces, in which all bytes arrive in order."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < len(content):
        parts.append(end.recv(len(content)))
    assert b"".join(parts) == content
    return len(parts)


def test_pieces(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.pieces = 1
    content = os.urandom(10000)
    client.sendall(content)
    assert parts_of(server, content) > 1


def test_pieces_from_the_server_only(ends: Ends) -> None:
    client, server = ends.connect()
    ends.proxy.pieces, ends.proxy.whole = 1, True
    content = os.urandom(10000)
    client.sendall(content)
    assert parts_of(server, content) == 1
    server.sendall(content)
    assert parts_of(client, content) > 1
