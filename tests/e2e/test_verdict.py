# SPDX-License-Identifier: MIT
"""The answer to <close/> is lost, and <close/> comes again: the sender's close tells the truth."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from daemon import Mount, bare, poll_until
from disks import Disk, running_disk
from lab import Lab
from rawpeer import NS_IBB, NS_IBBFS, NS_RESUME, RawPeer, condition

CONTENT = b"bytes" * 4000


@pytest.fixture
def disk(lab: Lab) -> Iterator[Disk]:
    with running_disk(lab) as disk:
        yield disk


def pair(lab: Lab, options: str) -> tuple[Mount, Mount]:
    first, second = lab.accounts("alice", "bob")
    alice, bob = lab.mount(first), lab.mount(second, options, via=lab.proxy(second))
    alice.wait_online(bob.jid)
    bob.wait_online(alice.jid)
    return alice, bob


def state(path: Path) -> bytes:
    return os.getxattr(path, "user.ibb.state")


def cut(bob: Mount) -> None:
    bob.via.cut()
    bob.via.unmute()


def kill(bob: Mount) -> None:
    bob.kill()
    cut(bob)
    bob.start()


def end_offline(bob: Mount) -> None:
    bob.via.refuse()
    cut(bob)
    poll_until(lambda: "\nconnection  down" in "\n" + bob.status(), what="offline")
    bob.stop()
    bob.via.accept()
    bob.start()


def failure(closing: Future[None]) -> int:
    """The errno, or 0."""
    try:
        closing.result(90)
    except OSError as error:
        return error.errno
    return 0


def close_unheard(
    lab: Lab, alice: Mount, bob: Mount, heard: Callable[[], bool], fault: Callable[[Mount], None]
) -> int:
    """The errno of a close that the receiver has heard, but whose answer is lost by the fault."""
    fd = os.open(alice.contact(bob) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, CONTENT)
    os.fsync(fd)
    bob.via.mute()
    closing = lab.background(os.close, fd)
    poll_until(heard, what="the end of the file")
    assert not closing.done()
    fault(bob)
    return failure(closing)


FAULTS = [cut, kill, end_offline]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_file_is_stored(lab: Lab, fault: Callable[[Mount], None]) -> None:
    alice, bob = pair(lab, f"inbox={lab.folder}/inbox")
    file = lab.folder / "inbox" / alice.account.jid / "f"
    assert close_unheard(lab, alice, bob, file.exists, fault) == 0
    assert file.read_bytes() == CONTENT
    bob.stop()
    assert not (lab.folder / "inbox" / ".ibbfs").exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_file_cannot_be_stored(lab: Lab, disk: Disk, fault: Callable[[Mount], None]) -> None:
    alice, bob = pair(lab, f"inbox={disk.path}/inbox")
    disk.fail("rename", errno.ENOSPC, 1)

    def has_failed() -> bool:
        return os.getxattr(bob.incoming(alice, "f"), "user.ibb.state") == b"broken"

    assert close_unheard(lab, alice, bob, has_failed, fault) == errno.ENOSPC
    assert not (disk.path / "inbox" / alice.account.jid / "f").exists()


def test_the_sender_asks_after_an_ordered_end(lab: Lab) -> None:
    """The receiver is killed, started, ended in order and started again, while the sender sleeps."""
    first, second = lab.accounts("alice", "bob")
    alice = lab.mount(first, via=lab.proxy(first))
    bob = lab.mount(second, f"inbox={lab.folder}/inbox", via=lab.proxy(second))
    alice.wait_online(bob.jid)
    bob.wait_online(alice.jid)
    folder = lab.folder / "inbox" / alice.account.jid

    def restart_twice(bob: Mount) -> None:
        alice.via.freeze()
        kill(bob)
        bob.stop()
        bob.start()
        alice.via.thaw()

    assert close_unheard(lab, alice, bob, (folder / "f").exists, restart_twice) == 0
    assert os.listdir(folder) == ["f"]
    bob.stop()
    assert not (lab.folder / "inbox" / ".ibbfs").exists()


@pytest.mark.parametrize("code", [0, errno.ENOSPC])
def test_the_sender_is_offline(lab: Lab, disk: Disk, code: int) -> None:
    """The answer goes nowhere, and the process that gave it ends in order."""
    first, second = lab.accounts("alice", "bob")
    alice = lab.mount(first, via=lab.proxy(first))
    bob = lab.mount(second, f"inbox={disk.path}/inbox")
    alice.wait_online(bob.jid)
    bob.wait_online(alice.jid)
    disk.hang("rename")
    fd = os.open(alice.contact(bob) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, CONTENT)
    closing = lab.background(os.close, fd)
    disk.wait_held()
    alice.via.refuse()
    cut(alice)
    bob.wait_offline(alice.jid)
    if code:
        disk.fail("rename", code, 1)
    disk.go()
    poll_until(lambda: "\nstreams     0\n" in bob.status(), what="the answer")
    bob.stop()
    bob.start()
    assert not closing.done()
    alice.via.accept()
    assert failure(closing) == code
    bob.wait_online(alice.jid)
    bob.stop()
    assert not any((disk.path / "inbox" / ".ibbfs").glob("*"))


def test_the_file_has_its_name_only(lab: Lab, disk: Disk) -> None:
    """The receiver is killed before it knows that the name is durable."""
    alice, bob = pair(lab, f"inbox={disk.path}/inbox")
    file = disk.path / "inbox" / alice.account.jid / "f"

    def is_named() -> bool:
        disk.wait_held()
        disk.hang("fsync")
        poll_until(file.exists, what="the name")
        return True

    def kill_and_go(bob: Mount) -> None:
        bob.kill()
        cut(bob)
        disk.go()
        bob.start()

    disk.hang("rename")
    assert close_unheard(lab, alice, bob, is_named, kill_and_go) == 0
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "wanted"), [(cut, 0), (kill, errno.ECONNRESET)], ids=["cut", "kill"]
)
def test_without_an_inbox(lab: Lab, fault: Callable[[Mount], None], wanted: int) -> None:
    """A receiver that was restarted cannot know who has read the bytes."""
    alice, bob = pair(lab, "")
    reader = lab.background(lambda: Path(bob.incoming(alice)).read_bytes())
    assert close_unheard(lab, alice, bob, reader.done, fault) == wanted
    assert reader.result() == CONTENT


def open_again(peer: RawPeer, to: str, *, resumable: bool) -> None:
    child = f"<resume xmlns='{NS_RESUME}'/>" if resumable else ""
    opened = f"<open xmlns='{NS_IBB}' sid='s' block-size='16'>{child}</open>"
    assert peer.request(to, opened).get("type") == "result"
    assert peer.data(to, "s", 0, b"a" * 16).get("type") == "result"


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("resumable", [False, True])
def test_a_sid_that_is_used_again(lab: Lab, resumable: bool, restarts: bool) -> None:
    """The answer of the first stream is not that of the second, which is broken."""
    mount, peer = lab.with_raw(f"inbox={lab.folder}/inbox")
    sent = f"<sent xmlns='{NS_IBBFS}' bytes='16'/>"
    open_again(peer, mount.jid, resumable=True)
    assert peer.close(mount.jid, "s", child=sent).get("type") == "result"
    open_again(peer, mount.jid, resumable=resumable)
    part = lab.folder / "inbox" / bare(peer) / "s (2).part"
    assert part.exists()
    if restarts:
        mount.kill()
        part.unlink()
        mount.start()
        mount.wait_online(peer.jid)
    else:
        assert condition(peer.data(mount.jid, "s", 1, "!")) == "bad-request"
    answer = peer.close(mount.jid, "s", child=sent)
    assert condition(answer) in ("item-not-found", "not-acceptable")


def test_the_receiver_has_given_up(lab: Lab) -> None:
    """<close/> is lost with the sender's connection, which is back too late for the receiver."""
    first, second = lab.accounts("alice", "bob")
    alice = lab.mount(first, via=lab.proxy(first))
    bob = lab.mount(second, f"inbox={lab.folder}/inbox,reconnect=1")
    alice.wait_online(bob.jid)
    bob.wait_online(alice.jid)
    path = alice.contact(bob) / "f"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, CONTENT)
    os.fsync(fd)
    alice.via.mute()
    closing = lab.background(os.close, fd)
    poll_until(lambda: state(path) == b"closing", what="<close/>")
    alice.via.refuse()
    cut(alice)
    poll_until(lambda: state(bob.incoming(alice, "f")) == b"broken", what="the end for bob")
    assert not closing.done()
    alice.via.accept()
    with pytest.raises(ConnectionResetError):
        closing.result(60)
    folder = lab.folder / "inbox" / alice.account.jid
    assert os.listdir(folder) == ["f.part"]
