#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A process that makes system calls as it is told: one JSON object a line, and a line in answer.

    {"call": "write", "slot": 0, "offset": 0, "size": 100, "direction": 0}
    {"result": 100} or {"errno": 104}

Its open files are in numbered slots. What it writes at an offset of a direction follows from both
(content), so that nothing but numbers travels; what it has read is returned as hexadecimal text.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import json
import mmap
import os
import random
import select
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TILE = 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)


@functools.cache
def tile(direction: int) -> bytes:
    return random.Random(direction).randbytes(TILE)


def content(direction: int, offset: int, size: int) -> bytes:
    """The bytes that are written there, if they are not those of a gap."""
    start = offset % TILE
    text = tile(direction)
    return (text * (2 + size // TILE))[start : start + size]


def mapped(fd: int, size: int) -> bytes:
    """Python's mmap refuses more than the file's size."""
    LIBC.mmap.restype = ctypes.c_void_p
    LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_longlong]
    address = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return ctypes.string_at(address, size)


# ---- waiting ----


def by_poll(files: dict[int, int], timeout: int) -> dict[int, int]:
    poller = select.poll()
    for fd, events in files.items():
        poller.register(fd, events)
    return dict(poller.poll(timeout))


def by_select(files: dict[int, int], timeout: int) -> dict[int, int]:
    inputs = [fd for fd, events in files.items() if events & select.POLLIN]
    outputs = [fd for fd, events in files.items() if events & select.POLLOUT]
    readable, writable, _ = select.select(inputs, outputs, [], timeout / 1000)
    found = dict.fromkeys(readable, select.POLLIN)
    for fd in writable:
        found[fd] = found.get(fd, 0) | select.POLLOUT
    return found


def by_epoll(files: dict[int, int], timeout: int, mode: int = 0) -> dict[int, int]:
    with select.epoll() as poller:
        for fd, events in files.items():
            poller.register(fd, events | mode)
        return dict(poller.poll(timeout / 1000))


WAITS = {
    "poll": by_poll,
    "select": by_select,
    "epoll": by_epoll,
    "oneshot": functools.partial(by_epoll, mode=select.EPOLLONESHOT),
    "edge": functools.partial(by_epoll, mode=select.EPOLLET),
}
FOREVER = 10**6
SYNCS = {"fsync": os.fsync, "fdatasync": os.fdatasync}


@dataclass
class Watch:
    """A thread or a process that waits for events of a file; what it has seen comes in a pipe."""

    slot: int
    seen: int  # the pipe's reading end
    cancel: int  # the other pipe's writing end: a byte makes it go away
    thread: threading.Thread | None = None

    def end(self) -> None:
        if self.thread:
            os.write(self.cancel, b"x")
            self.thread.join()
        os.close(self.cancel)
        os.close(self.seen)


def watch_file(fd: int, events: int, how: str, cancel: int, report: int) -> None:
    """Until there are events, or something is in the pipe `cancel`."""
    found = WAITS[how]({fd: events, cancel: select.POLLIN}, FOREVER)
    os.write(report, b"%d\n" % found.get(fd, 0))


class Actor:
    def __init__(self, files: dict[int, int]) -> None:
        self.files = files
        self.watches: dict[int, Watch] = {}  # by the child, or a number that no process has

    # ---- files ----

    def open(self, slot: int, path: str, flags: int) -> int:
        self.files[slot] = os.open(path, flags, 0o600)
        return 0

    def mknod(self, path: str) -> int:
        os.mknod(path, 0o600)
        return 0

    def dup(self, slot: int, other: int) -> int:
        self.files[other] = os.dup(self.files[slot])
        return 0

    def close(self, slot: int) -> int:
        """A thread that polls the file would keep it open."""
        for number in [n for n, w in self.watches.items() if w.slot == slot and w.thread]:
            self.unwatch(number)
        os.close(self.files.pop(slot))
        return 0

    def execve(self, kept: list[int]) -> int:
        """The other files are closed, as they have O_CLOEXEC, and all threads end."""
        for slot, fd in self.files.items():
            os.set_inheritable(fd, slot in kept)
        files = json.dumps({slot: self.files[slot] for slot in kept})
        os.execv(sys.executable, [sys.executable, __file__, files])

    def fork(self, slot: int, events: int, how: str) -> int:
        """A child that holds the files, polls one of them, and exits when it is told to."""
        seen, report = os.pipe()
        other, cancel = os.pipe()
        child = os.fork()
        if child == 0:
            watch_file(self.files[slot], events, how, other, report)
            os.read(other, 1)
            os._exit(0)
        os.close(report)
        os.close(other)
        self.watches[child] = Watch(slot, seen, cancel)
        return child

    def end(self, child: int, how: str) -> int:
        """`how`: it exits, or is killed."""
        if how == "exit":
            os.write(self.watches[child].cancel, b"x")
        else:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.unwatch(child)
        return 0

    # ---- bytes out ----

    def write(self, slot: int, direction: int, offset: int, size: int) -> int:
        return os.write(self.files[slot], content(direction, offset, size))

    def write_sync(self, slot: int, direction: int, offset: int, size: int) -> int:
        here = -1
        data = content(direction, offset, size)
        return os.pwritev(self.files[slot], [data], here, os.RWF_DSYNC)

    def pwrite(self, slot: int, direction: int, offset: int, size: int, at: int) -> int:
        return os.pwrite(self.files[slot], content(direction, offset, size), at)

    def _source(self, direction: int, offset: int, size: int) -> int:
        source = os.memfd_create("source")
        os.write(source, content(direction, offset, size))
        os.lseek(source, 0, os.SEEK_SET)
        return source

    def sendfile(self, slot: int, direction: int, offset: int, size: int) -> int:
        source = self._source(direction, offset, size)
        try:
            return os.sendfile(self.files[slot], source, None, size)
        finally:
            os.close(source)

    def copy_file_range(self, slot: int, direction: int, offset: int, size: int) -> int:
        source = self._source(direction, offset, size)
        try:
            return os.copy_file_range(source, self.files[slot], size)
        finally:
            os.close(source)

    def splice(self, slot: int, direction: int, offset: int, size: int) -> int:
        out, into = os.pipe()
        try:
            count = os.write(into, content(direction, offset, min(size, 4096)))
            return os.splice(out, self.files[slot], count)
        finally:
            os.close(out)
            os.close(into)

    def ftruncate(self, slot: int, size: int) -> int:
        os.ftruncate(self.files[slot], size)
        return 0

    def fallocate(self, slot: int, at: int, size: int) -> int:
        """The system call: that of the C library would write instead."""
        LIBC.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]
        if LIBC.fallocate(self.files[slot], 0, at, size) != 0:
            raise OSError(ctypes.get_errno(), "fallocate")
        return 0

    def fsync(self, slot: int, how: str) -> int:
        SYNCS[how](self.files[slot])
        return 0

    def sync(self, path: str, flags: int, how: str) -> int:
        """As sync(1) does."""
        fd = os.open(path, flags)
        try:
            SYNCS[how](fd)
        finally:
            os.close(fd)
        return 0

    # ---- bytes in ----

    def read(self, slot: int, size: int) -> str:
        return os.read(self.files[slot], size).hex()

    def pread(self, slot: int, size: int, at: int) -> str:
        return os.pread(self.files[slot], size, at).hex()

    def splice_out(self, slot: int, size: int) -> str:
        out, into = os.pipe()
        try:
            count = os.splice(self.files[slot], into, min(size, 4096))
            return os.read(out, count).hex() if count else ""
        finally:
            os.close(out)
            os.close(into)

    def map(self, slot: int, size: int) -> str:
        """In a child, as a mapping whose bytes have not come ends it with SIGBUS."""
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(into, mapped(self.files[slot], size))
                os._exit(0)
            finally:
                os._exit(1)
        os.close(into)
        with open(out, "rb") as pipe:
            data = pipe.read()
        if os.waitpid(child, 0)[1] != 0:
            raise OSError(errno.ENODEV, "mmap")
        return data.hex()

    # ---- waiting ----

    def poll(self, slot: int, events: int, how: str, timeout: int) -> int:
        return sum(WAITS[how]({self.files[slot]: events}, timeout).values())

    def watch(self, number: int, slot: int, events: int, how: str) -> int:
        """A thread polls the file from now on."""
        seen, report = os.pipe()
        other, cancel = os.pipe()

        def work() -> None:
            try:
                watch_file(self.files[slot], events, how, other, report)
            finally:
                os.close(report)

        thread = threading.Thread(target=work, daemon=True)
        self.watches[number] = Watch(slot, seen, cancel, thread)
        thread.start()
        return 0

    def watched(self, number: int, timeout: int) -> int:
        """The events that it has seen, or sees within the time; 0 if there were none."""
        if not by_poll({self.watches[number].seen: select.POLLIN}, timeout):
            return 0
        return int(os.read(self.watches[number].seen, 100))

    def unwatch(self, number: int) -> int:
        self.watches.pop(number).end()
        return 0


def answer(call: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": call(**arguments)}
    except OSError as error:
        return {"errno": error.errno}


def main() -> None:
    """The argument, after execve: its files."""
    actor = Actor({int(s): fd for s, fd in json.loads("".join(sys.argv[1:]) or "{}").items()})
    if actor.files or sys.argv[1:]:
        print(json.dumps({"result": 0}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        call = getattr(actor, request.pop("call"))
        print(json.dumps(answer(call, request)), flush=True)


if __name__ == "__main__":
    main()
