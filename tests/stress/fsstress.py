#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Random calls in one directory of a mount, as fsstress makes them; only that they return counts.

    fsstress.py DIRECTORY SEED

For each line that it reads, it makes CALLS of them, and prints how many of each were successful. A
line on standard error before each call says which: the last one hangs, if any does. No call but
those of close and stat waits for a peer.
"""

from __future__ import annotations

import collections
import contextlib
import json
import mmap
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

CALLS = 50
FILES = 4  # that are open at a time
NAMES = (
    *(f"f{number}" for number in range(6)),
    "f0/f1", "next", "incoming", "status", "mount", "in", ".hidden", "n" * 255, "n" * 256, "%2e%2e",
    "f\n", "ö", "a@b@c", "x@example.invalid", "x@example.invalid/r", "in/f0", "mount/f0", "", "..",
)  # fmt: skip
ATTRIBUTES = ("block_size", "stanza", "format", "state", "peer", "sent", "other")
VALUES = (b"", b"0", b"512", b"4096", b"65536", b"iq", b"message", b"raw", b"si", b"\xff" * 300)
ACCESS = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY, os.O_RDWR)
MORE = (0, os.O_CREAT, os.O_CREAT, os.O_TRUNC, os.O_APPEND, os.O_EXCL, os.O_DIRECT, os.O_DIRECTORY)
SIZES = (0, 1, 4095, 4096, 4097, 20000)
OFFSETS = (0, 1, 4096, 100_000, 2_000_000, 2**62, 2**63 - 1)


class Stress:
    def __init__(self, folder: Path, seed: int):
        self._folder = folder
        self._random = random.Random(seed)
        self._open: list[int] = []
        self._calls: list[Callable[[], object]] = [
            getattr(self, name) for name in dir(type(self)) if name.startswith("do_")
        ]

    def make(self, count: int) -> collections.Counter[str]:
        done: collections.Counter[str] = collections.Counter()
        for _ in range(count):
            call = self._random.choice(self._calls)
            name = call.__name__.removeprefix("do_")
            print(name, file=sys.stderr, flush=True)
            with contextlib.suppress(OSError, ValueError, OverflowError):
                call()
                done[name] += 1
        while self._open:
            with contextlib.suppress(OSError):
                os.close(self._open.pop())
        return done

    # ---- what the calls are about ----

    def _path(self) -> Path:
        return self._folder / self._random.choice(NAMES)

    def _file(self) -> int:
        if not self._open:
            raise ValueError("nothing is open")
        return self._random.choice(self._open)

    def _size(self) -> int:
        return self._random.choice(SIZES)

    def _offset(self) -> int:
        return self._random.choice(OFFSETS)

    def _attribute(self) -> str:
        return f"user.ibb.{self._random.choice(ATTRIBUTES)}"

    # ---- names ----

    def do_stat(self) -> None:
        os.stat(self._path())

    def do_access(self) -> None:
        os.access(self._path(), os.W_OK, effective_ids=True)

    def do_list(self) -> None:
        for entry in os.scandir(self._random.choice((self._folder, self._path()))):
            entry.stat(follow_symlinks=False)

    def do_mkdir(self) -> None:
        os.mkdir(self._path())

    def do_rmdir(self) -> None:
        os.rmdir(self._path())

    def do_mknod(self) -> None:
        os.mknod(self._path(), self._random.choice((0o600, 0o10600)))

    def do_unlink(self) -> None:
        os.unlink(self._path())

    def do_rename(self) -> None:
        os.rename(self._path(), self._path())

    def do_link(self) -> None:
        os.link(self._path(), self._path())

    def do_symlink(self) -> None:
        os.symlink(self._path(), self._path())

    def do_chmod(self) -> None:
        os.chmod(self._path(), self._random.randrange(0o10000))

    def do_chown(self) -> None:
        os.chown(self._path(), os.getuid(), os.getgid())

    def do_utime(self) -> None:
        os.utime(self._path(), ns=(self._offset(), self._offset()))

    def do_truncate(self) -> None:
        os.truncate(self._path(), self._offset())

    def do_statvfs(self) -> None:
        os.statvfs(self._path())

    # ---- attributes ----

    def do_getxattr(self) -> None:
        os.getxattr(self._path(), self._attribute())

    def do_setxattr(self) -> None:
        os.setxattr(self._path(), self._attribute(), self._random.choice(VALUES))

    def do_listxattr(self) -> None:
        os.listxattr(self._path())

    def do_removexattr(self) -> None:
        os.removexattr(self._path(), self._attribute())

    # ---- open files ----

    def do_open(self) -> None:
        """Twice, so that there are some."""
        if len(self._open) == FILES:
            os.close(self._open.pop(0))
        flags = self._random.choice(ACCESS) | self._random.choice(MORE) | os.O_NONBLOCK
        self._open.append(os.open(self._path(), flags, 0o600))

    do_open_again = do_open

    def do_dup(self) -> None:
        if len(self._open) < FILES:
            self._open.append(os.dup(self._file()))

    def do_close(self) -> None:
        self._open.sort(key=lambda _: self._random.random())
        os.close(self._open.pop() if self._open else -1)

    def do_write(self) -> None:
        os.write(self._file(), self._random.randbytes(self._size()))

    def do_pwrite(self) -> None:
        os.pwrite(self._file(), b"x", self._offset())

    def do_read(self) -> None:
        os.read(self._file(), self._size())

    def do_pread(self) -> None:
        os.pread(self._file(), self._size(), self._offset())

    def do_lseek(self) -> None:
        os.lseek(self._file(), self._offset(), self._random.choice((0, 1, 2, 3, 4)))

    def do_ftruncate(self) -> None:
        os.ftruncate(self._file(), self._random.choice(SIZES))

    def do_fallocate(self) -> None:
        os.posix_fallocate(self._file(), 0, 1)

    def do_fadvise(self) -> None:
        os.posix_fadvise(self._file(), 0, 0, self._random.randrange(6))

    def do_fstat(self) -> None:
        os.fstat(self._file())

    def do_sendfile(self) -> None:
        os.sendfile(self._file(), self._file(), None, self._size())

    def do_copy_file_range(self) -> None:
        os.copy_file_range(self._file(), self._file(), self._size())

    def do_map(self) -> None:
        mmap.mmap(self._file(), self._size(), self._random.choice((1, 2))).close()

    def do_lock(self) -> None:
        os.lockf(self._file(), self._random.choice((os.F_ULOCK, os.F_TLOCK, os.F_TEST)), 10)


def main() -> None:
    stress = Stress(Path(sys.argv[1]), int(sys.argv[2]))
    for _ in sys.stdin:
        print(json.dumps(stress.make(CALLS)), flush=True)


if __name__ == "__main__":
    main()
