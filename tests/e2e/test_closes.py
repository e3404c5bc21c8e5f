# SPDX-License-Identifier: MIT
"""Closes that the daemon finds together: each waits for the end of its own stream, or leaves it to
those who still have the file open, whatever the way that they have got it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import Mount, poll_until
from lab import Lab, wait_blocked
from rawpeer import RawPeer, is_kind, payload
from test_killed import FEATURES, end, name_of
from test_offers import offering, wait_offered

PROGRAM = """
import array, os, socket, subprocess, sys, threading

folder, names = sys.argv[1], sys.argv[2:]
here, there = socket.socketpair()
if os.fork() == 0:  # older than the opens
    here.close()
    _, rights, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
    there.send(b"x")
    there.recv(1)
    os.write(array.array("i", rights[0][2])[0], b"two")
    os._exit(0)
there.close()
fds = {name: os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT) for name in names}
for fd in fds.values():
    os.write(fd, b"one ")
here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fds["passed"]]))])
here.recv(1)
again = os.dup(fds["twice"])
fd = fds["inherited"]
heir = subprocess.Popen(
    ["sh", "-c", f"read -r line; printf two >&{fd}"], pass_fds=[fd], stdin=subprocess.PIPE
)
while os.readlink(f"/proc/{heir.pid}/exe") == os.readlink("/proc/self/exe"):
    pass  # until exec, it has all of them
print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=os.close, args=(fd,)) for fd in fds.values()]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("closed", flush=True)
sys.stdin.readline()
os.write(again, b"two")
os.close(again)
heir.communicate(b"line")
here.send(b"x")
os.wait()
"""

POLLED = """
import os, select, sys, threading
poller = select.epoll()  # the first of the descriptors
fd = os.open(sys.argv[1] + "/anon_inode:[eventpoll]", os.O_WRONLY | os.O_CREAT)
os.write(fd, b"x")
poller.register(fd, select.EPOLLOUT)

def poll():
    while True:
        poller.poll()

threading.Thread(target=poll, daemon=True).start()
for _ in range(100):
    os.close(os.dup(fd))
    os.write(fd, b"x")
os._exit(0)
"""

CROWD = """
import os, sys, time
fds = [os.dup(0) for _ in range(900)]
parent = os.getpid()
for _ in range(60):
    if os.fork() == 0:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""

HANDING_OVER = """
import socket, subprocess, sys
pair = socket.socketpair()  # any process may have got the file
file = open(sys.argv[1], "wb", buffering=0)
file.write(b"one ")
heir = subprocess.Popen(
    ["sh", "-c", "read -r line; printf two"], stdin=subprocess.PIPE, stdout=file
)
print("ready", flush=True)
sys.stdin.readline()
file.close()
print("closed", flush=True)
heir.communicate(b"line")
sys.exit(heir.returncode)
"""

PASSED_ON = """
import array, os, socket, sys

def child(*closed, work):
    pid = os.fork()
    if pid == 0:
        for it in closed:
            it.close()
        work()
        os._exit(0)
    return pid

def receive():  # older than the open
    _, rights, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
    there.send(b"x")
    there.close()
    os.read(go_on, 1)
    os.write(array.array("i", rights[0][2])[0], b"two")

def pass_on():  # the only one that has a socket
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    here.recv(1)
    os.write(done, b"x")
    leave()

def leave():
    os.read(may_close, 1)
    os.close(fd)
    os.write(done, b"x")
    os.read(go_on, 1)

(go_on, let_on), (may_close, let_close), (is_done, done) = os.pipe(), os.pipe(), os.pipe()
here, there = socket.socketpair()
children = [child(here, work=receive)]
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"one ")
two = [child(there, work=pass_on), child(here, there, work=leave)]
here.close(), there.close()
os.close(fd)
os.read(is_done, 1)
print(*two, flush=True)
sys.stdin.readline()
os.write(let_close, b"xx")
for _ in two:
    os.read(is_done, 1)
print("closed", flush=True)
sys.stdin.readline()
os.write(let_on, b"xxx")
for pid in children + two:
    assert os.waitpid(pid, 0)[1] == 0
"""
ALONE = [f"alone-{n}" for n in range(3)]
SHARED = ["twice", "inherited", "passed"]

pytestmark = pytest.mark.once


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def sids(peer: RawPeer) -> dict[str, str]:
    return {name_of(s): payload(s).get("sid") for s in peer.find(is_kind("open"))}


def ended(peer: RawPeer) -> dict[str, str]:
    names = {sid: name for name, sid in sids(peer).items()}
    closes = [payload(stanza) for stanza in peer.find(is_kind("close"))]
    return {names[close.get("sid")]: end(close) for close in closes}


@contextlib.contextmanager
def stopped(mount: Mount) -> Iterator[None]:
    """The daemon reads all flushes that are sent meanwhile at once."""
    os.kill(mount.pid, signal.SIGSTOP)
    try:
        poll_until(lambda: state(mount.pid) == "T", what="a stopped daemon")
        yield
    finally:
        os.kill(mount.pid, signal.SIGCONT)


def tell(program: subprocess.Popen) -> None:
    program.stdin.write("\n")
    program.stdin.flush()


def close_together(mount: Mount, program: subprocess.Popen) -> None:
    with stopped(mount):
        tell(program)
        tasks = Path(f"/proc/{program.pid}/task")
        count = len(ALONE + SHARED) + 1  # and the main thread
        poll_until(lambda: len(list(tasks.iterdir())) == count, what="a thread per close")
        wait_blocked(*(int(t.name) for t in tasks.iterdir() if int(t.name) != program.pid))


def test_closes_together(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=FEATURES)
    program = lab.spawn(
        *[sys.executable, "-c", PROGRAM, mount.contact(peer), *ALONE, *SHARED],
        text=True, stdin=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout.readline() == "ready\n", program.communicate()
    close_together(mount, program)
    assert program.stdout.readline() == "closed\n", program.communicate()
    assert ended(peer) == dict.fromkeys(ALONE, "whole")

    program.communicate("\n", timeout=60)
    assert program.returncode == 0
    everything = dict.fromkeys(ALONE + SHARED, "whole")
    poll_until(lambda: ended(peer) == everything, what="the ends of all streams")
    for name, sid in sids(peer).items():
        assert peer.received(sid) == (b"one " if name in ALONE else b"one two"), name


def test_two_closes_of_a_file_that_one_has_passed_on(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=FEATURES)
    program = lab.spawn(
        *[sys.executable, "-c", PASSED_ON, mount.contact(peer) / "f"],
        text=True, stdin=subprocess.PIPE,
    )  # fmt: skip
    line = program.stdout.readline()
    assert line, program.communicate()
    with stopped(mount):
        tell(program)
        wait_blocked(*map(int, line.split()))
    assert program.stdout.readline() == "closed\n", program.communicate()
    assert ended(peer) == {}

    program.communicate("\n", timeout=60)
    assert program.returncode == 0
    poll_until(lambda: ended(peer) == {"f": "whole"}, what="the end of the stream")
    assert peer.received(sids(peer)["f"]) == b"one two"


@contextlib.contextmanager
def busy_machine(mount: Mount) -> Iterator[None]:
    """The daemon gets little of a processor."""
    is_over = threading.Event()

    def take_turns() -> None:
        while not is_over.wait(0.002):
            os.kill(mount.pid, signal.SIGSTOP)
            is_over.wait(0.1)
            os.kill(mount.pid, signal.SIGCONT)

    thread = threading.Thread(target=take_turns)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_search_that_takes_long(lab: Lab) -> None:
    """A file that another process still writes is not offered, however long it takes to see."""
    sender, receiver = offering(lab, "si")
    pipes = {"stdin": subprocess.PIPE, "text": True}
    crowd(lab)
    target = sender.contact(receiver) / "f"
    program = lab.spawn(sys.executable, "-c", HANDING_OVER, target, **pipes)
    assert program.stdout.readline() == "ready\n", program.communicate()
    with busy_machine(sender):
        tell(program)
        assert program.stdout.readline() == "closed\n", program.communicate()
    assert wait_offered(receiver, sender, "f").read_bytes() == b"one two"
    assert program.wait(20) == 0


def crowd(lab: Lab) -> None:
    """Many open files."""
    process = lab.spawn(sys.executable, "-c", CROWD, stdin=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n", process.communicate()


CLOSING = """
import os, socket, sys
pair = socket.socketpair()  # any process may have got the file
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"all of it")
os.fsync(fd)
print("ready", flush=True)
os.close(fd)
"""


def test_a_signal_during_a_search_that_takes_long(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=FEATURES)
    crowd(lab)
    with busy_machine(mount):
        program = lab.spawn(sys.executable, "-c", CLOSING, mount.contact(peer) / "f", text=True)
        assert program.stdout.readline() == "ready\n", program.communicate()
        wait_blocked(program.pid)
        program.kill()
        assert program.wait(3) == -signal.SIGKILL
    poll_until(lambda: ended(peer) == {"f": "broken"}, what="the end of the stream")


def test_a_name_of_what_is_no_file(lab: Lab) -> None:
    """The kernel keeps an epoll locked while it asks the daemon, which must not ask for it then."""
    mount, peer = lab.with_raw(features=FEATURES)
    done = lab.run(sys.executable, "-c", POLLED, mount.contact(peer), timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    wanted = {"anon_inode:[eventpoll]": "whole"}
    poll_until(lambda: ended(peer) == wanted, what="the end of the stream")
