# SPDX-License-Identifier: MIT
"""Signals that come while a call waits: those that end nobody, and those that do.

Open, close and fsync wait on until the peer has answered; a read gives EINTR and a write its bytes,
as on a pipe. The tests hold the peer's answers back, and give them when the signals have come.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon import Build, poll_until
from lab import Lab, fuse_call, wait_blocked
from rawpeer import RawPeer, Stanza, accept, is_kind, payload, result
from signalled import ALL, CHUNK, ENDING, LARGE, SIGNALS

PROGRAM = Path(__file__).with_name("signalled.py")
BARRIERS = ("open", "close", "fsync", "write_sync")
LOOK_SECONDS = 0.15  # longer than the 100 ms in which a signal ends a call
MACHINE_SECONDS = 1.0  # and the delay of a busy machine
FAILURES = b"/sys/power/suspend_stats/failed_freeze"

pytestmark = pytest.mark.once


class Held:
    """Answers of peers, held back until they are released."""

    def __init__(self) -> None:
        self.stanzas: list[tuple[RawPeer, Stanza]] = []

    def hold(self, peer: RawPeer, stanza: Stanza) -> None:
        self.stanzas.append((peer, stanza))

    def release(self, most: int = sys.maxsize) -> None:
        while self.stanzas and most > 0:
            most -= 1
            peer, stanza = self.stanzas.pop(0)
            peer.send(result(stanza))


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def field(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)[name]


def wait_interrupted(pid: int) -> None:
    """The kernel has told the daemon: the wait is not interruptible any more, or over."""
    poll_until(lambda: state(pid) != "S" or not fuse_call(pid), what="an interrupt")


@dataclass
class Caller:
    call: str
    how: str
    process: subprocess.Popen

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, *names: object) -> None:
        self.process.stdin.writelines(f"{name}\n" for name in names)
        self.process.stdin.flush()

    def result(self) -> tuple[int, int]:
        number, error = self.process.stdout.readline().split()
        return int(number), int(error)

    def succeeds(self) -> bool:
        number, error = self.result()
        wanted = {"open": number, "write_sync": len(CHUNK)}.get(self.call, 0)
        return error == 0 and number == wanted


def stay_in_call(callers: list[Caller]) -> None:
    outputs = {caller.process.stdout: (caller.call, caller.how) for caller in callers}
    ended, _, _ = select.select(list(outputs), [], [], LOOK_SECONDS)
    assert not ended, f"have ended: {[(outputs[o], o.readline()) for o in ended]}"


class Scene:
    """A mount, and the peers to whom its processes write; all of their answers can be held."""

    def __init__(self, lab: Lab):
        self.lab = lab
        names = ("alice", "bob", "carol")
        alice, *others = lab.accounts(*names)
        self.mount = lab.mount(alice, "window=64K")
        # bob accepts streams and acknowledges late; carol accepts late.
        self.bob, self.carol = (lab.raw(account) for account in others)
        self.held = Held()
        self.bob.rules["data"] = self.carol.rules["open"] = self.held.hold
        for peer in (self.bob, self.carol):
            self.mount.wait_online(peer.jid)
        self.streams = 0

    def path_for(self, call: str, how: str) -> Path:
        if call == "open":
            return self.mount.contact(self.carol) / how
        if call in ("read", "read_all"):
            self.streams += 1
            self.bob.open(self.mount.jid, f"s{self.streams}")
            return self.mount.incoming(self.bob, f"s{self.streams}")
        return self.mount.contact(self.bob) / f"{call}-{how}"

    def caller(self, call: str, how: str) -> Caller:
        process = self.lab.spawn(
            sys.executable, PROGRAM, call, self.path_for(call, how), how,
            text=True, stdin=subprocess.PIPE,
            process_group=0,  # SIGTSTP stops nobody in an orphaned process group
        )  # fmt: skip
        return Caller(call, how, process)

    def callers(self, *calls: str, how: tuple[str, ...]) -> list[Caller]:
        found = [self.caller(call, way) for call in calls for way in how]
        for caller in found:
            assert caller.process.stdout.readline() == "ready\n", caller.process.communicate()
        return found


@pytest.fixture
def scene(lab: Lab) -> Scene:
    return Scene(lab)


def send(callers: list[Caller], number: signal.Signals) -> None:
    for caller in callers:
        os.kill(caller.pid, number)


def begin(callers: list[Caller], name: object = "") -> None:
    for caller in callers:
        caller.tell(name)
    wait_blocked(*(caller.pid for caller in callers))


def expect_success(scene: Scene, callers: list[Caller], what: object) -> None:
    scene.held.release()
    failed = [(c.call, c.how) for c in callers if not c.succeeds()]
    assert not failed, f"after {what}: {failed}"


# ---- signals that end nobody ----


def test_caught_signals_do_not_end_a_barrier(scene: Scene) -> None:
    callers = scene.callers(*BARRIERS, how=("caught", "restarted"))
    for number in SIGNALS:
        begin(callers, f"-{number}")
        send(callers, number)
        for caller in callers:
            wait_interrupted(caller.pid)
        stay_in_call(callers)
        expect_success(scene, callers, number)


STOPS = [signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]
NOTHINGS = [signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH]


def test_default_actions_that_end_nobody(scene: Scene) -> None:
    callers = scene.callers(*BARRIERS, how=("default",))
    pids = [caller.pid for caller in callers]
    for number in STOPS + NOTHINGS:
        begin(callers, f"-{number}")
        send(callers, number)
        if number in STOPS:
            for pid in pids:
                wait_interrupted(pid)
        stay_in_call(callers)
        if number == signal.SIGTSTP:  # the peer answers first: now they stop
            scene.held.release()
            for pid in pids:
                poll_until(lambda pid=pid: state(pid) == "T", what="a process that has stopped")
        send(callers, signal.SIGCONT)
        if number != signal.SIGTSTP:
            stay_in_call(callers)
        expect_success(scene, callers, number)


def test_fifty_signals_a_second(scene: Scene) -> None:
    callers = scene.callers(*BARRIERS, how=("caught", "restarted"))
    begin(callers, "-many")
    for i in range(100):
        send(callers, SIGNALS[i % len(SIGNALS)])
        time.sleep(0.02)
    stay_in_call(callers)
    expect_success(scene, callers, "100 signals")


def test_fifty_signals_a_second_at_reads_and_writes(scene: Scene) -> None:
    """No byte is lost or doubled, and no call fails but with EINTR."""
    callers = scene.callers("read_all", "write_all", how=("caught", "restarted"))
    begin(callers, "")
    bob = scene.bob
    sids = [f"s{number + 1}" for number in range(2)]
    blocks = [ALL[at : at + 4096] for at in range(0, len(ALL), 4096)]
    for number, block in enumerate(blocks):
        send(callers, SIGNALS[number % len(SIGNALS)])
        for sid in sids:
            bob.data(scene.mount.jid, sid, number, block, wait=False)
        scene.held.release(6)  # of both writers
        time.sleep(0.02)
    for sid in sids:
        bob.close(scene.mount.jid, sid)
    bob.rules["data"] = accept
    scene.held.release()
    assert [caller.result() for caller in callers] == [(len(ALL), 0)] * len(callers)
    for caller in callers:
        caller.process.stdin.close()
        assert caller.process.wait(20) == 0
    opens = [payload(stanza).get("sid") for stanza in bob.find(is_kind("open"))]
    assert len(opens) == 2
    for sid in opens:
        assert bob.received(sid) == ALL


def test_reads_and_writes_are_interrupted_as_on_a_pipe(scene: Scene) -> None:
    """Tools repeat a read that gives EINTR, and a write gives its bytes."""
    writers = scene.callers("write", how=("caught", "restarted"))
    begin(writers)
    for number in SIGNALS:
        send(writers, number)
        for writer in writers:
            taken, error = writer.result()
            assert (taken, error) in ((len(LARGE), 0), (-1, errno.EINTR)), number
        begin(writers)
    readers = scene.callers("read", how=("caught", "restarted"))
    for number in SIGNALS:
        begin(readers)
        send(readers, number)
        assert [reader.result() for reader in readers] == [(-1, errno.EINTR)] * 2, number


def test_reads_and_writes_of_those_that_have_no_handlers(scene: Scene) -> None:
    callers = scene.callers("read", "write", how=("default",))
    reader, writer = callers
    begin(callers)
    for number in NOTHINGS:
        send(callers, number)
    stay_in_call(callers)
    for number in STOPS:
        send(callers, number)
        for caller in callers:
            poll_until(lambda pid=caller.pid: state(pid) == "T", what="a process that has stopped")
        send(callers, signal.SIGCONT)
        assert reader.result() == (-1, errno.EINTR)
        begin([reader])
        wait_blocked(writer.pid)  # it writes on


def test_an_offered_file(lab: Lab) -> None:
    """The close of an offered file waits for a person."""
    alice, bob = lab.pair(f"spool={lab.folder}/spool")
    os.setxattr(alice.contact(bob), "user.ibb.format", b"jingle")
    source = lab.random_file(5000)
    copy = lab.spawn("cp", source, alice.contact(bob) / "f")
    there = bob.incoming(alice, "f")
    poll_until(there.exists, what="the offer")
    wait_blocked(copy.pid)
    for number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT):
        copy.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            copy.wait(LOOK_SECONDS)
    assert there.read_bytes() == source.read_bytes()
    assert copy.wait(20) == 0


# ---- signals that do ----


@pytest.mark.parametrize("before", [None, signal.SIGWINCH, signal.SIGSTOP])
def test_signals_that_end_a_barrier(scene: Scene, before: signal.Signals | None) -> None:
    """They end it even if another signal has come before: the kernel sends no second interrupt."""
    callers = scene.callers(*BARRIERS, how=("caught", "restarted"))
    for number in ENDING if before is None else (signal.SIGINT,):
        begin(callers, f"-{number}")
        if before:
            send(callers, before)
            stay_in_call(callers)
        if before == signal.SIGSTOP:
            send(callers, signal.SIGCONT)
        sent = time.monotonic()
        send(callers, number)
        assert [caller.result() for caller in callers] == [(-1, errno.EINTR)] * len(callers)
        took = time.monotonic() - sent
        assert took < MACHINE_SECONDS, f"{took:.3f} s after {number!r}"
        scene.held.release()
        fsyncs = [caller for caller in callers if caller.call == "fsync"]
        begin(fsyncs)  # these streams go on
        expect_success(scene, fsyncs, "an interrupted fsync")


@pytest.mark.parametrize("before", [None, signal.SIGSTOP])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGALRM])
def test_signals_that_end_a_process(
    scene: Scene, before: signal.Signals | None, number: signal.Signals
) -> None:
    callers = scene.callers(*BARRIERS, "read", "write", how=("default",))
    begin(callers, "-x")
    if before:
        send([caller for caller in callers if caller.call in BARRIERS], before)
        stay_in_call(callers)
    sent = time.monotonic()
    send(callers, number)
    if before:
        send(callers, signal.SIGCONT)
    assert [caller.process.wait(20) for caller in callers] == [-number] * len(callers)
    took = time.monotonic() - sent
    assert took < MACHINE_SECONDS, f"{took:.3f} s"


CLOSE = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, lambda *_: None)
signal.siginterrupt(signal.SIGINT, True)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"x")
print("ready", flush=True)
sys.stdin.readline()
libc = ctypes.CDLL(None, use_errno=True)
print(libc.close(fd), ctypes.get_errno(), flush=True)
"""


def test_a_signal_that_comes_with_the_close(scene: Scene) -> None:
    """The daemon reads both before it begins the closes that have come together."""
    callers = []
    for name in ("one", "other"):
        path = scene.mount.contact(scene.bob) / name
        process = scene.lab.spawn(
            sys.executable, "-c", CLOSE, path, text=True, stdin=subprocess.PIPE
        )
        callers.append(Caller("close", "caught", process))
        assert process.stdout.readline() == "ready\n"
    os.kill(scene.mount.pid, signal.SIGSTOP)
    try:
        poll_until(lambda: state(scene.mount.pid) == "T", what="a stopped daemon")
        begin(callers)
        send(callers[:1], signal.SIGINT)
        wait_interrupted(callers[0].pid)
    finally:
        os.kill(scene.mount.pid, signal.SIGCONT)
    assert callers[0].result() == (-1, errno.EINTR)
    stay_in_call(callers[1:])
    expect_success(scene, callers[1:], "a signal for another one")


# ---- tracers, freezers, sleep ----


def test_strace(scene: Scene) -> None:
    callers = scene.callers(*BARRIERS, how=("default",))
    begin(callers, "-traced")
    tracers = []
    for caller in callers:
        tracer = scene.lab.spawn("strace", "-p", str(caller.pid), "-o", scene.lab.folder / "trace")
        tracers.append(tracer)
        poll_until(lambda: field(caller.pid, "TracerPid") == str(tracer.pid), what="strace")
        wait_interrupted(caller.pid)
    stay_in_call(callers)
    expect_success(scene, callers, "strace")
    # Traced from the start, with a signal that is caught and one that is not.
    begin(callers, "-traced2")
    send(callers, signal.SIGWINCH)
    stay_in_call(callers)
    expect_success(scene, callers, "a signal under strace")
    for tracer in tracers:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)


def cgroup_folder(kind: str, needed: str) -> Path:
    """Where control groups of that kind are; the test is skipped where none can be made."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        head, tail = line.split(" - ")
        if tail.split()[0] == kind and needed in tail.split()[2].split(","):
            return Path(head.split()[4])
    pytest.skip(f"no {kind} with {needed}")


@contextlib.contextmanager
def new_cgroup(kind: str, needed: str, callers: list[Caller]) -> Iterator[Path]:
    home = cgroup_folder(kind, needed)
    group = home / f"ibbfs-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"{group}: {error.strerror}")
    try:
        for caller in callers:
            (group / "cgroup.procs").write_text(str(caller.pid))
        yield group
    finally:
        for name, text in (("cgroup.freeze", "0"), ("freezer.state", "THAWED")):
            if (group / name).exists():
                (group / name).write_text(text)
        for caller in callers:
            with contextlib.suppress(OSError):
                (home / "cgroup.procs").write_text(str(caller.pid))
        group.rmdir()


def test_a_frozen_cgroup(scene: Scene) -> None:
    """Version 2: the processes freeze when their calls are over, and nothing fails."""
    callers = scene.callers(*BARRIERS, "read", how=("default",))
    barriers = callers[:-1]
    pids = [caller.pid for caller in barriers]
    with new_cgroup("cgroup2", "rw", callers) as group:
        if not (group / "cgroup.freeze").exists():
            pytest.skip("a kernel without this freezer")

        def is_frozen() -> bool:
            return "frozen 1" in (group / "cgroup.events").read_text()

        begin(callers, "-frozen")
        (group / "cgroup.freeze").write_text("1")
        for pid in pids:
            wait_interrupted(pid)
        stay_in_call(barriers)
        assert not is_frozen()
        scene.held.release()
        poll_until(is_frozen, what="the group is frozen")
        (group / "cgroup.freeze").write_text("0")
        expect_success(scene, barriers, "a freeze")
        assert callers[-1].result() == (-1, errno.EINTR)
        # Thawed before the peer answers.
        begin(barriers, "-thawed")
        for text in "10":
            (group / "cgroup.freeze").write_text(text)
            stay_in_call(barriers)
        expect_success(scene, barriers, "a freeze and a thaw")


def with_failures_in(build: Build, path: Path, folder: Path) -> Build:
    """A copy of the program that reads the kernel's count of failed freezes from `path`."""
    program = build.binary.read_bytes()
    assert program.count(FAILURES + b"\0") == 1
    name = os.fsencode(path)
    padded = b"/" * (len(FAILURES) - len(name)) + name
    assert len(padded) == len(FAILURES)
    copy = folder / "ibbfs"
    copy.write_bytes(program.replace(FAILURES + b"\0", padded + b"\0"))
    copy.chmod(0o755)
    return Build(build.name, copy)


def test_a_machine_that_could_not_sleep(lab: Lab) -> None:
    """The freezer of version 1 does what the kernel does before the machine sleeps: processes that
    wait do not freeze. Once the kernel has counted that, no call stands in the way of the next
    time."""
    count = lab.public_folder() / "n"
    count.write_text("3\n")
    lab.build = with_failures_in(lab.build, count, lab.folder)
    scene = Scene(lab)
    callers = scene.callers(*BARRIERS, how=("default",))
    pids = [caller.pid for caller in callers]
    with new_cgroup("cgroup", "freezer", callers) as group:
        switch = group / "freezer.state"
        begin(callers, "-asleep")
        switch.write_text("FROZEN")
        for pid in pids:
            wait_interrupted(pid)
        stay_in_call(callers)
        assert switch.read_text() == "FREEZING\n"
        switch.write_text("THAWED")  # as the kernel does when it has given up
        stay_in_call(callers)
        count.write_text("4\n")
        assert [caller.result() for caller in callers] == [(-1, errno.EINTR)] * len(callers)
        scene.held.release()
        # A call that begins later does not care about that, and the machine can sleep.
        later = [caller for caller in callers if caller.call != "fsync"]
        begin(later, "-later")
        send(later, signal.SIGSTOP)
        send(later, signal.SIGCONT)
        stay_in_call(later)
        expect_success(scene, later, "a sleep")
        switch.write_text("FROZEN")
        poll_until(lambda: switch.read_text() == "FROZEN\n", what="all processes are frozen")
        switch.write_text("THAWED")


# ---- tools ----


def test_dd_that_is_asked_for_its_progress(lab: Lab) -> None:
    """dd takes an EINTR of close for success, so close gives none."""
    scene = Scene(lab)
    source = lab.random_file(20000)
    copy = scene.lab.spawn(
        "dd", f"if={source}", f"of={scene.mount.contact(scene.bob)}/f", "bs=20000", text=True
    )
    wait_blocked(copy.pid)
    for _ in range(3):
        copy.send_signal(signal.SIGUSR1)
        with pytest.raises(subprocess.TimeoutExpired):
            copy.wait(LOOK_SECONDS)
    scene.bob.rules["data"] = lambda _peer, stanza: result(stanza)
    scene.held.release()
    _, message = copy.communicate(timeout=20)
    assert copy.returncode == 0, message
    close = scene.bob.wait_for(lambda s: len(s) > 0 and s[0].tag.endswith("}close"))
    assert scene.bob.received(close[0].get("sid")) == source.read_bytes()


class Terminal:
    """An interactive bash on a terminal of its own."""

    def __init__(self, folder: Path):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="$ ", LC_ALL="C", HISTFILE="")
            os.chdir(folder)
            os.execlp("bash", "bash", "--norc", "--noprofile", "-i")
        self.output = b""
        os.set_blocking(self.fd, False)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, text: str) -> None:
        def has_come() -> bool:
            with contextlib.suppress(BlockingIOError):
                self.output += os.read(self.fd, 65536)
            return text.encode() in self.output

        poll_until(has_come, what=f"{text!r} on the terminal; it has {self.output!r}")
        self.output = self.output.split(text.encode(), 1)[1]

    def foreground(self) -> int:
        return os.tcgetpgrp(self.fd)

    def close(self) -> None:
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.mark.parametrize("tool", ["cp {0} {1}/f", "dd if={0} of={1}/f"])
def test_ctrl_z_and_fg(lab: Lab, tool: str) -> None:
    scene = Scene(lab)
    source = lab.random_file(20000)
    terminal = Terminal(lab.folder)
    try:
        terminal.wait_for("$ ")
        command = tool.format(source, scene.mount.contact(scene.bob))
        terminal.type(f"{command}; echo status=$?\n")
        terminal.wait_for("\n")
        pid = poll_until(
            lambda: (p := terminal.foreground()) != terminal.pid and fuse_call(p) and p,
            what="the tool waits",
        )
        wait_blocked(pid)
        terminal.type("\x1a")
        wait_interrupted(pid)
        scene.bob.rules["data"] = lambda _peer, stanza: result(stanza)
        scene.held.release()
        terminal.wait_for("Stopped")
        terminal.type("fg; echo status=$?\n")
        terminal.wait_for("\nstatus=0")
    finally:
        terminal.close()
    close = scene.bob.wait_for(lambda s: len(s) > 0 and s[0].tag.endswith("}close"))
    assert scene.bob.received(close[0].get("sid")) == source.read_bytes()
