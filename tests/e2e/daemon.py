# SPDX-License-Identifier: MIT
"""The daemon under test, started in the background as a user would, and watched to its end.

The test process is the subreaper of its descendants (adopt_orphans), so a daemon whose launcher has
ended is its child, and its exit status is checked.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from faultproxy import FaultProxy
from server import Account, Server

T = TypeVar("T")

KIBIBYTE, MEBIBYTE = 1024, 1024 * 1024
PR_SET_CHILD_SUBREAPER = 36
SANITIZER_EXIT = 66


def adopt_orphans() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class HasJid(Protocol):
    """A mount, an account or a peer."""

    jid: str


def bare(who: HasJid | str) -> str:
    jid = who if isinstance(who, str) else who.jid
    return jid.split("/")[0]


def poll_until(question: Callable[[], T], timeout: float = 20, what: str = "condition") -> T:
    """Calls until the result is true, and returns the result."""
    deadline = time.monotonic() + timeout
    while not (answer := question()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.02)
    return answer


def status_kib(pid: int, what: str) -> int:
    """An amount of memory of a process, such as VmRSS, what it has now, or VmHWM, its peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1])
    raise ValueError(f"no {what} of {pid}")


def wait_part(path: Path) -> None:
    """Waits until the file `path` of an inbox has broken off, and the disk has all of its part."""

    def is_refused() -> bool:
        try:
            with open(path, "rb"):
                return False
        except OSError as error:
            return error.errno != errno.ENOENT

    poll_until(is_refused, what=f"the part of {path.name}")


def is_mounted(path: Path) -> bool:
    """From the kernel's table: stat() would ask the daemon."""
    wanted = str(path).replace(" ", "\\040")
    with open("/proc/self/mountinfo") as table:
        return any(line.split()[4] == wanted for line in table)


def processes_with_argument(argument: str) -> list[int]:
    """Living processes that have `argument` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(argument) in words:
                found.append(int(entry.name))
    return found


def parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rsplit(")", 1)[1].split()[1])


# libstrophe 0.12 loses 64 bytes when a connection breaks in the middle of SASL.
KNOWN_LEAK = {
    "LSAN_OPTIONS": f"suppressions={Path(__file__).with_name('libstrophe.supp')}"
    ":print_suppressions=0"
}


@dataclass(frozen=True)
class Build:
    """One build of ibbfs."""

    name: str
    binary: Path

    def environment(self, log: Path) -> dict[str, str]:
        """Sanitizers' options: reports go to files that begin with `log`."""
        common = f"log_path={log}:exitcode={SANITIZER_EXIT}"
        return {
            "ASAN_OPTIONS": f"{common}:detect_leaks=1:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": f"{common}:halt_on_error=1:print_stacktrace=1",
            "TSAN_OPTIONS": f"{common}:second_deadlock_stack=1",
        }


@dataclass
class Mount:
    """An account of `server`, mounted at `path` by the ibbfs of `build`."""

    build: Build
    server: Server
    account: Account
    resource: str
    path: Path  # the mount point; files about it are made beside it
    options: str = ""
    via: FaultProxy | None = None  # the server address that it connects to
    pid: int = 0
    _foreground: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def jid(self) -> str:
        """The full JID."""
        return f"{self.account.jid}/{self.resource}"

    def beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def command(self) -> list[str]:
        password_file = self.beside(".password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.account.password + "\n")
        options = (
            f"server=127.0.0.1:{(self.via or self.server).port},cafile={self.server.cafile}"
            f",password_file={password_file}"
        )
        if self.options:
            options += "," + self.options
        return [str(self.build.binary), "-o", options, self.jid, str(self.path)]

    def environment(self) -> dict[str, str]:
        return os.environ | self.build.environment(self.beside(".sanitizer"))

    def start(self) -> Mount:
        """Returns after the command: the mount must exist then."""
        self.path.mkdir(exist_ok=True)
        if os.environ.get("IBBFS_TEST_DEBUG"):
            return self._start_debugging()
        with open(self.beside(".err"), "wb") as err:
            status = subprocess.run(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=err,
                stderr=err,
                env=self.environment(),
                timeout=60,
            ).returncode
        assert status == 0, f"status {status}\n{self.diagnosis()}"
        assert is_mounted(self.path), "the command ended before the mount was there"
        self.adopt()
        return self

    def adopt(self) -> None:
        """Finds the running daemon. Its children may have the same arguments: the process that
        looks for leaks at the end of an address sanitizer build does."""
        daemons = self._children()
        assert len(daemons) == 1, f"daemons of {self.path}: {daemons}\n{self.diagnosis()}"
        self.pid = daemons[0]

    def _children(self) -> list[int]:
        """Our child processes that have the mount point as an argument."""
        return [p for p in processes_with_argument(str(self.path)) if parent(p) == os.getpid()]

    def _start_debugging(self) -> Mount:
        """IBBFS_TEST_DEBUG=1: in the foreground, every stanza on standard error."""
        with open(self.beside(".err"), "wb") as err:
            self._foreground = subprocess.Popen(
                [*self.command(), "-d"], stdout=err, stderr=err, env=self.environment()
            )
        poll_until(lambda: is_mounted(self.path), what=f"{self.path} mounted")
        self.pid = self._foreground.pid
        return self

    # ---- the tree ----

    def contact(self, who: HasJid | str) -> Path:
        """The directory of a contact."""
        return self.path / bare(who)

    def incoming(self, sender: HasJid | str, name: str = "next") -> Path:
        return self.contact(sender) / "in" / name

    def status(self) -> str:
        return (self.path / "status").read_text()

    def wait_connected(self) -> None:
        poll_until(lambda: "\nconnection  online\n" in self.status(), what=f"{self.jid} online")

    def wait_online(self, full_jid: str) -> None:
        """Waits until that resource is seen here."""
        poll_until((self.path / full_jid).is_dir, what=f"{full_jid} seen online by {self.jid}")

    def wait_offline(self, full_jid: str, timeout: float = 20) -> None:
        poll_until(
            lambda: not (self.path / full_jid).is_dir(),
            timeout=timeout,
            what=f"{full_jid} seen offline by {self.jid}",
        )

    # ---- the end ----

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the daemon: status 0, unmounted, no report of a sanitizer."""
        if self.pid:
            os.kill(self.pid, how)
            self.expect_exit(0)

    def remove_left_over(self) -> None:
        """Removes the remains of a failed start or a crash."""
        if is_mounted(self.path):
            subprocess.run(["fusermount3", "-uz", self.path], timeout=20)
        for pid in self._children():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def unmount(self) -> None:
        subprocess.run(["fusermount3", "-u", self.path], check=True, timeout=20)
        self.expect_exit(0)

    def kill(self) -> None:
        """As a crash: no <close/> and no end of the stream."""
        os.kill(self.pid, signal.SIGKILL)
        self.expect_exit(-signal.SIGKILL)

    def expect_exit(self, wanted: int, timeout: float = 20) -> None:
        pid, self.pid = self.pid, 0
        status = reap(pid, timeout)
        left = is_mounted(self.path)
        if left:
            subprocess.run(["fusermount3", "-uz", self.path], timeout=20)
        assert status == wanted, f"exit status of {self.path}: {status}\n{self.diagnosis()}"
        assert not (left and wanted == 0), f"the daemon left its mount\n{self.diagnosis()}"
        assert self.reports() == "", self.reports()

    def stderr(self) -> str:
        path = self.beside(".err")
        return path.read_text(errors="replace") if path.exists() else ""

    def reports(self) -> str:
        """The reports of the sanitizers, here or on standard error."""
        files = sorted(self.path.parent.glob(self.path.name + ".sanitizer.*"))
        texts = [f.read_text(errors="replace") for f in files]
        stderr = self.stderr()
        if "Sanitizer" in stderr or "runtime error:" in stderr:
            texts.append(stderr)
        return "\n".join(texts)

    def diagnosis(self) -> str:
        return f"stderr:\n{self.stderr()}\n{self.reports()}\nserver:\n{self.server.log[-3000:]}"


def reap(pid: int, timeout: float) -> int:
    """The exit status of a child, negative for a signal; it is killed when it does not end."""
    deadline = time.monotonic() + timeout
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            print(f"the daemon {pid} did not end within {timeout} s", file=sys.stderr)
            return -signal.SIGKILL
        time.sleep(0.01)
