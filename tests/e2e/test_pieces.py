# SPDX-License-Identifier: MIT
"""A transfer that was stopped: what the receiver has in NAME.part is not sent again.

What the sender says to its server is counted. The server is one at which nothing is padded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from daemon import MEBIBYTE, Mount, poll_until, wait_part
from lab import Lab

STEADY = 6 * MEBIBYTE  # bytes a second that let a test do something meanwhile
BLOCK = 4096  # bytes, as both propose
# The longest stanza of a block, without its base64.
STANZA = (
    "<iq type='set' id='d9999.65535' to='bob9999@localhost/mount'><data"
    f" xmlns='http://jabber.org/protocol/ibb' seq='65535' sid='{'f' * 32}'></data></iq>"
)
TLS_RECORD = 29  # bytes around its content: 5 + 8 + 16 with TLS 1.2 (RFC 5288), 5 + 17 with 1.3
# Questions, open, close, skip, and pings of a busy machine. 1.3 kB were counted for a file, and
# 2.9 kB for one with 66 pieces.
SLACK = 10_000


def on_wire(size: int) -> int:
    """At most, what the blocks of a file are on the wire. A block is sent in one TLS record, or
    shares it with others."""
    base64 = (BLOCK + 2) // 3 * 4
    return -(-size // BLOCK) * (base64 + len(STANZA) + TLS_RECORD)


@pytest.fixture
def lab(unpadded_lab: Lab) -> Lab:
    return unpadded_lab


class Outbox:
    """A sender, and a receiver with an inbox. What the sender says is counted: expect_rest needs a
    server at which nothing is padded."""

    def __init__(self, lab: Lab, options: str = ""):
        self.lab = lab
        self.inbox = lab.folder / "inbox"
        alice, bob = lab.accounts("alice", "bob")
        self.arrived = self.inbox / alice.jid
        self.arrived.mkdir(parents=True)
        self.start = lambda: self._start(alice, bob, options)

    def _start(self, alice, bob, options: str) -> None:
        lab = self.lab
        self.alice = lab.mount(alice, via=lab.proxy(alice))
        self.bob = lab.mount(bob, f"inbox={self.inbox},{options}".strip(","), via=lab.proxy(bob))
        self.wait_online()

    def wait_online(self) -> None:
        self.alice.wait_online(self.bob.jid)
        self.bob.wait_online(self.alice.jid)

    def restart(self, *mounts: Mount) -> None:
        for mount in mounts:
            mount.start()
        self.wait_online()

    @property
    def target(self) -> Path:
        return self.alice.contact(self.bob)

    @property
    def sent(self) -> int:
        """Bytes that the sender has sent to its server, so far."""
        return self.alice.via.sent

    def names(self) -> list[str]:
        return sorted(path.name for path in self.arrived.iterdir())

    def expect(self, name: str, content: bytes) -> None:
        """Waits for the file with its name. On a busy machine, a close may not know that it is the
        last one; the file gets its name later then."""
        poll_until((self.arrived / name).exists, what=f"{name} in {self.names()}")
        assert (self.arrived / name).read_bytes() == content

    def part(self, name: str) -> Path:
        return self.arrived / f"{name}.part"

    def begin(self, source: Path, size: int) -> subprocess.Popen:
        """Starts a cp, and returns when the receiver has that many bytes."""
        self.alice.via.rate = STEADY
        cp = self.lab.spawn("cp", source, self.target)

        def is_there() -> bool:
            assert cp.poll() is None, f"cp has ended: {cp.returncode}"
            return self.part(source.name).exists() and self.part(source.name).stat().st_size >= size

        poll_until(is_there, 60, f"{size} bytes of {source.name}")
        return cp

    def wait_broken(self, name: str) -> None:
        wait_part(self.bob.incoming(self.alice, name))

    def expect_rest(self, source: Path, missing: int) -> None:
        """cp succeeds, and sends no more than that many bytes of the file."""
        self.alice.via.rate = 0
        before = self.sent
        done = self.lab.run("cp", source, self.target, timeout=120)
        assert done.returncode == 0, done.stderr
        self.expect(source.name, source.read_bytes())
        assert not self.part(source.name).exists()
        assert self.sent - before <= on_wire(missing) + SLACK


def with_part(lab: Lab, size: int, left: int, options: str = "") -> tuple[Outbox, Path]:
    """A file of which the receiver has that many bytes, from another day."""
    outbox = Outbox(lab, options)
    source = lab.random_file(size, "f")
    outbox.part("f").write_bytes(source.read_bytes()[:left])
    return outbox, source


# ---- what is there is not sent again ----


def test_copy_again(lab: Lab) -> None:
    outbox = Outbox(lab)
    outbox.start()
    source = lab.random_file(3 * MEBIBYTE + 12345, "f")
    cp = outbox.begin(source, MEBIBYTE)
    cp.send_signal(signal.SIGINT)
    assert cp.wait(20) == -signal.SIGINT
    outbox.wait_broken("f")
    outbox.expect_rest(source, source.stat().st_size - outbox.part("f").stat().st_size)


def test_copy_again_after_crashes(lab: Lab) -> None:
    """Both daemons are killed. The sender's next stream completes the part."""
    outbox = Outbox(lab)
    outbox.start()
    source = lab.random_file(4 * MEBIBYTE, "f")
    cp = outbox.begin(source, MEBIBYTE)
    outbox.alice.kill()
    assert cp.wait(20) != 0
    outbox.restart(outbox.alice)
    outbox.begin(source, 2 * MEBIBYTE)
    outbox.alice.kill()
    outbox.bob.kill()
    left = outbox.part("f").stat().st_size
    outbox.restart(outbox.alice, outbox.bob)
    outbox.expect_rest(source, 4 * MEBIBYTE - left)


def test_many_pages(lab: Lab) -> None:
    """The part has more digests than one answer holds. Its last piece is shorter."""
    outbox = Outbox(lab)
    source, part = lab.folder / "f", outbox.part("f")
    size = 66 * MEBIBYTE + 5
    for path in source, part:
        path.touch()
        os.truncate(path, size)
    with open(source, "r+b") as file:
        file.seek(65 * MEBIBYTE)
        file.write(b"x")
    outbox.start()
    outbox.expect_rest(source, MEBIBYTE)


def test_damaged_piece(lab: Lab) -> None:
    """Only the damaged piece is sent again."""
    outbox, source = with_part(lab, 4 * MEBIBYTE, 3 * MEBIBYTE + 5)
    with open(outbox.part("f"), "r+b") as part:
        part.seek(MEBIBYTE + 5)
        part.write(b"x")
    outbox.start()
    outbox.expect_rest(source, 2 * MEBIBYTE)


def test_folder(lab: Lab) -> None:
    outbox = Outbox(lab)
    folder = outbox.arrived / "photos" / "2024"
    folder.mkdir(parents=True)
    source = lab.random_file(2 * MEBIBYTE, "f")
    (folder / "f.part").write_bytes(source.read_bytes()[: MEBIBYTE + 5])
    outbox.start()
    (outbox.target / "photos" / "2024").mkdir(parents=True)
    before = outbox.sent
    (outbox.target / "photos" / "2024" / "f").write_bytes(source.read_bytes())
    poll_until((folder / "f").exists, what="f")
    assert (folder / "f").read_bytes() == source.read_bytes()
    assert outbox.sent - before <= on_wire(MEBIBYTE) + SLACK


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_receiver_restarts_meanwhile(lab: Lab, how: str) -> None:
    """A piece is skipped before the restart, and more pieces after it. The copy just takes
    longer."""
    outbox, source = with_part(lab, 12 * MEBIBYTE, 11 * MEBIBYTE + 5)
    with open(outbox.part("f"), "r+b") as part:
        part.seek(MEBIBYTE)
        part.write(os.urandom(2 * MEBIBYTE))
    outbox.start()
    outbox.bob.via.freeze_after(MEBIBYTE)
    before = outbox.sent
    cp = lab.spawn("cp", source, outbox.target)
    poll_until(lambda: outbox.bob.via.is_frozen, 60, "half of the second piece")
    if how == "SIGKILL":
        outbox.bob.kill()
    else:
        outbox.bob.stop(signal.SIGTERM)
    assert outbox.names() == ["f.part"]
    outbox.bob.via.thaw()
    outbox.bob.start()
    assert cp.wait(90) == 0
    outbox.expect("f", source.read_bytes())
    assert outbox.names() == ["f"]
    # All that was sent may have been in flight. What is skipped would be much more.
    assert outbox.sent - before <= 2 * on_wire(3 * MEBIBYTE) + SLACK
    outbox.bob.stop()
    assert not any((outbox.inbox / ".ibbfs").glob("*"))


def test_cut_while_the_receiver_is_away(lab: Lab) -> None:
    """The pieces that were to be skipped are gone. That is a clear error, and the next copy sends
    them."""
    outbox, source = with_part(lab, 3 * MEBIBYTE, 3 * MEBIBYTE)
    with open(outbox.part("f"), "r+b") as part:
        part.write(os.urandom(MEBIBYTE))
    outbox.start()
    outbox.bob.via.freeze_after(MEBIBYTE // 2)
    cp = lab.spawn("cp", source, outbox.target, text=True)
    poll_until(lambda: outbox.bob.via.is_frozen, 60, "half of the first piece")
    outbox.bob.kill()
    os.truncate(outbox.part("f"), 2 * MEBIBYTE)
    outbox.bob.via.thaw()
    outbox.bob.start()
    assert cp.wait(90) != 0
    assert outbox.names() == ["f.part"]
    outbox.expect_rest(source, 2 * MEBIBYTE)


# ---- another file of that name ----


@pytest.mark.parametrize("size", [0, 5, 2 * MEBIBYTE + 1])
def test_shorter_file(lab: Lab, size: int) -> None:
    outbox, source = with_part(lab, 3 * MEBIBYTE, 3 * MEBIBYTE)
    os.truncate(source, size)
    outbox.start()
    outbox.expect_rest(source, size % MEBIBYTE)


def test_other_file(lab: Lab) -> None:
    outbox, source = with_part(lab, 2 * MEBIBYTE, 2 * MEBIBYTE)
    source.write_bytes(os.urandom(2 * MEBIBYTE + 5000))
    outbox.start()
    outbox.expect_rest(source, 2 * MEBIBYTE + 5000)


@pytest.mark.parametrize("how", ["message", "reconnect"])
def test_not_continued(lab: Lab, how: str) -> None:
    """All of it comes again, which replaces the part: attempts leave one in all."""
    options = "reconnect=0" if how == "reconnect" else ""
    outbox, source = with_part(lab, 10_000, 0, options)
    outbox.part("f").write_bytes(os.urandom(50_000))
    outbox.start()
    if how == "message":
        os.setxattr(outbox.target, "user.ibb.stanza", b"message")
    for content in (b"a" * 100, b"b" * 50):
        writer = open(outbox.target / "f", "wb", buffering=0)
        writer.write(content)
        os.fsync(writer.fileno())
        assert outbox.part("f").read_bytes().startswith(content)
        os.unlink(outbox.target / "f")
        with pytest.raises(OSError):
            writer.close()
        outbox.wait_broken("f")
    assert outbox.names() == ["f.part"]
    assert outbox.part("f").stat().st_size == 50_000
    assert lab.run("cp", source, outbox.target).returncode == 0
    outbox.expect("f", source.read_bytes())
    assert outbox.names() == ["f"]


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "empty"])
def test_part_that_is_no_part(lab: Lab, kind: str) -> None:
    outbox = Outbox(lab)
    source = lab.random_file(1000, "f")
    other = lab.random_file(1000, "other")
    part = outbox.part("f")
    before = other.read_bytes()
    if kind == "directory":
        part.mkdir()
    elif kind == "link":
        part.symlink_to(other)
    elif kind == "hard link":
        os.link(other, part)
    else:
        part.touch()
    outbox.start()
    done = lab.run("cp", source, outbox.target)
    assert done.returncode == 0, done.stderr
    outbox.expect("f" if kind == "empty" else "f (2)", source.read_bytes())
    assert outbox.names() == (["f"] if kind == "empty" else ["f (2)", "f.part"])
    assert other.read_bytes() == before


def test_whole_file_of_that_name(lab: Lab) -> None:
    """The whole file stays. A new file gets another name, and completes the part of that name."""
    outbox, source = with_part(lab, MEBIBYTE, 0)
    outbox.part("f").unlink()
    (outbox.arrived / "f").write_bytes(b"old")
    (outbox.arrived / "f (2).part").write_bytes(source.read_bytes()[:-5])
    outbox.start()
    before = outbox.sent
    assert lab.run("cp", source, outbox.target).returncode == 0
    outbox.expect("f (2)", source.read_bytes())
    assert outbox.names() == ["f", "f (2)"]
    assert outbox.sent - before <= SLACK


def test_reader_meanwhile(lab: Lab) -> None:
    """It never sees a byte of the other file, which the part still has."""
    outbox, source = with_part(lab, 3 * MEBIBYTE, 3 * MEBIBYTE)
    content = os.urandom(2 * MEBIBYTE)
    outbox.start()
    with open(outbox.target / "f", "wb", buffering=0) as writer:
        path = outbox.bob.incoming(outbox.alice, "f")
        poll_until(path.exists, what="f")
        with open(path, "rb", buffering=0) as reader:
            assert os.pread(reader.fileno(), MEBIBYTE, 0) == b""
            writer.write(content[:100])
            os.fsync(writer.fileno())
            assert os.pread(reader.fileno(), MEBIBYTE, 0) == content[:100]
            assert os.pread(reader.fileno(), MEBIBYTE, 100) == b""
            writer.write(content[100:])
            os.fsync(writer.fileno())
            assert reader.read() == content
    outbox.expect("f", content)


# ---- writers of all kinds ----


def test_damage_meanwhile(lab: Lab) -> None:
    """There is never a wrong file: this copy fails, and the next one sends the damaged pieces."""
    outbox, source = with_part(lab, 3 * MEBIBYTE, 3 * MEBIBYTE)
    outbox.start()
    content = source.read_bytes()
    writer = open(outbox.target / "f", "wb", buffering=0)
    writer.write(content[: 2 * MEBIBYTE])
    os.fsync(writer.fileno())
    with open(outbox.part("f"), "r+b") as part:
        part.seek(MEBIBYTE)
        part.write(b"damaged")
    writer.write(content[2 * MEBIBYTE :])
    try:
        writer.close()
        outbox.wait_broken("f")  # it did not know that it was the last
    except OSError as error:
        assert error.errno == errno.EIO
    assert outbox.names() == ["f.part"]
    outbox.expect_rest(source, MEBIBYTE)


def test_cut_meanwhile(lab: Lab) -> None:
    outbox, source = with_part(lab, 3 * MEBIBYTE, 3 * MEBIBYTE)
    outbox.start()
    content = source.read_bytes()
    writer = open(outbox.target / "f", "wb", buffering=0)
    writer.write(content[:MEBIBYTE])
    os.fsync(writer.fileno())
    os.truncate(outbox.part("f"), MEBIBYTE)
    with pytest.raises(OSError):
        writer.write(content[MEBIBYTE:])
        os.fsync(writer.fileno())
    with contextlib.suppress(OSError):
        writer.close()
    assert outbox.names() == ["f.part"]
    outbox.expect_rest(source, 2 * MEBIBYTE)


def test_fsync_and_small_writes(lab: Lab) -> None:
    outbox, source = with_part(lab, 2 * MEBIBYTE, 2 * MEBIBYTE - 5)
    outbox.start()
    content = source.read_bytes()
    with open(outbox.target / "f", "wb", buffering=0) as file:
        for at in range(0, len(content), 100_007):
            file.write(content[at : at + 100_007])
            if at == 1_200_084:
                os.fsync(file.fileno())
    outbox.expect("f", content)


def test_sparse_file(lab: Lab) -> None:
    """Zeros of a gap are pieces as well."""
    outbox = Outbox(lab)
    source, part = lab.random_file(5, "f"), outbox.part("f")
    os.truncate(source, 3 * MEBIBYTE)
    part.write_bytes(source.read_bytes()[:-100])
    outbox.start()
    outbox.expect_rest(source, 100)


def test_two_at_once(lab: Lab) -> None:
    """While its sender is active, a part is completed by no one else: the other sender's file has
    another name."""
    outbox, source = with_part(lab, 2 * MEBIBYTE, MEBIBYTE)
    outbox.start()
    content = source.read_bytes()
    first = open(outbox.target / "f", "wb", buffering=0)
    first.write(content[: MEBIBYTE + 5])
    os.fsync(first.fileno())
    (outbox.alice.path / outbox.bob.jid / "f").write_bytes(b"another")
    first.write(content[MEBIBYTE + 5 :])
    first.close()
    outbox.expect("f", content)
    outbox.expect("f (2)", b"another")


def test_quota_knows_what_is_there(lab: Lab) -> None:
    outbox, source = with_part(lab, 3 * MEBIBYTE, 2 * MEBIBYTE, "inbox_quota=4M")
    outbox.start()
    outbox.expect_rest(source, MEBIBYTE)
