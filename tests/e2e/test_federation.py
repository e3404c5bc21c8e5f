# SPDX-License-Identifier: MIT
"""Between two servers, of which alice has an account at one and bob at the other.

What does not differ from one server is tested by the modules that are marked `federated`.
"""

import errno
import os

import pytest

from lab import Lab
from rawpeer import NS_PING, condition, refuse
from test_errors import expect_open
from test_sizes import transfer

pytestmark = pytest.mark.server("federation", "it is about two servers")


@pytest.mark.parametrize("size", [0, 1, 4097, 1024 * 1024])
def test_in_the_other_direction(lab: Lab, size: int) -> None:
    alice, bob = lab.pair()
    transfer(lab, bob, alice, size)


@pytest.mark.large
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
    """Not from another server, either."""
    mount = lab.mount(lab.accounts("alice")[0])
    _, account = lab.accounts("somebody", "stranger")
    stranger = lab.raw(account)
    ping = f"<ping xmlns='{NS_PING}'/>"
    assert condition(stranger.request(mount.jid, ping, type_="get")) == "service-unavailable"
    assert sorted(os.listdir(mount.path)) == ["incoming", "status"]
