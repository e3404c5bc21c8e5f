# SPDX-License-Identifier: MIT
"""Streams of all kinds for a long time, while connections break and daemons are killed.

    soak.py MINUTES IBBFS [SEED]

alice and bob stay; carol is killed now and then, and comes back, and so is dave, who has an inbox.
A file for dave is sent until it is there: alice's as a stream, bob's by Jingle. What a broken
attempt leaves is NAME.part, with a beginning of the file. Between phases everything is idle,
and memory and descriptors of alice's and bob's daemons are recorded. Status 1 when bytes differ, a
tool is stuck, a daemon does not end well, or the recorded figures grow.

Then a loop of cp sends one file through 30 events, as in test_outbox.py, which takes some minutes
more. Status 1 also when the file does not arrive, or much more is sent than the file.
"""

from __future__ import annotations

import collections
import contextlib
import io
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon import MEBIBYTE, Build, Mount, adopt_orphans, poll_until, status_kib
from lab import Lab
from prosody import SAYS_SO, Prosody
from test_outbox import MOST, Weather

PHASES = 5
WORKERS = 4
COLUMNS = (
    ("whole", 7),
    ("broken", 7),
    ("cuts", 6),
    ("kills", 6),
    ("stored", 7),
    ("parts", 6),
)
STUCK_SECONDS = 100
ATTEMPTS = 20  # of a file for the inbox
OUTBOX_SECONDS = 1700  # for the file that a loop sends
ALLOWED_GROWTH = 1.25  # of memory, from the end of the first phase to that of the last,
ALLOWED_KIBIBYTES = 2048  # and this much: the allocator's

SEND = 'exec cp "$1" "$2"'
RECEIVE = 'exec cat "$2" > "$1"'
BEGINNING = 'exec head -c 10000 "$2" > "$1"'
# Called before the file is open: stat would inherit it, and wait for the delivery of cat's bytes.
ASK = 'size=$(stat -c %s "$1"); exec 3<> "$2"; cat "$1" >&3 & head -c $size <&3 > "$1.back"; wait'
ECHO = 'exec 3<> "$2"; exec dd bs=64K status=none <&3 >&3'


@dataclass
class Sample:
    """What a daemon holds."""

    kibibytes: int
    descriptors: int


def sample(pid: int) -> Sample:
    return Sample(status_kib(pid, "VmRSS"), len(os.listdir(f"/proc/{pid}/fd")))


class Soak:
    def __init__(self, lab: Lab, seed: int):
        self.lab = lab
        self.random = random.Random(seed)
        self.alice, self.bob, self.carol, self.dave = self._mounts()
        self.everybody = [self.alice, self.bob, self.carol, self.dave]
        self.counts: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []
        self._numbers = iter(range(1, sys.maxsize))
        self._lock = threading.Lock()
        self._until = 0.0

    def _mounts(self) -> list[Mount]:
        accounts = self.lab.accounts("alice", "bob", "carol", "dave")
        self.inbox = self.lab.folder / "inbox"
        options = ["timeout=10", "timeout=10", "timeout=10", f"timeout=10,inbox={self.inbox}"]
        mounts = [self.lab.mount(a, o, via=self.lab.proxy(a)) for a, o in zip(accounts, options)]
        for mount in mounts:
            for other in mounts:
                if other is not mount:
                    mount.wait_online(other.jid)
        os.setxattr(mounts[1].contact(mounts[3]), "user.ibb.format", b"jingle")
        return mounts

    # ---- phases ----

    def run(self, seconds: float) -> list[list[Sample]]:
        """Memory and descriptors of alice's and bob's daemons after each phase."""
        table = []
        heads = f"{'minute':>7} {'whole':>7} {'broken':>7} {'cuts':>6} {'kills':>6}"
        heads += f" {'stored':>7} {'parts':>6}"
        print(f"{heads}  memory and descriptors of alice and bob", flush=True)
        start = time.monotonic()
        for _ in range(PHASES):
            self._phase(seconds / PHASES)
            table.append([sample(mount.pid) for mount in (self.alice, self.bob)])
            held = "   ".join(f"{s.kibibytes:>6} KiB {s.descriptors:>3}" for s in table[-1])
            minutes = (time.monotonic() - start) / 60
            numbers = " ".join(
                f"{self.counts[name]:>{width}}"
                for name, width in COLUMNS
            )
            print(f"{minutes:>7.1f} {numbers}  {held}", flush=True)
        return table

    def _phase(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        workers = [threading.Thread(target=self._work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        try:
            while time.monotonic() < self._until:
                time.sleep(self.random.uniform(0.2, 3))
                self._harm()
        finally:
            self._until = 0.0  # or they would go on without the harm
            for worker in workers:
                worker.join()
        for mount in (self.alice, self.bob):
            poll_until(lambda: self._rests(mount), timeout=180, what=f"rest of {mount.jid}")

    def _rests(self, mount: Mount) -> bool:
        """Whether it is online and without streams. Streams that came too late for their reader are
        refused."""
        for other in self.everybody:
            if other is not mount:
                for path in mount.incoming(other).parent.iterdir():
                    if path.name != "next":
                        path.unlink(missing_ok=True)
        status = mount.status()
        return "online" in status and "streams     0" in status

    # ---- harm ----

    def _harm(self) -> None:
        proxy = self.random.choice(self.everybody).via
        assert proxy is not None
        kind = self.random.choice(["cut", "cut in a stanza", "strand", "freeze", "stop", "kill"])
        if kind == "cut":
            self.counts["cuts"] += proxy.cut()
        elif kind == "cut in a stanza":
            proxy.cut_after(self.random.randint(1, 50000))
            self.counts["cuts"] += 1
        elif kind == "strand":
            proxy.strand()
            self.counts["cuts"] += 1
        elif kind == "freeze":
            proxy.freeze()
            time.sleep(self.random.uniform(0.1, 3))
            proxy.thaw()
        elif kind == "stop":
            pid = self.random.choice([self.alice, self.bob]).pid
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.random.uniform(0.1, 2))
            os.kill(pid, signal.SIGCONT)
        else:
            mount = self.random.choice([self.carol, self.dave])
            mount.kill()
            self._restart(mount)
            self.counts["kills"] += 1

    def _restart(self, mount: Mount) -> None:
        """A cut that was scheduled before may end the first login, and with it the command."""
        deadline = time.monotonic() + STUCK_SECONDS
        while True:
            try:
                mount.start()
                return
            except AssertionError as error:
                mount.remove_left_over()
                if time.monotonic() > deadline:
                    raise
                print(f"again: {str(error).splitlines()[-1]}", flush=True)

    # ---- streams ----

    def _work(self) -> None:
        while time.monotonic() < self._until:
            try:
                self._stream()
            except subprocess.TimeoutExpired as stuck:
                statuses = "".join(mount.status() for mount in (self.alice, self.bob))
                self._fail(f"stuck: {stuck.cmd}\n{statuses}")
            except OSError as error:  # that daemon was killed meanwhile
                if not any(str(m.path) in str(error) for m in (self.carol, self.dave)):
                    self._fail(str(error))
                time.sleep(0.1)  # until it is back

    def _fail(self, what: str) -> None:
        print(what, flush=True)
        self.failures.append(what)

    def _stream(self) -> None:
        with self._lock:
            number = next(self._numbers)
            sender, receiver = self.random.sample([self.alice, self.bob, self.carol], 2)
            size = int(2 ** self.random.uniform(0, 22))
            kinds = ["file", "file", "file", "talk", "beginning", "killed", "stored", "stored"]
            kind = self.random.choice(kinds)
            keeper = self.random.choice([self.alice, self.bob])
        source = self.lab.random_file(size, f"{number}-sent")
        if kind == "stored":
            self._store(keeper, source, f"{number}")
            source.unlink()
            return
        got = self.lab.folder / f"{number}-got"
        there = sender.contact(receiver) / f"{number}"
        here = receiver.incoming(sender, f"{number}")
        write = begin(ASK if kind == "talk" else SEND, source, there)
        if not arrives(here, write):
            self.counts["broken"] += 1
        else:
            scripts = {"talk": ECHO, "beginning": BEGINNING}
            read = begin(scripts.get(kind, RECEIVE), got, here)
            if kind == "killed":
                time.sleep(0.01)
                write.kill()
            self._judge(kind, source, got, here, write, read)
        for path in (source, got, source.with_name(f"{source.name}.back")):
            path.unlink(missing_ok=True)

    def _store(self, sender: Mount, source: Path, name: str) -> None:
        """Repeats cp until it succeeds: the file is in the inbox then."""
        kept = self.inbox / sender.account.jid / name
        part, content = kept.with_name(f"{name}.part"), source.read_bytes()
        for _ in range(ATTEMPTS):
            if begin(SEND, source, sender.contact(self.dave) / name).wait(STUCK_SECONDS) == 0:
                break
            if part.exists():
                self.counts["parts"] += 1
                if not content.startswith(part.read_bytes()):
                    self._fail(f"{part}: it is no beginning of the file")
            time.sleep(0.1)
        else:
            self._fail(f"{kept}: not in {ATTEMPTS} attempts")
            return
        # A number follows a name that an attempt before has left, or whose answer was lost.
        names = [name, *(f"{name} ({n})" for n in range(2, ATTEMPTS + 2))]
        found = [path for path in map(kept.with_name, names) if path.exists()]
        if content not in [path.read_bytes() for path in found]:
            self._fail(f"{kept}: cp has succeeded, and the file is not there")
        for path in (*found, *(kept.with_name(f"{n}.part") for n in names)):
            path.unlink(missing_ok=True)
        self.counts["stored"] += 1

    def _judge(
        self,
        kind: str,
        source: Path,
        got: Path,
        here: Path,
        write: subprocess.Popen,
        read: subprocess.Popen,
    ) -> None:
        """A tool that succeeds has every byte."""
        try:
            received = read.wait(STUCK_SECONDS)
            if received != 0:  # its writer must not wait for another reader
                with contextlib.suppress(OSError):
                    here.unlink(missing_ok=True)
            sent = write.wait(STUCK_SECONDS)
        finally:
            for process in (write, read):
                process.kill()
        content = source.read_bytes()
        if kind == "talk":
            answer = source.with_name(f"{source.name}.back")
            back = answer.read_bytes() if answer.exists() else b""  # the open may have failed
            whole = sent == 0 and len(back) == len(content)
            equal = content.startswith(back)
        elif kind == "beginning":
            whole = received == 0
            equal = content[:10000] == got.read_bytes()
        else:
            whole = received == 0
            equal = got.read_bytes() == content
        self.counts["whole" if whole else "broken"] += 1
        if whole and not equal:
            self._fail(f"bytes differ: {kind} of {len(content)}, status {sent} and {received}")


def begin(script: str, *paths: Path) -> subprocess.Popen:
    return subprocess.Popen(
        ["bash", "-c", script, "bash", *paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def arrives(path: Path, writer: subprocess.Popen) -> bool:
    """Whether the stream arrived, under its name, before its writer gave up."""
    deadline = time.monotonic() + STUCK_SECONDS
    while time.monotonic() < deadline:
        ended = writer.poll() is not None
        with contextlib.suppress(OSError):  # its daemon was killed
            if path.exists():
                return True
            # It has no name if the sender could not query the receiver's features.
            unnamed = [p for p in path.parent.iterdir() if re.fullmatch("[0-9a-f]{32}", p.name)]
            for other in unnamed:
                other.unlink(missing_ok=True)
        if ended:
            return False
        time.sleep(0.02)
    writer.kill()
    raise subprocess.TimeoutExpired(str(writer.args), STUCK_SECONDS)


def growth(table: list[list[Sample]]) -> list[str]:
    """Of each daemon, from the first phase to the last."""
    found = []
    for name, first, last in zip(("alice", "bob"), table[0], table[-1]):
        if last.kibibytes > first.kibibytes * ALLOWED_GROWTH + ALLOWED_KIBIBYTES:
            found.append(f"{name}: memory has grown, {first.kibibytes} to {last.kibibytes} KiB")
        if last.descriptors > first.descriptors:
            found.append(f"{name}: descriptors, {first.descriptors} to {last.descriptors}")
    return found


@contextlib.contextmanager
def laboratory(build: Build, server: Prosody) -> Iterator[Lab]:
    server.start()
    try:
        with contextlib.closing(Lab(build, server.folder.parent, server)) as lab:
            yield lab  # every daemon must end with status 0
    finally:
        server.stop()


def streams(build: Build, folder: Path, seconds: float, seed: int) -> list[str]:
    """The failures."""
    with laboratory(build, Prosody(folder / "server")) as lab:
        soak = Soak(lab, seed)
        grown = growth(soak.run(seconds))
        for line in grown:
            print(line, flush=True)
        return grown + soak.failures


def outbox(
    build: Build, folder: Path, seed: int, size: int = 64 * MEBIBYTE, events: int = 30
) -> list[str]:
    """The failures."""
    start = time.monotonic()
    with laboratory(build, Prosody(folder / "server", **SAYS_SO)) as lab:
        story = io.StringIO()
        try:
            with contextlib.redirect_stdout(story):
                weather = Weather(lab, size, MEBIBYTE, seed)
                weather.run(events, OUTBOX_SECONDS)
                sent = weather.sent()
        except BaseException:
            print(story.getvalue(), end="", flush=True)
            raise
    minutes = (time.monotonic() - start) / 60
    row = f"{size // MEBIBYTE} MiB by a loop of cp, {events} events: sent {sent:.3f} times"
    print(f"{minutes:>7.1f} {row}", flush=True)
    if sent <= MOST:
        return []
    print(f"more than {MOST} times", flush=True)
    return [row]


def one_line(error: BaseException) -> str:
    """What failed, and where: an assert may have no text of its own."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = (str(error).splitlines() or [where.line])[0]
    return f"{Path(where.filename).name}:{where.lineno}: {type(error).__name__}: {text}"


def main() -> None:
    minutes, binary = float(sys.argv[1]), Path(sys.argv[2]).resolve()
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1000000)
    print(f"{minutes:g} minutes, seed {seed}", flush=True)
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # running tools are ended in order
    build = Build("plain", binary)
    failures = []
    with tempfile.TemporaryDirectory(prefix="ibbfs-soak.") as name:
        parts = (
            lambda: streams(build, Path(name) / "streams", minutes * 60, seed),
            lambda: outbox(build, Path(name) / "outbox", seed),
        )
        for part in parts:
            try:
                failures += part()
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failures.append(one_line(error))
                print(failures[-1], flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
