# SPDX-License-Identifier: MIT
"""Streams that end with a broken connection, because it stays broken or the peer cannot resume."""

from __future__ import annotations

import os
import signal
import time

import pytest

from daemon import KIBIBYTE, MEBIBYTE, Mount
from lab import Lab
from rawpeer import NS_IBB, NS_IBBFS, NS_INFO, NS_PING
from test_broken import expect_reset_read, expect_reset_write
from test_faults import RESET, Transfer, ended
from test_resume import EITHER_SERVER, known_leak, slow_pair  # noqa: F401 (a fixture)

WRITE = os.O_WRONLY | os.O_CREAT
LONG = 40 * MEBIBYTE  # more than passes before a test causes its fault
SOON = 10  # seconds until everybody has an error that is certain


def running(lab: Lab, options: str = "") -> tuple[Mount, Mount, Transfer]:
    """A transfer that has begun, and would take some time."""
    alice, bob = slow_pair(lab, options)
    transfer = Transfer(lab, alice, bob, LONG)
    transfer.wait_progress(MEBIBYTE)
    return alice, bob, transfer


def still_works(lab: Lab, alice: Mount, bob: Mount) -> None:
    for sender, receiver in ((alice, bob), (bob, alice)):
        sender.wait_connected()
        sender.wait_online(receiver.jid)
        path = lab.random_file(10 * KIBIBYTE, f"from-{sender.account.user}")
        assert lab.run("cp", path, sender.contact(receiver)).returncode == 0
        assert receiver.incoming(sender, path.name).read_bytes() == path.read_bytes()


# ---- too late ----


@pytest.mark.parametrize("side", ["sender", "receiver"])
def test_a_connection_that_does_not_come_back(lab: Lab, side: str) -> None:
    alice, bob, transfer = running(lab, "reconnect=3")
    proxy = (alice if side == "sender" else bob).via
    proxy.refuse()
    proxy.cut()
    start = time.monotonic()
    transfer.expect_reset(30)
    assert time.monotonic() - start > 2
    proxy.accept()
    still_works(lab, alice, bob)


@pytest.mark.parametrize("side", ["sender", "receiver"])
def test_a_network_that_does_not_come_back(lab: Lab, side: str) -> None:
    alice, bob, transfer = running(lab, "timeout=3,reconnect=3")
    (alice if side == "sender" else bob).via.freeze()
    transfer.expect_reset(50)


@pytest.mark.federated
def test_a_server_that_does_not_come_back(own_lab: Lab) -> None:
    alice, bob, transfer = running(own_lab, "reconnect=3")
    own_lab.stop_servers()
    transfer.expect_reset(30)
    own_lab.start_servers()
    still_works(own_lab, alice, bob)


@pytest.mark.server("federation", "one of two servers stops")
@pytest.mark.parametrize("which, how", EITHER_SERVER)
def test_one_of_two_servers_does_not_come_back(
    own_lab: Lab, how: signal.Signals, which: str
) -> None:
    alice, bob, transfer = running(own_lab, "timeout=5,reconnect=3")
    (alice if which == "sender" else bob).server.stop(how)
    transfer.expect_reset(60)


# ---- nobody waits ----


@pytest.mark.parametrize("cut", ["sender", "receiver"])
@pytest.mark.parametrize("off", [("sender", "receiver"), ("sender",), ("receiver",)])
def test_one_side_does_not_want_it(lab: Lab, off: tuple[str, ...], cut: str) -> None:
    options = ("reconnect=0" if side in off else "" for side in ("sender", "receiver"))
    alice, bob = lab.pair_via_proxies(*options)
    alice.via.rate = bob.via.rate = MEBIBYTE
    transfer = Transfer(lab, alice, bob, LONG)
    transfer.wait_progress(MEBIBYTE)
    (alice if cut == "sender" else bob).via.cut()
    transfer.expect_reset(SOON)
    still_works(lab, alice, bob)


@pytest.mark.parametrize("more", [(), (NS_IBBFS,)], ids=["stranger", "older ibbfs"])
def test_a_peer_that_does_not_know_it(lab: Lab, more: tuple[str, ...]) -> None:
    first, second = lab.accounts("alice", "bob")
    mount = lab.mount(first, via=lab.proxy(first))
    peer = lab.raw(second, features=(NS_INFO, NS_PING, NS_IBB, *more))
    mount.wait_online(peer.jid)
    writer = os.open(mount.contact(peer) / "file", WRITE)
    os.write(writer, b"begin")
    os.fsync(writer)
    peer.open(mount.jid, "s1")
    reader = os.open(mount.incoming(peer, "s1"), os.O_RDONLY)
    waiting = lab.background(expect_reset_read, reader)
    mount.via.cut()
    waiting.result(SOON)
    expect_reset_write(writer)
    mount.wait_connected()
    mount.wait_online(peer.jid)
    peer.send_file(mount.jid, "s2", b"content")
    assert mount.incoming(peer, "s2").read_bytes() == b"content"


# ---- who forgot the stream ----


@pytest.mark.parametrize("killed", ["sender", "receiver"])
def test_a_daemon_that_is_killed(lab: Lab, killed: str) -> None:
    alice, bob, transfer = running(lab, "reconnect=3")
    (alice if killed == "sender" else bob).kill()
    rest = transfer.cat if killed == "sender" else transfer.copy
    status, message = ended(rest, 30)
    assert status == 1 and message.endswith(RESET), (status, message)


@pytest.mark.parametrize("killed", ["sender", "receiver"])
def test_a_daemon_that_is_killed_and_starts_again(lab: Lab, killed: str) -> None:
    """A client under the same JID does not know the stream: no reason to wait."""
    alice, bob, transfer = running(lab)
    mount = alice if killed == "sender" else bob
    mount.kill()
    lab.mount(mount.account, name="again")
    rest = transfer.cat if killed == "sender" else transfer.copy
    status, message = ended(rest, SOON)
    assert status == 1 and message.endswith(RESET), (status, message)
    assert transfer.source.read_bytes().startswith(transfer.got.read_bytes())
