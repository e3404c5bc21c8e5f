# SPDX-License-Identifier: MIT
"""stanza=message: sending, receiving, and the failures of blocks that have no answer."""

from __future__ import annotations

import base64
import errno
import os
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from daemon import poll_until
from lab import Lab, wait_blocked
from rawpeer import (
    NS_CLIENT,
    NS_IBB,
    NS_IBBFS,
    NS_INFO,
    NS_PING,
    NS_STANZAS,
    RawPeer,
    Stanza,
    accept,
    answer_info,
    is_kind,
    payload,
    result,
    silence,
)
from slixpeer import SlixPeer

pytestmark = pytest.mark.federated

MESSAGE = f"{{{NS_CLIENT}}}message"
WRITE = os.O_WRONLY | os.O_CREAT


def use_messages(lab: Lab, folder: Path) -> None:
    done = lab.run("setfattr", "-n", "user.ibb.stanza", "-v", "message", folder)
    assert (done.returncode, done.stderr) == (0, "")


def send_message(peer: RawPeer, to: str, sid: str, seq: int, block: bytes) -> None:
    text = base64.b64encode(block).decode()
    peer.send(
        f"<message to={quoteattr(to)} id='m{seq}'>"
        f"<data xmlns='{NS_IBB}' sid={quoteattr(sid)} seq='{seq}'>{text}</data></message>"
    )


def data_tags(peer: RawPeer) -> set[str]:
    return {stanza.tag for stanza in peer.find(is_kind("data"))}


# ---- sending and receiving ----


@pytest.mark.parametrize("per", ["mount", "directory"])
def test_between_two_mounts(lab: Lab, per: str) -> None:
    alice, bob = lab.pair("stanza=message" if per == "mount" else "")
    if per == "directory":
        use_messages(lab, alice.contact(bob))
    path = lab.random_file(1500000)
    copy = lab.spawn("cp", path, alice.contact(bob))
    poll_until(bob.incoming(alice, path.name).exists, what="the stream")
    assert os.getxattr(bob.incoming(alice, path.name), "user.ibb.stanza") == b"message"
    assert bob.incoming(alice, path.name).read_bytes() == path.read_bytes()
    assert copy.wait(20) == 0


def test_what_leaves_is_messages(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    use_messages(lab, mount.contact(peer))
    path = lab.random_file(50000)
    assert lab.run("cp", path, mount.contact(peer)).returncode == 0
    opened = payload(peer.wait_open())
    assert opened.get("stanza") == "message"
    peer.wait_for(is_kind("close"))
    assert peer.received(opened.get("sid")) == path.read_bytes()
    assert data_tags(peer) == {MESSAGE}


def test_one_directory_only(lab: Lab) -> None:
    first, second, third = lab.accounts("alice", "bob", "carol")
    mount = lab.mount(first)
    peers = [lab.raw(second), lab.raw(third)]
    for peer in peers:
        mount.wait_online(peer.jid)
    use_messages(lab, mount.contact(peers[0]))
    for peer in peers:
        assert lab.run("cp", lab.random_file(9000), mount.contact(peer)).returncode == 0
        peer.wait_for(is_kind("close"))
    assert [data_tags(peer) for peer in peers] == [{MESSAGE}, {f"{{{NS_CLIENT}}}iq"}]


def test_both_ways_in_messages(lab: Lab) -> None:
    """The side that accepts sends its blocks in the stanza that the stream was opened with."""
    alice, bob = lab.pair("stanza=message", "stanza=iq")
    one = os.open(alice.contact(bob) / "talk", os.O_RDWR | os.O_CREAT)
    other = os.open(bob.incoming(alice, "talk"), os.O_RDWR)
    for message in (b"hello", b"x" * 10000):
        os.write(one, message)
        assert read_exactly(other, len(message)) == message
        os.write(other, message.upper())
        assert read_exactly(one, len(message)) == message.upper()
    assert os.getxattr(bob.incoming(alice, "talk"), "user.ibb.stanza") == b"message"
    os.fsync(other)  # unconfirmed messages may be lost when the other side closes
    os.close(one)
    assert os.read(other, 100) == b""
    os.close(other)


def read_exactly(fd: int, length: int) -> bytes:
    got = b""
    while len(got) < length and (part := os.read(fd, length - len(got))):
        got += part
    return got


def test_to_slixmpp(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp("stanza=message")
    path = lab.random_file(30000)
    assert lab.run("cp", path, mount.contact(peer)).returncode == 0
    assert peer.received.get(timeout=20) == path.read_bytes()
    assert 'stanza="message"' in peer.opens[0]


def test_from_slixmpp(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp()
    content = os.urandom(30000)
    sid = slixmpp_sends_messages(peer, mount.jid, content)
    path = mount.incoming(peer, sid)
    assert os.getxattr(path, "user.ibb.stanza") == b"message"
    assert path.read_bytes() == content


def slixmpp_sends_messages(peer: SlixPeer, to: str, content: bytes) -> str:
    async def send() -> str:
        stream = await peer.client["xep_0047"].open_stream(to, block_size=4096, use_messages=True)
        await stream.sendall(content)
        await stream.close()
        return stream.sid

    return peer.call(send())


# ---- what goes wrong ----


class Bouncer(RawPeer):
    """Accepts a stream; then every block bounces because the peer is offline."""

    def _receive(self) -> None:
        while (stanza := self._next_element()) is not None:
            if stanza.tag == MESSAGE:
                self.send(bounced(stanza))
            elif is_kind("open")(stanza):
                self.send(accept(self, stanza))
            elif is_kind("info")(stanza) and not self.stanzas:
                self.stanzas.append(stanza)  # later ones ask whether the blocks have arrived
                self.send(answer_info(self, stanza))


def bounced(stanza: Stanza) -> str:
    data = payload(stanza)
    return (
        f"<message type='error' to={quoteattr(stanza.get('from'))}"
        f" id={quoteattr(stanza.get('id'))}>"
        f"<data xmlns='{NS_IBB}' sid={quoteattr(data.get('sid'))} seq='{data.get('seq')}'/>"
        f"<error type='cancel'><recipient-unavailable xmlns='{NS_STANZAS}'/></error></message>"
    )


def test_a_bounced_message_breaks_the_stream(lab: Lab) -> None:
    first, second = lab.accounts("alice", "bob")
    mount = lab.mount(first, "stanza=message")
    home = lab.server_of(second)
    peer = Bouncer(second, home.direct_port, home.cafile)
    mount.wait_online(peer.jid)
    source = lab.random_file(100)
    copy = lab.run("cp", source, mount.contact(peer))
    peer.stop()
    assert copy.returncode == 1
    assert copy.stderr.endswith(f": {os.strerror(errno.ECONNRESET)}\n")


def test_a_peer_that_has_gone(lab: Lab) -> None:
    """Its server bounces messages that come too late."""
    mount, peer = lab.with_raw("stanza=message", features=(NS_INFO, NS_PING, NS_IBB))
    fd = os.open(mount.contact(peer) / "file", WRITE)
    os.write(fd, b"x" * 100)
    peer.wait_for(is_kind("data"))
    peer.drop()
    with pytest.raises(ConnectionResetError):
        while True:
            os.write(fd, b"x" * 100)
            os.fsync(fd)
    with pytest.raises(ConnectionResetError):
        os.close(fd)


@pytest.mark.parametrize("sender", ["ibbfs", "raw"])
def test_a_reader_that_does_not_read(lab: Lab, sender: str) -> None:
    """Messages have no back-pressure: bytes that do not fit end the stream, at both ends."""
    if sender == "ibbfs":
        alice, bob = lab.pair("stanza=message,window=1M", "buffer=64K")
        copy = lab.run("cp", lab.random_file(3000000), alice.contact(bob))
        assert copy.returncode == 1
        assert os.strerror(errno.ECONNRESET) in copy.stderr
        path = bob.incoming(alice, "random")
    else:
        bob, peer = lab.with_raw("buffer=64K")
        peer.open(bob.jid, "s1", stanza="message")
        for seq in range(200):
            send_message(peer, bob.jid, "s1", seq, bytes(4096))
        peer.wait_for(is_kind("close"))
        path = bob.incoming(peer, "s1")
    expect_reset(path)


def expect_reset(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(ConnectionResetError):
        while os.read(fd, 65536):
            pass
        pytest.fail("a stream that was cut short ended as if it were whole")
    os.close(fd)


def test_a_lost_message_breaks_the_stream(lab: Lab) -> None:
    bob, peer = lab.with_raw()
    peer.open(bob.jid, "s1", stanza="message")
    send_message(peer, bob.jid, "s1", 0, b"first")
    send_message(peer, bob.jid, "s1", 2, b"third")
    peer.wait_for(is_kind("close"))
    fd = os.open(bob.incoming(peer, "s1"), os.O_RDONLY)
    assert os.read(fd, 100) == b"first"
    with pytest.raises(OSError) as failure:
        os.read(fd, 100)
    assert failure.value.errno == errno.EPROTO
    os.close(fd)


# ---- delivery ----

QUESTIONS = [("info", (NS_INFO, NS_PING, NS_IBB)), ("ping", (NS_INFO, NS_PING, NS_IBB, NS_IBBFS))]


@pytest.mark.parametrize("question, features", QUESTIONS, ids=["info", "ping"])
def test_close_waits_for_delivery(lab: Lab, question: str, features: tuple[str, ...]) -> None:
    mount, peer = lab.with_raw("stanza=message", features=features)
    source = lab.random_file(100)
    assert lab.run("cp", source, mount.contact(peer)).returncode == 0  # features are known now
    before = len(peer.find(is_kind(question)))
    peer.rules[question] = silence
    copy = lab.spawn("cp", source, mount.contact(peer))
    asked = peer.wait_for(is_kind(question), count=before + 1)
    wait_blocked(copy.pid)
    peer.send(result(asked))
    assert copy.wait(20) == 0


@pytest.mark.parametrize("question, features", QUESTIONS, ids=["info", "ping"])
def test_delivery_that_is_never_confirmed(
    lab: Lab, question: str, features: tuple[str, ...]
) -> None:
    mount, peer = lab.with_raw("stanza=message,timeout=2", features=features)
    fd = os.open(mount.contact(peer) / "file", WRITE)
    peer.rules[question] = silence
    os.write(fd, b"x" * 100)
    with pytest.raises(TimeoutError):
        os.close(fd)
    peer.wait_for(is_kind("close"))


@pytest.mark.parametrize("question, features", QUESTIONS, ids=["info", "ping"])
def test_what_is_lost_with_its_question(
    lab: Lab, question: str, features: tuple[str, ...]
) -> None:
    """The peer was offline for a moment. Its answers to later questions say nothing of it."""
    mount, peer = lab.with_raw("stanza=message,timeout=2", features=features)
    fd = os.open(mount.contact(peer) / "file", WRITE)
    before = len(peer.find(is_kind(question)))
    answers = peer.rules[question]
    peer.rules[question] = silence
    os.write(fd, b"lost")
    peer.wait_for(is_kind(question), count=before + 1)
    peer.rules[question] = answers
    os.write(fd, b"not lost")
    with pytest.raises((TimeoutError, ConnectionResetError)):
        os.fsync(fd)
    with pytest.raises((TimeoutError, ConnectionResetError)):
        os.close(fd)
