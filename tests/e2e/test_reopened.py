# SPDX-License-Identifier: MIT
"""A first block that a server does not carry to another client: another session takes its place."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import jinglepeer
from daemon import KIBIBYTE, Mount, poll_until
from lab import Lab
from prosody import OWN_MODULES
from rawpeer import NS_IBB, RawPeer, Stanza, is_kind, payload, result
from slixpeer import SlixPeer
from test_limits import SHORT_STANZAS, LimitedLab

LONGEST_BASE64 = 30_000  # 16383 bytes pass
LONG_BLOCKS = {"max_block_size": 65535}


def not_carried(how: str, longest_base64: int = LONGEST_BASE64) -> dict[str, Any]:
    """A Prosody that goes on without long blocks."""
    return {
        "modules": ("long_stanzas",),
        "settings": f'long_stanzas = "{how}"\nlong_stanzas_limit = {longest_base64}\n'
        + OWN_MODULES,
    }


def get(path: Path, name: str) -> str:
    return os.getxattr(path, f"user.ibb.{name}").decode()


def cp(lab: Lab, source: Path, target: Path) -> subprocess.CompletedProcess:
    return lab.run("cp", source, target)


def expect_file(lab: Lab, mount: Mount, peer: SlixPeer, *, sessions: int, block_size: int) -> None:
    """Copies a file. The peer sees every session but the last one end without a byte."""
    before = len(peer.opens)
    source, target = lab.random_file(100 * KIBIBYTE), mount.contact(peer.jid) / "f"
    done = cp(lab, source, target)
    assert done.returncode == 0, done.stderr
    seen = [peer.received.get(timeout=10) for _ in range(sessions)]
    assert seen == [b""] * (sessions - 1) + [source.read_bytes()]
    assert len(peer.opens) - before == sessions
    poll_until(lambda: peer.open_streams() == 0, what="the end of all sessions")
    assert f'sid="{get(target, "sid")}"' in peer.opens[-1]
    assert get(target, "block_size") == str(block_size)


@pytest.mark.once
def test_connection_that_the_server_ends(limited_lab: LimitedLab) -> None:
    lab = limited_lab(**SHORT_STANZAS)
    mount, peer = lab.with_slixmpp("block_size=65535", **LONG_BLOCKS)
    expect_file(lab, mount, peer, sessions=3, block_size=4096)
    expect_file(lab, mount, peer, sessions=1, block_size=4096)


@pytest.mark.parametrize("stanza", ["iq", "message"])
def test_block_that_is_answered_with_an_error(limited_lab: LimitedLab, stanza: str) -> None:
    lab = limited_lab(**not_carried("error"))
    mount, peer = lab.with_slixmpp(f"block_size=65535,stanza={stanza}", **LONG_BLOCKS)
    expect_file(lab, mount, peer, sessions=2, block_size=16383)
    expect_file(lab, mount, peer, sessions=1, block_size=16383)


@pytest.mark.once
def test_block_that_is_dropped(limited_lab: LimitedLab) -> None:
    lab = limited_lab(**not_carried("silence"))
    mount, peer = lab.with_slixmpp("block_size=65535", **LONG_BLOCKS)
    expect_file(lab, mount, peer, sessions=2, block_size=16383)
    expect_file(lab, mount, peer, sessions=1, block_size=16383)


@pytest.mark.once
def test_block_after_one_that_has_passed(limited_lab: LimitedLab) -> None:
    """The peer has bytes of this session, so the stream ends with an error. The next one has
    shorter blocks."""
    lab = limited_lab(**not_carried("error"))
    mount, peer = lab.with_slixmpp("block_size=65535", **LONG_BLOCKS)
    file = os.open(mount.contact(peer.jid) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(file, b"short")
    os.fsync(file)
    os.write(file, bytes(65535))
    with pytest.raises(PermissionError):
        os.close(file)
    assert peer.received.get(timeout=10) == b"short"
    expect_file(lab, mount, peer, sessions=1, block_size=16383)


@pytest.mark.once
def test_last_message_that_is_dropped(limited_lab: LimitedLab) -> None:
    """Messages have no answers: the receiver knows by the end of the stream, and says so."""
    lab = limited_lab(**not_carried("silence"))
    alice, bob = lab.pair("stanza=message,block_size=65535", "block_size=65535")
    file = os.open(alice.contact(bob) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(file, b"short")
    os.fsync(file)
    reader = os.open(bob.incoming(alice, "f"), os.O_RDONLY)
    assert os.read(reader, 100) == b"short"
    os.write(file, bytes(65535))
    with pytest.raises(ConnectionResetError):
        os.close(file)
    with pytest.raises(ConnectionResetError):
        os.read(reader, 100)
    os.close(reader)


NS_SI = "http://jabber.org/protocol/si"
ACCEPTED = (
    f"<si xmlns='{NS_SI}'><feature xmlns='http://jabber.org/protocol/feature-neg'>"
    "<x xmlns='jabber:x:data' type='submit'>"
    f"<field var='stream-method'><value>{NS_IBB}</value></field></x></feature></si>"
)


def accept_offer(_peer: RawPeer, stanza: Stanza) -> str:
    return result(stanza, ACCEPTED)


@pytest.mark.once
def test_offered_file(limited_lab: LimitedLab) -> None:
    """An offer names its only session, so the stream ends with an error. The next offer has shorter
    blocks."""
    lab = limited_lab(**not_carried("error"))
    mount, peer = lab.with_raw(f"spool={lab.folder}/spool,block_size=65535")
    peer.rules["other"] = accept_offer
    os.setxattr(mount.contact(peer), "user.ibb.format", b"si")
    source = lab.random_file(100 * KIBIBYTE)
    done = cp(lab, source, mount.contact(peer) / "f")
    assert done.returncode == 1 and "Permission denied" in done.stderr
    assert len(peer.find(is_kind("open"))) == 1
    assert cp(lab, source, mount.contact(peer) / "f").returncode == 0
    first, last = peer.find(is_kind("open"))
    assert peer.received(payload(first).get("sid")) == b""
    assert peer.received(payload(last).get("sid")) == source.read_bytes()


@pytest.mark.once
@pytest.mark.parametrize(
    "how, error", [("error", "Permission denied"), ("silence", "Connection timed out")]
)
def test_file_offered_by_jingle(limited_lab: LimitedLab, how: str, error: str) -> None:
    """Likewise; an offer by Jingle has blocks of 8192 bytes, and names their size, too."""
    lab = limited_lab(**not_carried(how, 10_000))
    options = f"spool={lab.folder}/spool,block_size=65535,timeout=10"
    mount, peer = lab.with_raw(options, features=jinglepeer.FEATURES)
    jinglepeer.accept_offers(peer)
    source = lab.random_file(12 * 8192)  # no block is shorter
    done = cp(lab, source, mount.contact(peer) / "f")
    assert done.returncode == 1 and error in done.stderr
    assert len(peer.find(is_kind("open"))) == 1
    peer.wait_for(jinglepeer.is_action("session-terminate"))
    done = cp(lab, source, mount.contact(peer) / "f")
    assert done.returncode == 0, done.stderr
    first, last = map(payload, peer.find(is_kind("open")))
    assert (first.get("block-size"), last.get("block-size")) == ("8192", "4096")
    assert peer.received(first.get("sid")) == b""
    assert peer.received(last.get("sid")) == source.read_bytes()


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.timeout(200)
def test_jabberd2(jabberd2_lab: Lab) -> None:
    """After a stanza that is too long, the server carries nothing more of this connection, and does
    not end it. ibbfs connects again when no ping was answered for 20 s."""
    lab = jabberd2_lab
    mount, peer = lab.with_raw("block_size=65535")
    source = lab.random_file(100 * KIBIBYTE)
    done = cp(lab, source, mount.contact(peer) / "f")
    assert done.returncode == 0, done.stderr
    first, last = (payload(stanza).get("sid") for stanza in peer.find(is_kind("open")))
    assert peer.received(first) == b""
    assert peer.received(last) == source.read_bytes()
    assert [payload(stanza).get("sid") for stanza in peer.find(is_kind("close"))][:1] == [first]
    assert cp(lab, source, mount.contact(peer) / "g").returncode == 0
    assert len(peer.find(is_kind("open"))) == 3, "it has forgotten what the server carries"
