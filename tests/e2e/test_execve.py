# SPDX-License-Identifier: MIT
"""Files that execve(2) closes, as they were opened with O_CLOEXEC: the kernel shows nothing of a
process that waits there, and lets whoever asks wait, too."""

from __future__ import annotations

import sys

import pytest

from daemon import poll_until
from lab import Lab
from rawpeer import RawPeer, Stanza, payload, result
from test_closes import ended
from test_killed import FEATURES

CHILD = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"some of it, ")
child = os.fork()
if child == 0:
    os.execlp("true", "true")
assert os.waitpid(child, 0)[1] == 0
os.write(fd, b"the rest")
os.close(fd)
"""

ITSELF = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"some of it, the rest")
os.execlp("true", "true")
"""

BESIDE = """
import os, sys
slow, fast = (os.open(f"{sys.argv[1]}/{name}", os.O_WRONLY | os.O_CREAT) for name in ("slow", "fast"))
os.write(fast, b"all of it")
os.write(slow, b"all of it")
child = os.fork()
if child == 0:
    os.execlp("true", "true")
size = text = "0"
while size == "0" or text != "0":  # it has new memory, and no code yet
    size, _, _, text, *_ = open(f"/proc/{child}/statm").read().split()
print("executes", flush=True)
os.close(fast)
print("closed", flush=True)
os.close(slow)
assert os.waitpid(child, 0)[1] == 0
"""

pytestmark = pytest.mark.once


def run(lab: Lab, program: str) -> tuple[RawPeer, bytes]:
    """What the peer has got of the file."""
    mount, peer = lab.with_raw(features=FEATURES)
    done = lab.run(sys.executable, "-c", program, mount.contact(peer) / "f", timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    poll_until(lambda: ended(peer) == {"f": "whole"}, what="the end of the stream")
    return peer.received(payload(peer.wait_open()).get("sid"))


@pytest.mark.parametrize("program", [CHILD, ITSELF], ids=["child", "itself"])
def test_execve(lab: Lab, program: str) -> None:
    assert run(lab, program) == b"some of it, the rest"


class Slow:
    """Acknowledges the blocks of the first stream later."""

    def __init__(self, peer: RawPeer):
        self._peer = peer
        self._held: list[Stanza] = []
        self._is_over = False
        peer.rules["data"] = self._answer

    def _answer(self, peer: RawPeer, stanza: Stanza) -> str | None:
        first = payload(peer.wait_open()).get("sid")
        if self._is_over or payload(stanza).get("sid") != first:
            return result(stanza)
        self._held.append(stanza)
        return None

    def go_on(self) -> None:
        self._is_over = True
        for stanza in self._held:
            self._peer.send(result(stanza))


def test_a_close_beside_execve(lab: Lab) -> None:
    """A search for other writers meets a process that waits in execve, for the peer."""
    mount, peer = lab.with_raw(features=FEATURES)
    slow = Slow(peer)
    program = lab.spawn(sys.executable, "-c", BESIDE, mount.contact(peer), text=True)
    assert program.stdout.readline() == "executes\n", program.communicate()
    done = lab.run("ls", mount.path, timeout=5)
    assert done.returncode == 0
    assert program.stdout.readline() == "closed\n", program.communicate()
    slow.go_on()
    assert program.wait(20) == 0, program.communicate()
    everything = {"slow": "whole", "fast": "whole"}
    poll_until(lambda: ended(peer) == everything, what="the ends of both streams")
