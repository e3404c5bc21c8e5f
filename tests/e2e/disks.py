# SPDX-License-Identifier: MIT
"""Disks of tests/disk/lossy.c, which lose, fail or hang as they are told; and small ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from daemon import is_mounted, poll_until
from lab import Lab, end_process

LOSSY = Path(__file__).resolve().parents[2] / "build" / "check" / "tests" / "disk" / "lossy"


class Disk:
    def __init__(self, path: Path):
        assert LOSSY.exists(), f"{LOSSY} was not built"
        self.path = path
        path.mkdir()
        self.process = subprocess.Popen(
            [LOSSY, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        poll_until(lambda: is_mounted(path), what="mounted")

    def _command(self, line: str) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"done\n"

    def hang(self, call: str = "all") -> None:
        """Each call of that kind hangs from now on."""
        self._command(f"hang {call}")

    def freeze(self) -> None:
        """Every call hangs from now on, even one of a process that is killed: it does not end
        before go()."""
        self._command("freeze all")

    def wait_held(self) -> None:
        """Waits until a call hangs."""
        self._command("wait")

    def go(self) -> None:
        self._command("go")

    def cut(self, seed: int, left: Path) -> dict[str, bytes]:
        """The files that a power cut would leave now, with their contents; journals are left
        out."""
        os.setxattr(self.path, "user.cut", f"{seed} {left}".encode())
        return {
            path.name: path.read_bytes()
            for path in left.rglob("*")
            if path.is_file() and path.parent.name != ".ibbfs"
        }

    def fail(self, call: str, code: int, count: int) -> None:
        """The next `count` calls of that kind fail."""
        os.setxattr(self.path, "user.fault", f"{call} {code} {count}".encode())


@contextlib.contextmanager
def running_disk(lab: Lab, folder: Path | None = None) -> Iterator[Disk]:
    disk = Disk((folder or lab.folder) / "disk")
    try:
        yield disk
        disk.go()
        lab.close()  # the daemons have files open there
    finally:
        subprocess.run(["fusermount3", "-u", "-z", disk.path], check=True)
        end_process(disk.process)


@contextlib.contextmanager
def small_disk(lab: Lab, name: str, options: str) -> Iterator[Path]:
    """A file system with little room; the mounts that use it end before it."""
    disk = lab.folder / name
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
