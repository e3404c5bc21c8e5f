# SPDX-License-Identifier: MIT
"""-o block_size=auto: the largest block that everybody accepts."""

from __future__ import annotations

import os

import pytest

from daemon import MEBIBYTE, Mount, poll_until
from lab import Lab
from rawpeer import RawPeer, Stanza, accept, error, is_kind, payload, refuse


def agreed(mount: Mount, path: str) -> str:
    return os.getxattr(mount.path / path, "user.ibb.block_size").decode()


@pytest.mark.parametrize("stanza", ["iq", "message"])
def test_two_mounts(lab: Lab, stanza: str) -> None:
    """The file is long enough for blocks of several lengths."""
    options = f"block_size=auto,stanza={stanza},buffer=64M"
    alice, bob = lab.pair(options, options)
    source = lab.random_file(24 * MEBIBYTE)
    copy = lab.spawn("cp", source, alice.contact(bob) / "file")
    name = bob.incoming(alice, "file")
    poll_until(name.exists, what="the stream")
    assert lab.run("cmp", source, name).returncode == 0
    assert copy.wait(20) == 0
    assert agreed(alice, alice.contact(bob) / "file") == "65535"
    assert agreed(bob, name) == "65535"


def test_a_directory(lab: Lab) -> None:
    """Only streams opened below it have larger blocks; incoming ones have the mount's size."""
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    words = ("setfattr", "-n", "user.ibb.block_size", "-v", "auto")
    assert lab.run(*words, contact).returncode == 0
    assert agreed(mount, contact) == "auto"
    (contact / "file").write_bytes(b"x")
    assert payload(peer.wait_open()).get("block-size") == "65535"
    assert peer.open(mount.jid, "s", block_size=4097).get("type") == "error"


def test_slixmpp_takes_less(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp("block_size=auto")
    path = lab.random_file(100000)
    copy = lab.run("cp", path, mount.contact(peer) / "file")
    assert (copy.returncode, copy.stderr) == (0, "")
    assert peer.received.get(timeout=20) == path.read_bytes()
    assert agreed(mount, mount.contact(peer) / "file") == "8192"


LIMITS = [(65535, 65535), (20000, 16384), (4096, 4096), (200, 128)]


@pytest.mark.parametrize("most, largest", LIMITS)
def test_a_peer_that_takes_no_more(lab: Lab, most: int, largest: int) -> None:
    def judge(peer: RawPeer, stanza: Stanza) -> str:
        if int(payload(stanza).get("block-size")) > most:
            return error(stanza, "resource-constraint", "modify")
        return accept(peer, stanza)

    mount, peer = lab.with_raw("block_size=auto")
    peer.rules["open"] = judge
    path = lab.random_file(200000)
    assert lab.run("cp", path, mount.contact(peer) / "file").returncode == 0
    assert agreed(mount, mount.contact(peer) / "file") == str(largest)
    blocks = [payload(s) for s in peer.find(is_kind("data"))]
    assert peer.received(blocks[0].get("sid")) == path.read_bytes()
    # No larger ones before a comparison, which a file as short as this does not allow.
    assert max(len(block.text) for block in blocks) <= (min(largest, 16384) + 2) // 3 * 4


def test_a_peer_that_takes_none(lab: Lab) -> None:
    mount, peer = lab.with_raw("block_size=auto")
    peer.rules["open"] = refuse("resource-constraint", "modify")
    copy = lab.run("cp", lab.random_file(1), mount.contact(peer) / "file")
    assert copy.returncode == 1 and "Connection refused" in copy.stderr
    assert payload(peer.wait_open(10)).get("block-size") == "128"


@pytest.mark.parametrize("size", [1, 65535])
def test_as_a_receiver(lab: Lab, size: int) -> None:
    mount, peer = lab.with_raw("block_size=auto")
    assert peer.open(mount.jid, "s", block_size=size).get("type") == "result"
    peer.data(mount.jid, "s", 0, b"x" * size, wait=False)
    peer.close(mount.jid, "s", wait=False)
    assert mount.incoming(peer, "s").read_bytes() == b"x" * size
