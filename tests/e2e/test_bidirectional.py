# SPDX-License-Identifier: MIT
"""Dialogues over a stream: both directions at once, poll, and the time to an answer."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import Mount, poll_until
from lab import Lab
from rawpeer import is_kind, payload, result, silence
from server import free_ports

BOTH = os.O_RDWR | os.O_CREAT


@contextlib.contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def dialogue(alice: Mount, bob: Mount) -> Iterator[tuple[int, int]]:
    """One stream, open at both ends for both directions."""
    with opened(alice.contact(bob) / "talk", BOTH) as one:
        with opened(bob.incoming(alice, "talk"), os.O_RDWR) as other:
            yield one, other


def read_exactly(fd: int, length: int) -> bytes:
    got = b""
    while len(got) < length and (part := os.read(fd, length - len(got))):
        got += part
    return got


# ---- talking ----

ASKS = """
exec 3<> "$1"
for number in 1 2 3; do
    echo "question $number" >&3
    read -r answer <&3 && echo "$answer"
done
"""
ANSWERS = """
exec 3<> "$1"
while read -r line <&3; do
    echo "answer to $line" >&3
done
"""


def test_a_dialogue_of_shells(lab: Lab) -> None:
    alice, bob = lab.pair()
    asking = lab.spawn("bash", "-ec", ASKS, "asks", alice.contact(bob) / "talk", text=True)
    path = bob.incoming(alice, "talk")
    poll_until(path.exists, what="the stream")
    answering = lab.spawn("bash", "-ec", ANSWERS, "answers", path, text=True)
    expected = "".join(f"answer to question {n}\n" for n in (1, 2, 3))
    assert asking.communicate(timeout=20) == (expected, "")
    assert answering.communicate(timeout=20) == ("", "")
    assert (asking.returncode, answering.returncode) == (0, 0)


def test_both_directions_at_once(lab: Lab) -> None:
    alice, bob = lab.pair("window=64K,buffer=64K", "window=64K,buffer=64K")
    there, back = os.urandom(700000), os.urandom(600000)
    with dialogue(alice, bob) as (one, other):
        writers = [lab.background(write_all, one, there), lab.background(write_all, other, back)]
        readers = [
            lab.background(read_exactly, other, len(there)),
            lab.background(read_exactly, one, len(back)),
        ]
        assert [reader.result(60) for reader in readers] == [there, back]
        assert [writer.result(20) for writer in writers] == [None, None]


def write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content[:100000]) :]


def test_what_nobody_reads_is_refused(lab: Lab) -> None:
    """Alice's file is only written. Bob's reply cannot be delivered, so his write fails and his
    stream is broken. His reader sees that, and so does Alice in the answer to her <close/>."""
    alice, bob = lab.pair()
    writer = os.open(alice.contact(bob) / "talk", os.O_WRONLY | os.O_CREAT)
    os.write(writer, b"take this")
    os.fsync(writer)
    there = os.open(bob.incoming(alice, "talk"), os.O_RDWR)
    assert os.read(there, 100) == b"take this"
    os.write(there, b"and you that")
    with pytest.raises(ConnectionResetError):
        os.fsync(there)
    with pytest.raises(ConnectionResetError):
        os.close(there)
    with pytest.raises(ConnectionResetError):
        os.close(writer)


def test_who_closes_first_still_gets_what_was_written(lab: Lab) -> None:
    """XEP-0047 section 2.3: the other side may flush before it answers <close/>."""
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    content = os.urandom(20000)
    fd = os.open(mount.incoming(peer, "s1"), os.O_RDWR)
    peer.rules["data"] = silence
    os.write(fd, content)
    first = peer.wait_for(is_kind("data"))
    closing = lab.background(peer.close, mount.jid, "s1")
    assert os.read(fd, 100) == b""
    with pytest.raises(ConnectionResetError):
        os.write(fd, b"too late")
    assert not closing.done()
    peer.rules["data"] = lambda _peer, stanza: result(stanza)
    for stanza in peer.find(is_kind("data")):
        peer.send(result(stanza))
    assert closing.result(20).get("type") == "result"
    assert payload(first).get("sid") == "s1"
    assert peer.received("s1") == content
    os.fsync(fd)
    with pytest.raises(ConnectionResetError):
        os.close(fd)  # not everything was written


# ---- socat ----


def serve_once(listener: socket.socket, reply: bytes) -> bytes:
    """Like HTTP: a request with its length, an answer, the end."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        length = int(stream.readline())
        request = stream.read(length)
        connection.sendall(b"%d\n" % len(reply) + reply)
    return request


def connect(port: int) -> socket.socket | None:
    with contextlib.suppress(ConnectionRefusedError):
        return socket.create_connection(("127.0.0.1", port), timeout=60)
    return None


@pytest.mark.parametrize("stanza", ["iq", "message"])
def test_socat_at_both_ends(lab: Lab, stanza: str) -> None:
    """TCP, a stream, TCP. Both socats end by themselves. Messages have no flow control, so the
    buffer has room for all bytes: the reader may be slower."""
    alice, bob = lab.pair(f"stanza={stanza},buffer=4M")
    request, reply = os.urandom(2 * 1024 * 1024), os.urandom(3 * 1024 * 1024)
    (port,) = free_ports(1)
    near = lab.spawn(
        "socat",
        f"TCP-LISTEN:{port},bind=127.0.0.1",
        f"OPEN:{alice.contact(bob)}/tunnel,rdwr,creat",
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = lab.background(serve_once, listener, reply)
        client = poll_until(lambda: connect(port), what="socat listening")
        tunnel = bob.incoming(alice, "tunnel")
        poll_until(tunnel.exists, what="the tunnel")
        service = f"TCP:127.0.0.1:{listener.getsockname()[1]}"
        far = lab.spawn("socat", f"OPEN:{tunnel},rdwr", service)
        with client, client.makefile("rb") as answer:
            client.sendall(b"%d\n" % len(request) + request)
            length = int(answer.readline())
            assert answer.read(length) == reply
            assert answer.read() == b""
        assert served.result(20) == request
    for process in (far, near):
        assert process.communicate(timeout=20) == (b"", b"")
        assert process.returncode == 0


# ---- waiting, with a limit ----


def by_poll(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def by_select(fd: int, seconds: float) -> bool:
    return select.select([fd], [], [], seconds) != ([], [], [])


def by_epoll(fd: int, seconds: float) -> bool:
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN)
        return bool(epoll.poll(seconds))


@pytest.mark.parametrize("wait", [by_poll, by_select, by_epoll])
@pytest.mark.parametrize("what", ["stream", "dialogue", "incoming", "next"])
def test_a_wait_with_a_limit_ends_in_time(
    lab: Lab, what: str, wait: Callable[[int, float], bool]
) -> None:
    mount, peer = lab.with_raw()
    if what == "stream":
        peer.open(mount.jid, "s1")
    paths = {
        "stream": (mount.incoming(peer, "s1"), os.O_RDONLY),
        "dialogue": (mount.contact(peer) / "talk", BOTH),
        "incoming": (mount.path / "incoming", os.O_RDONLY),
        "next": (mount.incoming(peer), os.O_RDONLY),
    }
    with opened(*paths[what]) as fd:
        began = time.monotonic()
        assert lab.background(wait, fd, 0.3).result(20) is False
        took = time.monotonic() - began
        assert 0.3 <= took < 2, f"{took:.2f} s"
        assert wait(fd, 0) is False
        # The mount still answers.
        waiting = lab.background(wait, fd, 20)
        if what != "stream" and what != "dialogue":
            peer.open(mount.jid, "s2")
        sid = {"stream": "s1", "dialogue": ""}.get(what, "s2")
        sid = sid or payload(peer.wait_open()).get("sid")
        peer.data(mount.jid, sid, 0, b"x")
        assert waiting.result(20) is True


# ---- epoll ----


@contextlib.contextmanager
def watched(fd: int, events: int) -> Iterator[Callable[[float], int]]:
    """Returns a function that waits for events and returns them; 0 after a timeout."""
    with select.epoll() as epoll:
        epoll.register(fd, events)

        def wait(seconds: float) -> int:
            found = epoll.poll(seconds)
            return found[0][1] if found else 0

        yield wait


def test_epoll_level_triggered(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    with opened(mount.incoming(peer, "s1"), os.O_RDONLY) as fd, watched(fd, select.EPOLLIN) as wait:
        assert wait(0) == 0
        peer.data(mount.jid, "s1", 0, b"content")
        assert wait(10) == select.EPOLLIN
        assert os.read(fd, 3) == b"con"
        assert wait(10) == select.EPOLLIN, "there is still something to read"
        assert os.read(fd, 100) == b"tent"
        assert wait(0) == 0
        peer.close(mount.jid, "s1")
        assert wait(10) & select.EPOLLHUP
        assert os.read(fd, 100) == b""


def test_epoll_edge_triggered(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    with opened(mount.incoming(peer, "s1"), os.O_RDONLY | os.O_NONBLOCK) as fd:
        with watched(fd, select.EPOLLIN | select.EPOLLET) as wait:
            assert wait(0) == 0
            for seq in range(5):
                peer.data(mount.jid, "s1", seq, b"content")
                assert wait(10) == select.EPOLLIN
                assert wait(0) == 0, "told twice of the same"
                assert os.read(fd, 100) == b"content"
                with pytest.raises(BlockingIOError):
                    os.read(fd, 100)
            peer.close(mount.jid, "s1")
            assert wait(10) & select.EPOLLHUP
            assert os.read(fd, 100) == b""


@pytest.mark.parametrize("edge", [0, select.EPOLLET], ids=["level", "edge"])
def test_epoll_for_writing(lab: Lab, edge: int) -> None:
    mount, peer = lab.with_raw("window=64K")
    with opened(mount.contact(peer) / "file", os.O_WRONLY | os.O_CREAT) as fd:
        peer.rules["data"] = silence
        os.set_blocking(fd, False)
        with watched(fd, select.EPOLLOUT | edge) as wait:
            assert wait(10) == select.EPOLLOUT
            written = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    written += os.write(fd, b"x" * 16384)
            assert wait(0) == 0, "the window is full"
            peer.rules["data"] = lambda _peer, stanza: result(stanza)
            for stanza in peer.find(is_kind("data")):
                peer.send(result(stanza))
            assert wait(10) == select.EPOLLOUT
            assert os.write(fd, b"more") == 4
        os.set_blocking(fd, True)
        os.fsync(fd)
        sid = payload(peer.wait_open()).get("sid")
        assert peer.received(sid) == b"x" * written + b"more"


@pytest.mark.parametrize("edge", [0, select.EPOLLET], ids=["level", "edge"])
def test_epoll_tells_of_an_error(lab: Lab, edge: int) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    with opened(mount.incoming(peer, "s1"), os.O_RDONLY) as fd:
        with watched(fd, select.EPOLLIN | edge) as wait:
            assert wait(0) == 0
            peer.drop()
            assert wait(10) & select.EPOLLERR
        with pytest.raises(ConnectionResetError):
            os.read(fd, 100)


def test_a_writer_is_told_of_an_error(lab: Lab) -> None:
    mount, peer = lab.with_raw("window=64K")
    fd = os.open(mount.contact(peer) / "file", os.O_WRONLY | os.O_CREAT)
    peer.rules["data"] = silence
    os.set_blocking(fd, False)
    with watched(fd, select.EPOLLOUT) as wait:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fd, b"x" * 16384)
        assert wait(0) == 0
        peer.drop()
        assert wait(10) & select.EPOLLERR
    with pytest.raises(ConnectionResetError):
        os.write(fd, b"x")
    with pytest.raises(ConnectionResetError):
        os.close(fd)


# ---- O_NONBLOCK ----


def test_nonblocking_next(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    with opened(mount.incoming(peer), os.O_RDONLY | os.O_NONBLOCK) as fd:
        with pytest.raises(BlockingIOError):
            os.read(fd, 100)
        peer.open(mount.jid, "s1")
        with pytest.raises(BlockingIOError):
            os.read(fd, 100)
        peer.data(mount.jid, "s1", 0, b"content")
        assert by_poll(fd, 10)
        assert os.read(fd, 100) == b"content"
        with pytest.raises(BlockingIOError):
            os.read(fd, 100)
        peer.close(mount.jid, "s1")
        assert by_poll(fd, 10)
        assert os.read(fd, 100) == b""


def test_nonblocking_dialogue(lab: Lab) -> None:
    alice, bob = lab.pair()
    with dialogue(alice, bob) as (one, other):
        for fd in (one, other):
            os.set_blocking(fd, False)
            with pytest.raises(BlockingIOError):
                os.read(fd, 100)
        for source, target in ((one, other), (other, one)):
            assert os.write(source, b"hello") == 5
            assert by_poll(target, 10)
            assert os.read(target, 100) == b"hello"


def test_nonblocking_open_does_not_wait_for_the_peer(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.rules["open"] = silence
    fd = os.open(mount.contact(peer) / "file", os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)
    assert os.write(fd, b"content") == 7
    stanza = peer.wait_open()
    peer.send(result(stanza))
    os.fsync(fd)
    os.close(fd)
    assert peer.received(payload(stanza).get("sid")) == b"content"


# ---- how soon an answer comes ----

TRIPS = 100


def test_a_byte_leaves_at_once(lab: Lab) -> None:
    """Nagle's rule: each write is a block of its own, even without a flush or a further write.

    scripts/bench compares the time with that of bare sockets.
    """
    mount, peer = lab.with_raw()
    with opened(mount.contact(peer) / "talk", BOTH) as fd:
        sid = payload(peer.wait_open()).get("sid")
        for trip in range(TRIPS):
            assert os.write(fd, b"?") == 1
            block = payload(peer.wait_for(is_kind("data"), count=trip + 1))
            assert (block.get("seq"), block.text) == (str(trip), "Pw==")
            peer.data(mount.jid, sid, trip, b"!")
            assert os.read(fd, 1) == b"!"


def test_a_dialogue_beside_a_copy(lab: Lab) -> None:
    """They share the connection: the dialogue does not wait for the end of the copy."""
    alice, bob = lab.pair()
    with dialogue(alice, bob) as (one, other):
        copy = lab.spawn("cp", lab.random_file(64 * 1024 * 1024), alice.contact(bob))
        reader = lab.spawn("cat", bob.incoming(alice), stdout=subprocess.DEVNULL)
        arriving = bob.incoming(alice, "random")
        poll_until(arriving.exists, what="the copy")
        for _ in range(TRIPS):
            for source, target in ((one, other), (other, one)):
                os.write(source, b"word")
                assert read_exactly(target, 4) == b"word"
        assert copy.poll() is None, "the copy was over first"
        copy.kill()
        copy.wait(20)
        reader.wait(20)
