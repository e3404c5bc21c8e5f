# SPDX-License-Identifier: MIT
"""Writers that are killed at random moments, and others that end well: each has the end at the peer
that it has had here, whatever the daemon can see of processes."""

from __future__ import annotations

import collections
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import Mount, is_mounted, poll_until, reap
from lab import Lab, fuse_call, is_running
from rawpeer import NS_IBB, NS_IBBFS, NS_INFO, NS_PING, RawPeer, Stanza, is_kind, payload, silence
from server import Account
from test_user import UserMount, user_mount

PROGRAM = Path(__file__).with_name("killed.py")
FEATURES = (NS_INFO, NS_PING, NS_IBB, NS_IBBFS)  # it is told the name, and how the stream ended

pytestmark = pytest.mark.once


class HidingMount(UserMount):
    """In a name space of its own, in which /proc shows processes to their own users only."""

    def command(self) -> list[str]:
        script = 'mount --make-rprivate /proc; mount -t proc -o hidepid=2 proc /proc; exec "$@"'
        unshare = ["unshare", "--mount", "--propagation", "unchanged"]
        return [*unshare, "sh", "-ec", script, "sh", *super().command()]


def visible(lab: Lab) -> tuple[Mount, RawPeer]:
    return lab.with_raw(features=FEATURES)


def no_descriptor(lab: Lab) -> tuple[Mount, RawPeer]:
    mount, peer = visible(lab)
    used = {int(entry.name) for entry in Path(f"/proc/{mount.pid}/fd").iterdir()}
    free = min(set(range(len(used) + 1)) - used)
    set_descriptors(mount, free)
    return mount, peer


def set_descriptors(mount: Mount, most: int) -> None:
    _, limit = resource.prlimit(mount.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(mount.pid, resource.RLIMIT_NOFILE, (min(most, limit), limit))


def hiding_mount(lab: Lab, account: Account) -> Mount:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a /proc")
    options = "uid=nobody,allow_root"
    return user_mount(lab, lab.shared_folder(), account, options, HidingMount).start()


def hidden(lab: Lab) -> tuple[Mount, RawPeer]:
    alice, bob = lab.accounts("alice", "bob")
    mount = hiding_mount(lab, alice)
    peer = lab.raw(bob, features=FEATURES)
    mount.wait_online(peer.jid)
    looks = ["nsenter", "--mount", "--root", "-t", str(mount.pid), "setpriv", "--reuid", "nobody"]
    looks += ["--regid", "65534", "--clear-groups", "cat", f"/proc/{os.getpid()}/status"]
    assert subprocess.run(looks, capture_output=True).returncode != 0, "/proc hides nothing"
    return mount, peer


WORLDS = {"visible": visible, "no descriptor": no_descriptor, "hidden": hidden}


def name_of(stanza: Stanza) -> str:
    return next(element.text for element in stanza.iter() if element.tag.endswith("}name"))


def end(close: Stanza) -> str:
    return "whole" if close.find(f"{{{NS_IBBFS}}}reset") is None else "broken"


def ends(peer: RawPeer) -> dict[str, str]:
    """By name: "whole" or "broken", of all streams that the peer has accepted."""
    names = {payload(s).get("sid"): name_of(s) for s in peer.find(is_kind("open"))}
    closes = {payload(s).get("sid"): payload(s) for s in peer.find(is_kind("close"))}
    missing = [name for sid, name in names.items() if sid not in closes]
    return {} if missing else {names[sid]: end(close) for sid, close in closes.items()}


WANTED = {"cut": {"broken"}, "ending": {"broken", "whole"}, "closed": {"whole"}, "left": {"whole"}}


def judge(lab: Lab, world: str, count: int, seed: int) -> dict[str, int]:
    """The count of files of each kind."""
    mount, peer = WORLDS[world](lab)
    done = lab.run(
        sys.executable, PROGRAM, mount.contact(peer), str(count), str(seed), timeout=600
    )
    assert (done.returncode, done.stderr) == (0, "")
    fates = dict(line.split() for line in done.stdout.splitlines())
    assert len(fates) == count
    found = poll_until(lambda: ends(peer), what="the ends of all streams")
    wrong = {
        name: (fate, found[name])
        for name, fate in fates.items()
        if name in found and found[name] not in WANTED[fate]
    }
    assert not wrong, f"{len(wrong)} of {count}: {wrong}"
    # A process that was killed before its open has no stream.
    lost = [name for name, fate in fates.items() if name not in found and fate != "cut"]
    assert not lost, lost
    if world == "no descriptor":
        # libfuse may start umount(8), which inherits the limit, but not the descriptors below it.
        set_descriptors(mount, sys.maxsize)
    mount.stop()
    return dict(collections.Counter(fates.values()))


@pytest.mark.parametrize("world", WORLDS)
def test_some_are_killed(lab: Lab, world: str) -> None:
    counts = judge(lab, world, 60, 1)
    assert {"cut", "closed", "left"} <= counts.keys(), counts


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", WORLDS)
def test_a_thousand_are_killed(lab: Lab, world: str) -> None:
    counts = judge(lab, world, 2600, 2)
    assert counts["cut"] + counts.get("ending", 0) >= 1000, counts


DUMPED = """
import os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"not all of it")
print("ready", flush=True)
signal.pause()
"""
DUMPING = (signal.SIGSEGV, signal.SIGQUIT, signal.SIGABRT)


@pytest.mark.parametrize("world", ["visible", "hidden"])
def test_signals_that_dump_a_core(lab: Lab, world: str) -> None:
    """Where the daemon does not see the process, the end is the one that the man page says: the
    kernel does not interrupt the close, so it is the same as after an exit."""
    mount, peer = WORLDS[world](lab)
    for number in DUMPING:
        path = mount.contact(peer) / number.name
        process = lab.spawn(sys.executable, "-c", DUMPED, path)
        assert process.stdout and process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(60) == -number
    found = poll_until(lambda: ends(peer), what="the ends of all streams")
    wanted = "broken" if world == "visible" else "whole"
    assert found == {number.name: wanted for number in DUMPING}


THREADED = """
import os, sys, threading, time
for _ in range(8):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"all of it")
os._exit(0)
"""


def test_a_process_with_threads_leaves(lab: Lab) -> None:
    """The kernel kills the other threads, and one of them may be the last to close the file."""
    mount, peer = visible(lab)
    names = [f"t{i}" for i in range(10)]
    for name in names:
        done = lab.run(sys.executable, "-c", THREADED, mount.contact(peer) / name)
        assert done.returncode == 0
    found = poll_until(lambda: ends(peer), what="the ends of all streams")
    assert found == dict.fromkeys(names, "whole")


FORBIDDEN = """
import ctypes, os, sys
PR_SET_SECCOMP, SECCOMP_MODE_STRICT = 22, 1
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"not all of it")
ctypes.CDLL(None).prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)
os.getppid()
"""


def test_a_process_that_seccomp_kills(lab: Lab) -> None:
    mount, peer = visible(lab)
    done = lab.run(sys.executable, "-c", FORBIDDEN, mount.contact(peer) / "f")
    assert done.returncode == -signal.SIGKILL
    assert poll_until(lambda: ends(peer), what="the end of the stream") == {"f": "broken"}


OPENED = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
if sys.argv[2] == "synced":
    os.write(fd, b"only the beginning")
    os.fsync(fd)
if sys.argv[2] == "shared":
    os.write(fd, b"only the beginning")
    if os.fork() == 0:
        os._exit(0)
    os.wait()
if sys.argv[2] == "inherited":
    os.write(fd, b"only the beginning")
    if os.fork() == 0:
        os.execlp("true", "true")  # and this closes the file
    os.wait()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_mount_that_is_forced_away(lab: Lab) -> None:
    """A file that was not closed does not end well: neither fsync nor an open is a close, nor is
    that of another process that had the file, too, be it by execve."""
    if os.geteuid() != 0:
        pytest.skip("only root can force a file system away")
    mount, peer = visible(lab)
    folder = mount.contact(peer)
    (folder / "closed").write_bytes(b"all of it")
    for kind in ("synced", "opened", "shared", "inherited"):
        process = lab.spawn(
            sys.executable, "-c", OPENED, folder / kind, kind, stdin=subprocess.PIPE
        )
        assert process.stdout and process.stdout.readline() == b"ready\n"
    subprocess.run(["umount", "-i", "-f", "-l", mount.path], check=True)
    mount.expect_exit(0)
    found = poll_until(lambda: ends(peer), what="the ends of all streams")
    broken = dict.fromkeys(["synced", "opened", "shared", "inherited"], "broken")
    assert found == broken | {"closed": "whole"}


SHARED = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"only the beginning")
os.fsync(fd)
child = os.fork()
if child == 0:
    os._exit(0)
print(child, flush=True)
sys.stdin.read()
"""


def has_left(pid: int) -> bool:
    """It is in its close, or has ended."""
    return not is_running(pid) or bool(fuse_call(pid))


@pytest.mark.parametrize("world", [visible, hidden])
def test_a_process_is_killed_when_another_one_has_just_left(
    lab: Lab, world: Callable[[Lab], tuple[Mount, RawPeer]]
) -> None:
    """The last close counts, though it is known sooner how it ended than about the first."""
    mount, peer = world(lab)
    names = [f"f{n}" for n in range(10)]
    for name in names:
        program = lab.spawn(
            sys.executable, "-c", SHARED, mount.contact(peer) / name, stdin=subprocess.PIPE
        )
        child = int(program.stdout.readline())
        poll_until(lambda: has_left(child), what="the first close")
        program.kill()
        program.wait()
    found = poll_until(lambda: ends(peer), what="the ends of all streams")
    assert found == dict.fromkeys(names, "broken")


def connection_of(mount: Mount) -> str:
    """The kernel's number."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        if words[4] == str(mount.path):
            return words[2].split(":")[1]
    raise ValueError(f"{mount.path} is not mounted")


def test_a_connection_that_is_aborted(lab: Lab) -> None:
    """The dead mount stays, so this is no end in good order."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a fusectl")
    mount, peer = visible(lab)
    connections = lab.folder / "connections"
    connections.mkdir()
    subprocess.run(["mount", "-t", "fusectl", "none", connections], check=True)
    try:
        (connections / connection_of(mount) / "abort").write_text("1")
    finally:
        subprocess.run(["umount", connections], check=True)
    mount.expect_exit(1)


def test_a_mount_that_another_one_has_replaced(lab: Lab) -> None:
    """The kernel gives the next mount the number of the one that has ended."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a tmpfs")
    mount, peer = lab.with_raw()
    peer.rules["close"] = silence  # the daemon waits for the answer before it ends
    (mount.contact(peer) / "f").write_bytes(b"all of it")
    subprocess.run(["umount", "-i", mount.path], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", mount.path], check=True)
    try:
        pid, mount.pid = mount.pid, 0
        assert reap(pid, 20) == 0
    finally:
        subprocess.run(["umount", mount.path], check=True)


HELD = """
import ctypes, os, pathlib, sys, threading
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"all of it")
threading.Thread(target=os.close, args=[fd], daemon=True).start()
tasks = pathlib.Path("/proc/self/task")
while not any((t / "wchan").read_text() == "request_wait_answer" for t in tasks.iterdir()):
    pass
os.path.exists(sys.argv[2] + "/none")  # requests are served in order: the close is held now
MNT_FORCE, MNT_DETACH = 1, 2
os._exit(ctypes.CDLL(None).umount2(sys.argv[2].encode(), MNT_FORCE | MNT_DETACH))
"""


def test_a_mount_that_is_forced_away_during_a_close(lab: Lab) -> None:
    """The close of a process that cannot be seen is held for a moment, and its file goes."""
    mount, peer = hidden(lab)
    done = lab.run(sys.executable, "-c", HELD, mount.contact(peer) / "held", mount.path)
    assert done.returncode == 0, done.stderr
    mount.expect_exit(0)
    assert poll_until(lambda: ends(peer), what="the end of the stream") == {"held": "broken"}


class EnclosedMount(Mount):
    """In a pid name space of its own, and with the /proc of the one above."""

    inner: int = 0  # the daemon's number

    def start(self) -> EnclosedMount:
        self.path.mkdir(exist_ok=True)
        command = ["unshare", "--pid", "--fork", *self.command(), "-f"]
        with open(self.beside(".err"), "wb") as err:
            outer = subprocess.Popen(command, stdout=err, stderr=err)
        poll_until(lambda: is_mounted(self.path), what=f"{self.path} mounted")
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        self.inner, self.pid = int(children[0]), outer.pid
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.pid:
            os.kill(self.inner, how)
            self.expect_exit(0)  # unshare has the same status


CLOSED = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"all of it")
os.close(fd)
"""

SELF_KILLED = """
import os, signal, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"not all of it")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_proc_of_another_name_space(lab: Lab) -> None:
    """Its numbers are those of other processes."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a pid name space")
    alice, bob = lab.accounts("alice", "bob")
    mount = EnclosedMount(lab.build, lab.server, alice, "mount", lab.folder / alice.user).start()
    lab.watch(mount)
    peer = lab.raw(bob, features=FEATURES)
    mount.wait_online(peer.jid)
    enter = ["nsenter", "--pid", "-t", str(mount.inner), sys.executable, "-c"]
    wanted = {}
    for number in range(3):
        lab.run(*enter, SELF_KILLED, mount.contact(peer) / f"killed{number}")
        done = lab.run(*enter, CLOSED, mount.contact(peer) / f"closed{number}")
        assert (done.returncode, done.stderr) == (0, "")
        wanted |= {f"killed{number}": "broken", f"closed{number}": "whole"}
    assert poll_until(lambda: ends(peer), what="the ends of all streams") == wanted
    mount.stop()

