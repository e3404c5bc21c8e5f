# SPDX-License-Identifier: MIT
"""Streams between two servers: alice has an account at one, bob at the other.

Tests that do not differ from one server are those marked `federated` in other modules.
"""

import errno
import os
import random

import pytest

from daemon import MEBIBYTE, Mount, poll_until
from faultproxy import FaultProxy
from lab import Lab, wait_blocked
from rawpeer import NS_PING, condition, refuse
from test_errors import expect_open
from test_faults import Transfer
from test_resume import slow_pair
from test_sizes import transfer

pytestmark = pytest.mark.server("federation", "it is about two servers")


@pytest.mark.parametrize("size", [0, 1, 4097, 1024 * 1024])
def test_in_the_other_direction(lab: Lab, size: int) -> None:
    alice, bob = lab.pair()
    transfer(lab, bob, alice, size)


@pytest.mark.slow  # test_sizes has the first direction
@pytest.mark.timeout(200)
def test_ten_mebibytes_in_the_other_direction(lab: Lab) -> None:
    alice, bob = lab.pair()
    transfer(lab, bob, alice, 10 * 1024 * 1024, timeout=150)


@pytest.mark.parametrize("far", ["prosody", "ejabberd"])
def test_peer_offline(lab: Lab, far: str) -> None:
    near, peer = lab.accounts("alice", "bob")
    if far == "prosody":
        near, peer = peer, near
    mount = lab.mount(near)
    expect_open(lab, mount.contact(peer) / "file", errno.EHOSTDOWN)


@pytest.mark.parametrize("far", ["prosody", "ejabberd"])
def test_peer_refuses(lab: Lab, far: str) -> None:
    near, other = lab.accounts("alice", "bob")
    if far == "prosody":
        near, other = other, near
    mount, peer = lab.mount(near), lab.raw(other)
    mount.wait_online(peer.jid)
    peer.rules["open"] = refuse("not-acceptable")
    expect_open(lab, mount.contact(peer) / "file", errno.ECONNREFUSED)


@pytest.mark.parametrize("near", ["prosody", "ejabberd"])
@pytest.mark.parametrize("remote", ["nowhere.example", "dead.example"])
def test_remote_server_not_there(lab: Lab, near: str, remote: str) -> None:
    """A domain that has no server, and one whose server does not run."""
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice if near == "prosody" else bob)
    home = mount.contact(f"carol@{remote}") / "home"
    home.parent.mkdir()
    home.mkdir()
    expect_open(lab, home / "file", errno.EHOSTUNREACH)


def test_to_a_stranger_nobody_is_there(lab: Lab) -> None:
    """A stranger on another server learns nothing either."""
    mount = lab.mount(lab.accounts("alice")[0])
    _, account = lab.accounts("somebody", "stranger")
    stranger = lab.raw(account)
    ping = f"<ping xmlns='{NS_PING}'/>"
    assert condition(stranger.request(mount.jid, ping, type_="get")) == "service-unavailable"
    assert sorted(os.listdir(mount.path)) == ["incoming", "status"]


# ---- the link between the servers ----


def link_towards(mount: Mount) -> FaultProxy:
    assert mount.server.link is not None
    return mount.server.link


@pytest.mark.parametrize("direction", ["blocks", "answers"])
@pytest.mark.parametrize("how", ["cut", "cut in a stanza", "frozen", "refused"])
def test_a_link_that_breaks(lab: Lab, how: str, direction: str) -> None:
    """The servers' connection breaks, not the clients'; bytes in flight are lost silently."""
    alice, bob = slow_pair(lab, "timeout=4")
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    link = link_towards(bob if direction == "blocks" else alice)
    if how == "cut":
        assert link.cut() == 1
    elif how == "cut in a stanza":
        link.cut_after(1000)
    elif how == "frozen":
        link.freeze()
        poll_until(lambda: "suspended" in alice.status(), what="no answer for too long")
        link.thaw()
    else:
        link.refuse()
        link.cut()
        wait_blocked(transfer.copy.pid, transfer.cat.pid)
        link.accept()
    transfer.expect_success(90)


def test_links_that_break_again_and_again(lab: Lab) -> None:
    alice, bob = slow_pair(lab, "timeout=4")
    transfer = Transfer(lab, alice, bob, 6 * MEBIBYTE)
    choose = random.Random(1)
    for number in range(1, 9):
        transfer.wait_progress(number * MEBIBYTE // 2)
        link_towards(choose.choice((alice, bob))).cut_after(choose.randint(1, 9000))
    transfer.expect_success(90)


@pytest.mark.parametrize("direction", ["blocks", "answers"])
def test_a_link_that_breaks_under_messages(lab: Lab, direction: str) -> None:
    """The lost blocks cannot be retransmitted: an error at both ends."""
    alice, bob = slow_pair(lab, "timeout=4,stanza=message")
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    assert link_towards(bob if direction == "blocks" else alice).cut() == 1
    if transfer.copy.wait(60) == 0:  # nothing was in flight
        transfer.expect_success(60)
    else:
        assert transfer.cat.wait(60) == 1
        assert transfer.source.read_bytes().startswith(transfer.got.read_bytes())
