# SPDX-License-Identifier: MIT
"""Peers that send too much: each limit is exceeded, and other peers are not affected."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from daemon import MEBIBYTE, Mount, poll_until, status_kib
from lab import Lab, wait_blocked
from prosody import Prosody
from rawpeer import NS_IBB, NS_PING, RawPeer, Stanza, condition, error_type, is_kind
from test_faults import ended
from test_hostile import still_serves


def most_memory(mount: Mount) -> int:
    """The peak resident memory of the daemon, in bytes."""
    return status_kib(mount.pid, "VmHWM") * 1024


def processor_seconds(mount: Mount) -> float:
    fields = Path(f"/proc/{mount.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_sanitized(mount: Mount) -> bool:
    """Sanitizers need memory and time of their own."""
    return mount.build.name != "plain"


# ---- stanzas ----

# The largest stanza that Prosody and ejabberd allow: 256 KiB.
LARGE_STANZAS = {
    "deep": "<a>" * 36_000 + "</a>" * 36_000,
    "wide": "<a/>" * 60_000,
    "mixed": "x<a/>" * 50_000,
    "attributes": "<a " + " ".join(f"b{i}=''" for i in range(9_000)) + "/>",
    "text": "x" * 250_000,
    "lines": "\n" * 250_000,
    "name": f"<{'a' * 250_000}/>",
}

# A server's expat (2.6.0, or one that Debian has patched) parses an incomplete tag again only when
# twice as many bytes have arrived, or its buffer of 256 KiB is full.
LONG_TAGS = ("attributes", "name")
BEHIND_THEM = " " * 100_000  # means nothing between stanzas


@pytest.mark.parametrize("shape", LARGE_STANZAS)
def test_a_stanza_of_many_elements(lab: Lab, shape: str) -> None:
    """Without the limits, one of them costs libstrophe 10 s and 15 MiB."""
    if shape == "deep" and not isinstance(lab.server, Prosody):
        pytest.skip("ejabberd itself dies of it")
    mount, peer = lab.with_raw()
    memory, seconds = most_memory(mount), processor_seconds(mount)
    child = f"<query xmlns='none'>{LARGE_STANZAS[shape]}</query>"
    for _ in range(3):
        peer.request(mount.jid, child, type_="get", wait=False)
    if shape in LONG_TAGS:
        peer.send(BEHIND_THEM)
    peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    if not is_sanitized(mount):
        assert most_memory(mount) - memory < 8 * MEBIBYTE  # expat remembers open tags
        assert processor_seconds(mount) - seconds < 1
    still_serves(lab, mount, peer)


# ---- streams ----


def is_read(lab: Lab, mount: Mount, peer: RawPeer, name: str = "proof") -> None:
    """A file of the peer reaches a reader."""
    content = os.urandom(20_000)
    assert peer.open(mount.jid, name).get("type") == "result"
    got = lab.background(mount.incoming(peer, name).read_bytes)
    for seq, start in enumerate(range(0, len(content), 4096)):
        answer = peer.data(mount.jid, name, seq, content[start : start + 4096])
        assert answer.get("type") == "result"
    peer.close(mount.jid, name)
    assert got.result(20) == content


def refusals(answers: list[Stanza]) -> Counter:
    return Counter((condition(a), error_type(a)) for a in answers if a.get("type") == "error")


def two_peers(lab: Lab, options: str = "") -> tuple[Mount, RawPeer, RawPeer]:
    """A mount, and two contacts that it sees online: a hostile one and an ordinary one."""
    alice, mallory, bob = lab.accounts("alice", "mallory", "bob")
    mount = lab.mount(alice, options)
    peers = [lab.raw(mallory), lab.raw(bob)]
    for peer in peers:
        mount.wait_online(peer.jid)
    return mount, *peers


def test_streams_of_one_contact(lab: Lab) -> None:
    """A contact may have a quarter of all streams, and at least 16, over all its resources."""
    alice, account, friend = lab.accounts("alice", "mallory", "bob")
    mount = lab.mount(alice, "max_streams=80")
    mallory, other, bob = lab.raw(account), lab.raw(account, "other"), lab.raw(friend)
    for peer in (mallory, other, bob):
        mount.wait_online(peer.jid)
    for i in range(20):
        assert (mallory, other)[i % 2].open(mount.jid, f"s{i}").get("type") == "result"
    for peer in (mallory, other):
        answer = peer.open(mount.jid, "one-more")
        assert (condition(answer), error_type(answer)) == ("not-acceptable", "cancel")
    still_serves(lab, mount, bob)
    mallory.close(mount.jid, "s0")
    assert mallory.open(mount.jid, "one-more").get("type") == "error"  # it holds memory
    assert mount.incoming(mallory, "s0").read_bytes() == b""
    # The kernel reports the end of an open file after close(2) has returned.
    poll_until(
        lambda: mallory.open(mount.jid, "one-more").get("type") == "result", what="there is room"
    )


def test_opens_in_a_second(lab: Lab) -> None:
    mount, mallory, bob = two_peers(lab)
    memory = most_memory(mount)
    for i in range(2000):
        mallory.open(mount.jid, f"s{i}", wait=False)
    mallory.wait_for(is_kind("result", "error"), count=2000, timeout=60)
    wrong = refusals(mallory.find(is_kind("error")))
    assert len(mallory.find(is_kind("result"))) == 256
    assert wrong["not-acceptable", "cancel"] >= 400 - 256
    assert wrong["resource-constraint", "wait"] > 500
    assert wrong.total() == sum(
        wrong[key] for key in [("not-acceptable", "cancel"), ("resource-constraint", "wait")]
    )
    still_serves(lab, mount, bob)
    if not is_sanitized(mount):
        assert most_memory(mount) - memory < 4 * MEBIBYTE


def read_all(mount: Mount, count: int) -> list[str]:
    """The contents of the next `count` streams, read one after the other."""
    contents = []
    with open(mount.path / "incoming") as incoming:
        for _ in range(count):
            name = incoming.readline().rstrip("\n")
            contents.append((mount.path / name).read_text())
    return contents


def test_opens_that_are_read(lab: Lab) -> None:
    """The number and rate of streams that are read do not count."""
    mount, peer = lab.with_raw()
    for batch in range(8):
        names = [f"s{batch}-{i}" for i in range(200)]
        for name in names:
            peer.open(mount.jid, name, wait=False)
            peer.data(mount.jid, name, 0, b"x", wait=False)
            peer.close(mount.jid, name, wait=False)
        peer.wait_for(is_kind("result", "error"), count=600 * (batch + 1), timeout=60)
        assert not refusals(peer.find(is_kind("error")))
        for name in names:
            assert mount.incoming(peer, name).read_bytes() == b"x"


def test_two_ibbfs_open_many(lab: Lab) -> None:
    alice, bob = lab.pair()
    files = lab.folder / "files"
    files.mkdir()
    for i in range(600):
        (files / f"f{i}").write_text(f"{i}\n")
    got = lab.background(read_all, bob, 600)
    copies = [
        lab.spawn("cp", *files.glob(f"f*{digit}"), alice.contact(bob)) for digit in range(10)
    ]
    assert [ended(copy, 100) for copy in copies] == [(0, b"")] * 10
    assert sorted(got.result(30)) == sorted(f"{i}\n" for i in range(600))


def test_long_names(lab: Lab) -> None:
    """200 streams, each with a name of 100 KB."""
    mount, mallory, bob = two_peers(lab)
    memory = most_memory(mount)
    for i in range(200):
        mallory.open(mount.jid, f"s{i}", name=f"{i}-" + "n" * 100_000, wait=False)
    mallory.wait_for(is_kind("result"), count=200, timeout=60)
    names = os.listdir(mount.contact(mallory) / "in")
    assert len(names) == 201 and max(len(name) for name in names) == 255
    still_serves(lab, mount, bob)
    if not is_sanitized(mount):
        assert most_memory(mount) - memory < 4 * MEBIBYTE


# ---- bytes ----


def test_bytes_of_all_streams(lab: Lab) -> None:
    """40 unread streams of 512 KiB, where 4 MiB may be accepted."""
    mount, mallory, bob = two_peers(lab, "buffer_total=4M")
    memory = most_memory(mount)
    block = "A" * 5460 + "AA=="  # 4096 bytes
    for i in range(40):
        mallory.open(mount.jid, f"s{i}")
    for seq in range(128):
        for i in range(40):
            mallory.data(mount.jid, f"s{i}", seq, block, wait=False)
    for i in range(4):
        is_read(lab, mount, bob, f"meanwhile{i}")
    mallory.wait_for(lambda s: condition(s) == "resource-constraint", timeout=60)
    mallory.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    is_read(lab, mount, bob)
    if not is_sanitized(mount):
        # The shares are 4 KiB each here; malloc, libstrophe and the tree have the rest.
        assert most_memory(mount) - memory < 4 * MEBIBYTE + 3 * MEBIBYTE
    assert {condition(s) for s in mallory.find(is_kind("error"))} <= {
        "resource-constraint",
        "item-not-found",  # bytes sent to a stream after its end
    }


def test_two_ibbfs_with_more_than_fits(lab: Lab) -> None:
    """Writers wait for their readers, in any order; nothing is lost."""
    alice, bob = lab.pair("", "buffer_total=256K,buffer=64K")
    files = [lab.random_file(300_000, f"f{i}") for i in range(8)]
    copies = [lab.spawn("cp", file, alice.contact(bob)) for file in files]
    for file in files:
        poll_until(bob.incoming(alice, file.name).exists, what=f"{file.name} arrives")
    wait_blocked(*[copy.pid for copy in copies])
    for file, copy in reversed(list(zip(files, copies))):
        assert bob.incoming(alice, file.name).read_bytes() == file.read_bytes()
        assert copy.wait(30) == 0


def test_messages_with_more_than_fits(lab: Lab) -> None:
    """Messages cannot wait: such a stream ends, and no other one."""
    mount, mallory, bob = two_peers(lab, "buffer_total=64K")
    mallory.open(mount.jid, "s1", stanza="message")
    for seq in range(40):
        block = f"<data xmlns='{NS_IBB}' sid='s1' seq='{seq}'>{'A' * 5460}AA==</data>"
        mallory.send(f"<message to='{mount.jid}'>{block}</message>")
    mallory.wait_for(is_kind("close", sid="s1"))
    is_read(lab, mount, bob)
    with pytest.raises(ConnectionResetError):
        mount.incoming(mallory, "s1").read_bytes()


# ---- answers ----


def wait_taken(mount: Mount, peer: RawPeer) -> None:
    """Until the mount has received all that the peer has sent: its presence comes behind that."""
    peer.send("<presence type='unavailable'/>")
    mount.wait_offline(peer.jid, timeout=60)
    peer.send("<presence/>")
    mount.wait_online(peer.jid)


def is_answered(peer: RawPeer, jid: str) -> bool:
    """Within a second."""
    ident = f"again-{time.monotonic()}"
    peer.send(f"<iq type='get' to='{jid}' id='{ident}'><ping xmlns='{NS_PING}'/></iq>")
    with contextlib.suppress(AssertionError):
        peer.wait_for(lambda s: s.get("id") == ident, timeout=1)
        return True
    return False


@pytest.mark.large
def test_more_questions_than_answers_can_leave(lab: Lab) -> None:
    """The answers cannot be sent, as our connection is full. Requests that come meanwhile cost no
    memory."""
    alice, mallory, bob = lab.accounts("alice", "mallory", "bob")
    proxy = lab.proxy(alice)
    mount = lab.mount(alice, via=proxy)
    peers = [lab.raw(mallory), lab.raw(bob), lab.raw(lab.accounts("stranger")[0])]
    for peer in peers[:2]:
        mount.wait_online(peer.jid)
    memory = most_memory(mount)
    proxy.mute()
    ident = "i" * 1000
    ping = f"<iq type='get' to='{mount.jid}' id='{ident}'><ping xmlns='{NS_PING}'/></iq>"
    for _ in range(100):
        for peer in peers:
            peer.send(ping * 100)
    for peer in peers[:2]:
        wait_taken(mount, peer)
    proxy.unmute()
    poll_until(lambda: is_answered(peers[1], mount.jid), timeout=60, what="answers leave again")
    still_serves(lab, mount, peers[1])
    assert most_memory(mount) - memory < 4096 * 2048 + 4 * MEBIBYTE
