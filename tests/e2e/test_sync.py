# SPDX-License-Identifier: MIT
"""fsync of a file whose writer has left before the peer has confirmed the end waits for that."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from daemon import poll_until
from lab import Lab, wait_blocked
from rawpeer import NS_RESUME, RawPeer, Stanza, accept, error, is_kind, payload, result, silence
from test_killed import FEATURES

WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"x" * 100)
print("ready", flush=True)
os.close(fd)
"""
EXECUTES = WRITER.replace("os.close(fd)", "os.execvp('sleep', ['sleep', '60'])")

pytestmark = pytest.mark.once


def kill_writer(lab: Lab, peer: RawPeer, file: Path) -> None:
    """Its <close/> has been sent."""
    writer = lab.spawn(sys.executable, "-c", WRITER, file, text=True)
    assert writer.stdout.readline() == "ready\n", writer.communicate()
    peer.wait_for(is_kind("close"))
    wait_blocked(writer.pid)
    writer.kill()
    writer.wait(20)


def execute(lab: Lab, peer: RawPeer, file: Path) -> None:
    writer = lab.spawn(sys.executable, "-c", EXECUTES, file, text=True)
    assert writer.stdout.readline() == "ready\n", writer.communicate()
    peer.wait_for(is_kind("close"))


def sync(file: Path) -> int:
    """The errno, or 0."""
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as failure:
        return failure.errno
    finally:
        os.close(fd)
    return 0


def begin_sync(lab: Lab, file: Path) -> Future[int]:
    """It waits."""
    poll_until(lambda: os.getxattr(file, "user.ibb.state") != b"open", what="a released file")
    waiting = lab.background(sync, file)
    with pytest.raises(TimeoutError):
        waiting.result(0.3)
    return waiting


def refuse(close: Stanza) -> str:
    return error(close, "not-acceptable", "modify")


@pytest.mark.parametrize("answer, wanted", [(refuse, errno.ECONNRESET), (result, 0)])
@pytest.mark.parametrize("leave", [kill_writer, execute])
def test_the_peer_answers(
    lab: Lab,
    leave: Callable[[Lab, RawPeer, Path], None],
    answer: Callable[[Stanza], str],
    wanted: int,
) -> None:
    mount, peer = lab.with_raw(features=FEATURES)
    peer.rules["close"] = silence
    file = mount.contact(peer) / "f"
    leave(lab, peer, file)
    waiting = begin_sync(lab, file)
    peer.send(answer(peer.wait_for(is_kind("close"))))
    assert waiting.result(20) == wanted
    assert sync(file) == wanted
    state = os.getxattr(file, "user.ibb.state")
    assert state == (b"broken" if wanted else b"finished")


def test_bytes_that_the_peer_has_not(lab: Lab) -> None:
    """<close/> has followed the last block, whose acknowledgement has not come."""
    mount, peer = lab.with_raw(features=(*FEATURES, NS_RESUME))
    peer.rules["close"] = peer.rules["data"] = silence
    file = mount.contact(peer) / "f"
    kill_writer(lab, peer, file)
    waiting = begin_sync(lab, file)
    peer.send(refuse(peer.wait_for(is_kind("close"))))
    assert waiting.result(20) == errno.ECONNRESET
    assert sync(file) == errno.ECONNRESET


def test_nobody_waits_for_bytes_that_the_peer_misses(lab: Lab) -> None:
    """A signal ends the fsync after the peer has asked for the block again."""
    mount, peer = lab.with_raw(features=(*FEATURES, NS_RESUME))
    peer.rules["close"] = peer.rules["data"] = silence
    file = mount.contact(peer) / "f"
    kill_writer(lab, peer, file)
    waiting = lab.spawn("sync", file)
    wait_blocked(waiting.pid)
    peer.send(error(peer.wait_for(is_kind("close")), "unexpected-request", "wait"))
    again = peer.wait_for(is_kind("data"), count=2)
    wait_blocked(waiting.pid)
    waiting.kill()
    waiting.wait(20)
    peer.rules["close"] = accept
    peer.send(result(again))
    peer.wait_for(is_kind("close"), count=2)
    assert sync(file) == 0


def test_the_peer_goes(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=FEATURES)
    peer.rules["close"] = silence
    file = mount.contact(peer) / "f"
    kill_writer(lab, peer, file)
    waiting = begin_sync(lab, file)
    peer.stop()
    assert waiting.result(20) == errno.ECONNRESET
    assert sync(file) == errno.ECONNRESET


def test_the_name_is_written_again(lab: Lab) -> None:
    """What becomes of the earlier stream concerns the new one no more."""
    mount, peer = lab.with_raw(features=FEATURES)
    peer.rules["close"] = silence
    file = mount.contact(peer) / "f"
    kill_writer(lab, peer, file)
    close = peer.wait_for(is_kind("close"))
    peer.rules["close"] = accept
    file.write_bytes(b"again")
    peer.send(refuse(close))
    sid = payload(peer.wait_open(2)).get("sid")
    assert peer.received(sid) == b"again"
    assert sync(file) == 0


def test_the_name_is_removed(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=FEATURES)
    peer.rules["close"] = silence
    file = mount.contact(peer) / "f"
    kill_writer(lab, peer, file)
    poll_until(lambda: os.getxattr(file, "user.ibb.state") != b"open", what="a released file")
    fd = os.open(file, os.O_RDONLY)
    file.unlink()
    waiting = lab.background(os.fsync, fd)
    with pytest.raises(TimeoutError):
        waiting.result(0.3)
    peer.send(refuse(peer.wait_for(is_kind("close"))))
    with pytest.raises(ConnectionResetError):
        waiting.result(20)
    os.close(fd)


def test_the_daemon_ends(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=FEATURES)
    peer.rules["close"] = silence
    file = mount.contact(peer) / "f"
    kill_writer(lab, peer, file)
    waiting = lab.spawn("sync", file)
    wait_blocked(waiting.pid)
    mount.stop()
    assert waiting.wait(20) == 1
