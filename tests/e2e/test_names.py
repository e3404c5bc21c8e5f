# SPDX-License-Identifier: MIT
"""Names of files, from a user and off the wire."""

import errno
import os
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from daemon import bare, poll_until
from lab import Lab
from rawpeer import NS_FILE, NS_IBB, is_kind


def only_entry(folder: Path) -> str:
    """The one stream that is listed, once it is."""
    names = poll_until(lambda: [n for n in os.listdir(folder) if n != "next"], what="a stream")
    assert len(names) == 1
    return names[0]


@pytest.mark.parametrize(
    "name",
    [
        "a file with spaces.txt",
        "schön 日本 🎉.txt",
        "x" * 251 + ".txt",
        "100%2F.txt",
        "a&b<c>'\"",
        "-",
    ],
)
def test_name_travels_as_it_is(lab: Lab, name: str) -> None:
    alice, bob = lab.pair()
    path = lab.random_file(1000, name)
    assert lab.run("cp", "--", path, f"{alice.contact(bob)}/").returncode == 0
    assert only_entry(bob.contact(alice) / "in") == name
    assert bob.incoming(alice, name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", [".hidden", ".x.swp", "..."])
def test_leading_dot_is_refused_before_anything_is_sent(lab: Lab, name: str) -> None:
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    with pytest.raises(OSError) as error:
        os.open(contact / name, os.O_WRONLY | os.O_CREAT)
    assert error.value.errno == errno.EPERM
    copy = lab.run("cp", lab.random_file(10, "source"), contact / name)
    assert copy.returncode == 1
    assert os.strerror(errno.EPERM) in copy.stderr
    lab.run("cp", lab.folder / "source", contact / "good")  # the barrier
    peer.wait_open()
    assert len(peer.find(is_kind("open"))) == 1


def test_name_of_256_bytes(lab: Lab) -> None:
    alice, bob = lab.pair()
    with pytest.raises(OSError) as error:
        os.open(alice.contact(bob) / ("x" * 256), os.O_WRONLY | os.O_CREAT)
    assert error.value.errno == errno.ENAMETOOLONG


def test_name_that_is_not_utf8(lab: Lab) -> None:
    alice, bob = lab.pair()
    with pytest.raises(OSError) as error:
        os.open(os.fsencode(alice.contact(bob)) + b"/\xff", os.O_WRONLY | os.O_CREAT)
    assert error.value.errno == errno.EILSEQ


@pytest.mark.parametrize(
    "wire, name",
    [
        (".x", "%2Ex"),
        (".", "%2E"),
        ("..", "%2E."),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("a/b", "a%2Fb"),
        ("next", "next (2)"),
        ("ne\u200bxt", "ne%E2%80%8Bxt"),
        ("next ", "next%20"),
        ("a\u2028b", "a%E2%80%A8b"),
        ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525"),
        ("a\nb", "a%0Ab"),
        ("a\tb", "a%09b"),
        ("gpj.\u202egod", "gpj.%E2%80%AEgod"),
        ("x\u0085y\u007fz", "x%C2%85y%7Fz"),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
        ("é" * 200 + ".txt", "é" * 125 + ".txt"),
        ("", "s1"),
    ],
)
def test_name_off_the_wire(lab: Lab, wire: str, name: str) -> None:
    mount, peer = lab.with_raw()
    text = escape(wire)
    opened = peer.request(
        mount.jid,
        f"<open xmlns='{NS_IBB}' sid='s1' block-size='4096'>"
        f"<file xmlns='{NS_FILE}'><name>{text}</name></file></open>",
    )
    assert opened.get("type") == "result"
    assert only_entry(mount.contact(peer) / "in") == name
    with open(mount.path / "incoming") as incoming:
        assert incoming.readline() == f"{bare(peer)}/in/{name}\n"
    peer.data(mount.jid, "s1", 0, b"content")
    peer.close(mount.jid, "s1")
    assert mount.incoming(peer, name).read_bytes() == b"content"


def test_a_taken_name_is_numbered_before_its_extension(lab: Lab) -> None:
    alice, bob = lab.pair()
    contents = []
    for _ in range(3):
        path = lab.random_file(100, "a.txt")
        contents.append(path.read_bytes())
        assert lab.run("cp", path, alice.contact(bob)).returncode == 0
    for name, content in zip(("a.txt", "a (2).txt", "a (3).txt"), contents):
        assert bob.incoming(alice, name).read_bytes() == content


@pytest.mark.parametrize("sid, name", [("stream-7", "stream-7"), ("a/b", "a%2Fb"), ("..", "%2E.")])
def test_a_stream_without_a_name_is_called_by_its_sid(lab: Lab, sid: str, name: str) -> None:
    mount, peer = lab.with_raw()
    peer.send_file(mount.jid, sid, b"content")
    assert only_entry(mount.contact(peer) / "in") == name
    assert mount.incoming(peer, name).read_bytes() == b"content"


def test_an_address_in_another_spelling(lab: Lab) -> None:
    """Addresses are compared after preparation (RFC 7622), so one directory has several names."""
    alice, bob = lab.pair()
    spelled = alice.path / bare(bob).upper()
    assert spelled.stat().st_ino == alice.contact(bob).stat().st_ino
    report = lab.random_file(5000, "report.pdf")
    assert lab.run("cp", report, f"{spelled}/").returncode == 0
    assert bob.incoming(alice, "report.pdf").read_bytes() == report.read_bytes()
    assert bare(bob) in os.listdir(alice.path) and spelled.name not in os.listdir(alice.path)
    with pytest.raises(FileExistsError):
        spelled.mkdir()
    with pytest.raises(FileNotFoundError):
        (alice.path / f"No{bare(bob)}").stat()


# ---- listings ----


def test_a_directory_is_read_again(lab: Lab) -> None:
    """os.listdir of a descriptor rewinds it: POSIX wants the directory as it is then."""
    mount = lab.mount(*lab.accounts("alice"))
    fd = os.open(mount.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        before = os.listdir(fd)
        (mount.path / "new@example.org").mkdir()
        assert sorted(os.listdir(fd)) == sorted([*before, "new@example.org"])
        (mount.path / "new@example.org").rmdir()
        assert os.listdir(fd) == before
    finally:
        os.close(fd)
