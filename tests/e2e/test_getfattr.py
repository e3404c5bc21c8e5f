# SPDX-License-Identifier: MIT
"""Extended attributes as getfattr and setfattr show and set them, while a stream runs and after."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from pathlib import Path

import pytest

from daemon import Mount, poll_until
from lab import Lab
from rawpeer import is_kind, payload, silence

DIRECTORY = {"block_size": "4096", "format": "auto", "stanza": "iq"}


def dump(lab: Lab, path: Path) -> dict[str, str]:
    """The output of `getfattr -d`, without the prefix."""
    done = lab.run("getfattr", "-d", "--absolute-names", path)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(re.findall(r'^user\.ibb\.(\w+)="(.*)"$', done.stdout, re.MULTILINE))


def set_attribute(lab: Lab, path: Path, *words: str) -> str:
    """Runs setfattr; returns its message, empty when it succeeds."""
    done = lab.run("setfattr", *words, path)
    assert (done.returncode != 0) == bool(done.stderr)
    return done.stderr.strip()


# ---- streams ----


def test_a_stream_that_is_sent(lab: Lab) -> None:
    mount, peer = lab.with_raw("block_size=1000")
    path = mount.contact(peer) / "file"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 2500)
    os.fsync(fd)
    shown = dump(lab, path)
    assert int(shown.pop("window")) >= 1000
    expected = {
        "sid": payload(peer.wait_open()).get("sid"),
        "peer": peer.jid,
        "block_size": "1000",
        "format": "raw",
        "stanza": "iq",
        "state": "open",
        "sent": "2500",
        "received": "0",
    }
    assert shown == expected
    os.close(fd)
    peer.wait_for(is_kind("close"))
    shown = dump(lab, path)
    del shown["window"]
    assert shown == expected | {"state": "finished"}


def test_a_stream_that_comes(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1", block_size=1234)
    peer.data(mount.jid, "s1", 0, b"content")
    path = mount.incoming(peer, "s1")
    shown = dump(lab, path)
    del shown["window"]
    expected = {
        "sid": "s1",
        "peer": peer.jid,
        "block_size": "1234",
        "format": "raw",
        "stanza": "iq",
        "state": "open",
        "sent": "0",
        "received": "7",
    }
    assert shown == expected
    peer.close(mount.jid, "s1")
    assert dump(lab, path)["state"] == "finished"
    assert path.read_bytes() == b"content"
    shown = dump(lab, path)
    del shown["window"]
    assert shown == expected | {"state": "finished"}


def test_a_stream_that_broke(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    path = mount.incoming(peer, "s1")
    peer.data(mount.jid, "s1", 7, b"out of order")
    assert dump(lab, path)["state"] == "broken"


def test_sent_counts_what_was_acknowledged_and_received_what_came_back(lab: Lab) -> None:
    alice, bob = lab.pair()
    there = alice.contact(bob) / "talk"
    one = os.open(there, os.O_RDWR | os.O_CREAT)
    back = bob.incoming(alice, "talk")
    other = os.open(back, os.O_RDWR)
    os.write(one, b"12345")
    assert os.read(other, 100) == b"12345"
    os.write(other, b"123")
    assert os.read(one, 100) == b"123"
    for path, sent, received in ((there, "5", "3"), (back, "3", "5")):
        poll_until(
            lambda: (dump(lab, path)["sent"], dump(lab, path)["received"]) == (sent, received),
            what=f"{sent} sent and {received} received at {path}",
        )
    os.close(one)
    assert os.read(other, 100) == b""
    os.close(other)


def test_the_block_size_that_was_agreed_on(lab: Lab) -> None:
    """The peer takes half of what we offer."""
    alice, bob = lab.pair("block_size=8192", "block_size=4096")
    path = alice.contact(bob) / "file"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    assert dump(lab, path)["block_size"] == "4096"
    assert dump(lab, bob.incoming(alice, "file"))["block_size"] == "4096"
    os.close(fd)


def test_a_stream_cannot_be_changed(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = mount.contact(peer) / "file"
    path.write_bytes(b"x")
    for name in ("sid", "block_size", "stanza", "state"):
        assert set_attribute(lab, path, "-n", f"user.ibb.{name}", "-v", "1").endswith(
            os.strerror(errno.EPERM)
        )


# ---- directories ----


def test_directories(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    for path in (mount.path, mount.contact(peer), mount.contact(peer) / "raw"):
        assert dump(lab, path) == DIRECTORY
    for path in (mount.contact(peer) / "in", mount.path / "status", mount.path / "incoming"):
        assert dump(lab, path) == {}


def sent_to(lab: Lab, mount: Mount, peer, folder: Path) -> dict[str, str]:
    """The attributes of the <open/> by which a file leaves for `folder`."""
    count = len(peer.find(is_kind("open")))
    assert lab.run("cp", lab.random_file(3000), folder).returncode == 0
    opened = payload(peer.wait_open(count + 1))
    return {"block_size": opened.get("block-size"), "stanza": opened.get("stanza") or "iq"}


def test_the_nearest_directory_decides(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    resource = contact / "raw"
    values = {mount.path: "1000", contact: "2000", resource: "500"}
    for path, value in values.items():
        assert set_attribute(lab, path, "-n", "user.ibb.block_size", "-v", value) == ""
    for path in (contact, resource):
        assert dump(lab, path)["block_size"] == values[path]
        assert sent_to(lab, mount, peer, path) == {"block_size": values[path], "stanza": "iq"}
    assert set_attribute(lab, resource, "-x", "user.ibb.block_size") == ""
    assert sent_to(lab, mount, peer, resource)["block_size"] == "2000"
    assert set_attribute(lab, contact, "-x", "user.ibb.block_size") == ""
    assert sent_to(lab, mount, peer, resource)["block_size"] == "1000"
    assert set_attribute(lab, mount.path, "-x", "user.ibb.block_size") == ""
    assert sent_to(lab, mount, peer, resource)["block_size"] == "4096"


def test_the_carrier_of_a_directory(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    assert set_attribute(lab, contact, "-n", "user.ibb.stanza", "-v", "message") == ""
    assert dump(lab, contact)["stanza"] == "message"
    assert sent_to(lab, mount, peer, contact)["stanza"] == "message"
    assert set_attribute(lab, contact, "-x", "user.ibb.stanza") == ""
    assert dump(lab, contact) == DIRECTORY
    assert sent_to(lab, mount, peer, contact)["stanza"] == "iq"


def test_a_running_stream_keeps_its_values(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.rules["data"] = silence
    contact = mount.contact(peer)
    fd = os.open(contact / "file", os.O_WRONLY | os.O_CREAT)
    assert set_attribute(lab, contact, "-n", "user.ibb.block_size", "-v", "100") == ""
    assert dump(lab, contact / "file")["block_size"] == "4096"
    os.close(fd)


BAD_VALUES = [
    ("block_size", "0"),
    ("block_size", "65536"),
    ("block_size", "-1"),
    ("block_size", "+1"),
    ("block_size", "1k"),
    ("block_size", "99999999999999999999"),
    ("block_size", ""),
    ("stanza", "IQ"),
    ("stanza", "presence"),
    ("stanza", ""),
]


def test_wrong_values(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    for name, value in BAD_VALUES:
        message = set_attribute(lab, contact, "-n", f"user.ibb.{name}", "-v", value)
        assert message.endswith(os.strerror(errno.EINVAL)), (name, value)
    assert dump(lab, contact) == DIRECTORY


@pytest.mark.parametrize("words", [["-v", "1"], []], ids=["set", "remove"])
def test_unknown_names(lab: Lab, words: list[str]) -> None:
    mount, peer = lab.with_raw()
    option = "-n" if words else "-x"
    message = set_attribute(lab, mount.contact(peer), option, "user.ibb.nothing", *words)
    assert message.endswith("No such attribute")  # so the tools call ENODATA


def test_reading_an_unknown_name(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    for path in (mount.contact(peer), mount.path / "status"):
        for name in ("user.ibb.nothing", "user.ibb.sid", "user.comment", "user.ibb."):
            with pytest.raises(OSError) as failure:
                os.getxattr(path, name)
            assert failure.value.errno == errno.ENODATA


def test_a_buffer_that_is_too_small(lab: Lab) -> None:
    """getfattr asks again then."""
    mount, peer = lab.with_raw()
    assert os.getxattr(mount.path, "user.ibb.block_size") == b"4096"
    libc = ctypes.CDLL(None, use_errno=True)
    small = ctypes.create_string_buffer(2)
    path = os.fsencode(mount.path)
    assert libc.getxattr(path, b"user.ibb.block_size", small, 2) == -1
    assert ctypes.get_errno() == errno.ERANGE
    assert libc.listxattr(path, small, 2) == -1
    assert ctypes.get_errno() == errno.ERANGE
