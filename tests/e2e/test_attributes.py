# SPDX-License-Identifier: MIT
"""Extended attributes of a stream, and those that are set for new streams; stanza=message."""

import errno
import os

import pytest

from lab import Lab
from rawpeer import is_kind, payload


def attribute(path: os.PathLike, name: str) -> str:
    return os.getxattr(path, f"user.ibb.{name}").decode()


def test_attributes_of_a_stream(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = mount.contact(peer) / "file"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 100)
    os.fsync(fd)
    expected = {
        "sid": payload(peer.wait_open()).get("sid"),
        "peer": peer.jid,
        "block_size": "4096",
        "format": "raw",
        "stanza": "iq",
        "state": "open",
        "sent": "100",
        "received": "0",
    }
    assert {name: attribute(path, name) for name in expected} == expected
    assert int(attribute(path, "window")) > 0
    listed = {f"user.ibb.{name}" for name in (*expected, "window")}
    assert set(os.listxattr(path)) == listed
    os.close(fd)


def test_attributes_of_an_incoming_stream(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1", block_size=1234)
    peer.data(mount.jid, "s1", 0, b"content")
    path = mount.incoming(peer, "s1")
    expected = {"sid": "s1", "peer": peer.jid, "block_size": "1234", "received": "7", "sent": "0"}
    assert {name: attribute(path, name) for name in expected} == expected


def test_block_size_of_a_directory(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    assert lab.run("setfattr", "-n", "user.ibb.block_size", "-v", "1000", contact).returncode == 0
    assert attribute(contact, "block_size") == "1000"
    path = lab.random_file(5000)
    assert lab.run("cp", path, contact).returncode == 0
    opened = payload(peer.wait_open())
    assert opened.get("block-size") == "1000"
    assert peer.received(opened.get("sid")) == path.read_bytes()


@pytest.mark.parametrize(
    "name, value",
    [("block_size", "0"), ("block_size", "65536"), ("block_size", "x"), ("stanza", "pigeon")],
)
def test_a_bad_value(lab: Lab, name: str, value: str) -> None:
    mount, peer = lab.with_raw()
    with pytest.raises(OSError) as failure:
        os.setxattr(mount.contact(peer), f"user.ibb.{name}", value.encode())
    assert failure.value.errno == errno.EINVAL


def test_blocks_in_messages(lab: Lab) -> None:
    mount, peer = lab.with_raw("stanza=message")
    path = lab.random_file(20000)
    assert lab.run("cp", path, mount.contact(peer)).returncode == 0
    opened = payload(peer.wait_open())
    assert opened.get("stanza") == "message"
    peer.wait_for(is_kind("close"))
    assert peer.received(opened.get("sid")) == path.read_bytes()
    assert {s.tag for s in peer.find(is_kind("data"))} == {"{jabber:client}message"}


def test_blocks_in_messages_between_two_mounts(lab: Lab) -> None:
    alice, bob = lab.pair("stanza=message", "stanza=message")
    path = lab.random_file(50000)
    assert lab.run("cp", path, alice.contact(bob)).returncode == 0
    assert bob.incoming(alice, path.name).read_bytes() == path.read_bytes()
