# SPDX-License-Identifier: MIT
"""slixmpp, which shares no code with us, in both directions."""

import os

import pytest

from lab import Lab

SIZES = [0, 1, 4095, 4096, 4097, 100000]


@pytest.mark.parametrize("size", SIZES)
def test_we_send(lab: Lab, size: int) -> None:
    mount, peer = lab.with_slixmpp()
    path = lab.random_file(size)
    copy = lab.run("cp", path, mount.contact(peer))
    assert (copy.returncode, copy.stderr) == (0, "")
    assert peer.received.get(timeout=20) == path.read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_slixmpp_sends(lab: Lab, size: int) -> None:
    mount, peer = lab.with_slixmpp()
    content = os.urandom(size)
    sid = peer.send_file(mount.jid, content)
    assert mount.incoming(peer, sid).read_bytes() == content


def test_a_block_size_beyond_its_limit_is_negotiated_down(lab: Lab) -> None:
    """slixmpp takes 8192 at most, and says so by an error of type cancel, or wait from 1.9 on."""
    mount, peer = lab.with_slixmpp("block_size=65535")
    path = lab.random_file(100000)
    copy = lab.run("cp", path, mount.contact(peer))
    assert (copy.returncode, copy.stderr) == (0, "")
    assert peer.received.get(timeout=20) == path.read_bytes()
    sizes = [int(xml.split('block-size="')[1].split('"')[0]) for xml in peer.opens]
    assert sizes == [65535, 32768, 16384, 8192]


def test_its_block_size_beyond_ours_is_refused(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp("block_size=1000")
    with pytest.raises(Exception, match="resource-constraint"):
        peer.send_file(mount.jid, b"x" * 5000, block_size=4096)
    sid = peer.send_file(mount.jid, b"x" * 5000, block_size=1000)
    assert mount.incoming(peer, sid).read_bytes() == b"x" * 5000


def test_several_streams_in_a_row(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp()
    for size in (10, 5000, 0, 4096):
        path = lab.random_file(size)
        assert lab.run("cp", path, mount.contact(peer)).returncode == 0
        assert peer.received.get(timeout=20) == path.read_bytes()
        sid = peer.send_file(mount.jid, path.read_bytes())
        assert mount.incoming(peer, sid).read_bytes() == path.read_bytes()
