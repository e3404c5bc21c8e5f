# SPDX-License-Identifier: MIT
"""Calls with an offset, and mappings: of a stream they fail and take nothing from it, of a file on
disk they give the right bytes. None gives zeros for bytes that have not come."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import Mount, bare, poll_until
from lab import Lab
from rawpeer import RawPeer
from uring import uring_read

SIZE, COME = 300_000, 10_000  # announced, and come
PAGE = 4096

READ_MAPPED = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
mapped = mmap.mmap(fd, int(sys.argv[2]), flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
sys.stdout.buffer.write(mapped[:])
"""


def read_mapped(path: Path, size: int) -> subprocess.CompletedProcess:
    """The whole file, by a private mapping, in a process of its own: it may get SIGBUS."""
    return subprocess.run(
        [sys.executable, "-c", READ_MAPPED, path, str(size)], capture_output=True, timeout=30
    )


def splice(fd: int, size: int, offset: int | None = None) -> bytes:
    """Moves bytes into a pipe by splice(2)."""
    reader, writer = os.pipe()
    try:
        call = ctypes.CDLL(None, use_errno=True).splice
        where = None if offset is None else ctypes.byref(ctypes.c_int64(offset))
        moved = call(fd, where, writer, None, ctypes.c_size_t(size), 0)
        if moved < 0:
            raise OSError(ctypes.get_errno(), "splice")
        return os.read(reader, moved) if moved else b""
    finally:
        os.close(reader)
        os.close(writer)


def sendfile(fd: int, size: int, offset: int | None = None) -> bytes:
    reader, writer = os.pipe()
    try:
        moved = os.sendfile(writer, fd, offset, size)
        return os.read(reader, moved) if moved else b""
    finally:
        os.close(reader)
        os.close(writer)


def copy_file_range(fd: int, size: int, offset: int | None = None) -> bytes:
    """Into another file of the same mount, as other file systems are refused by the kernel: only
    the error counts."""
    target = os.open(Path(os.readlink(f"/proc/self/fd/{fd}")).parents[1] / "x", os.O_WRONLY)
    try:
        call = ctypes.CDLL(None, use_errno=True).copy_file_range
        where = None if offset is None else ctypes.byref(ctypes.c_int64(offset))
        if call(fd, where, target, None, ctypes.c_size_t(size), 0) < 0:
            raise OSError(ctypes.get_errno(), "copy_file_range")
        return b"it must not succeed"
    finally:
        os.close(target)


def preadv2(fd: int, size: int, offset: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: os.preadv(fd, [buffer], offset)])


def map_shared(fd: int, size: int) -> bytes:
    return mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)[:]


def cause(call: Callable, *arguments: object) -> str:
    """The errno of a call that must fail."""
    with pytest.raises(OSError) as failure:
        call(*arguments)
    return errno.errorcode[failure.value.errno or 0]


def map_beyond_end(fd: int, size: int) -> ctypes.Array:
    """A private mapping that may be longer than the file now is; mmap.mmap refuses that."""
    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    length, offset = ctypes.c_size_t(size), ctypes.c_int64(0)
    address = call(None, length, mmap.PROT_READ, mmap.MAP_PRIVATE, fd, offset)
    assert address not in (None, ctypes.c_void_p(-1).value), ctypes.get_errno()
    return (ctypes.c_char * size).from_address(address)


def splice_stream(fd: int, size: int) -> bytes:
    """Kernels from 6.5 on splice through the page cache, and get EINVAL, after which tools read
    and write. Older ones read, and the bytes are right."""
    try:
        return splice(fd, size)
    except OSError as error:
        assert error.errno == errno.EINVAL
        return b""


class Arriving:
    """A stream that is announced as `size` bytes, of which `come` have come."""

    def __init__(
        self, mount: Mount, peer: RawPeer, name: str, size: int = SIZE, come: int = COME
    ):
        self.mount, self.peer, self.name = mount, peer, name
        self.content = os.urandom(size)
        self.path = mount.incoming(bare(peer), name)
        peer.open(mount.jid, name, name=name, size=size, block_size=4000)
        self.sent = self.blocks = 0
        self.send(come)
        assert self.path.stat().st_size == size

    def send(self, until: int) -> None:
        while self.sent < until:
            block = self.content[self.sent : min(self.sent + 4000, until)]
            self.peer.data(self.mount.jid, self.name, self.blocks, block)
            self.sent += len(block)
            self.blocks += 1

    def read_rest(self, fd: int) -> bytes:
        """Sends the rest, and reads to the end."""
        self.send(len(self.content))
        self.peer.close(self.mount.jid, self.name)
        with open(fd, "rb") as file:
            return file.read()


def test_of_a_stream(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    stream = Arriving(mount, peer, "stream")
    target = mount.contact(bare(peer)) / "x"
    target.write_bytes(b"")
    fd = os.open(stream.path, os.O_RDONLY)
    assert cause(os.lseek, fd, 1, os.SEEK_SET) == "ESPIPE"
    assert cause(os.pread, fd, 10, 0) == "ESPIPE"
    assert cause(preadv2, fd, 10, 5) == "ESPIPE"
    assert cause(uring_read, fd, 10, 5) == "ESPIPE"
    assert cause(sendfile, fd, PAGE, 5) == "ESPIPE"
    assert cause(splice, fd, PAGE, 5) == "EINVAL"  # splice(2): the file cannot seek
    taken = splice_stream(fd, 100)
    if not taken:
        assert cause(sendfile, fd, PAGE) == "EINVAL"
        assert cause(copy_file_range, fd, PAGE) == "EINVAL"
        assert cause(copy_file_range, fd, PAGE, 5) == "EINVAL"
    assert cause(map_shared, fd, SIZE) == "ENODEV"
    os.posix_fadvise(fd, 0, SIZE, os.POSIX_FADV_WILLNEED)
    ctypes.CDLL(None).readahead(fd, ctypes.c_int64(0), ctypes.c_size_t(SIZE))
    # None of these took anything.
    assert taken + os.read(fd, 100) + uring_read(fd, 100) == stream.content[: 200 + len(taken)]
    assert stream.read_rest(fd) == stream.content[200 + len(taken) :]


def test_mapped_stream(lab: Lab) -> None:
    """The kernel does not ask before it maps, so the access fails. Bytes that have arrived cannot
    be mapped either: the page cache may drop a page and ask for it twice."""
    mount, peer = lab.with_raw()
    for size, come in ((3000, 100), (3000, 3000), (SIZE, COME)):
        stream = Arriving(mount, peer, f"{come} of {size}", size, come)
        done = read_mapped(stream.path, size)
        assert (done.returncode, done.stdout) == (-signal.SIGBUS, b"")
    second = Arriving(mount, peer, "second")
    fd = os.open(second.path, os.O_RDONLY | os.O_DIRECT)
    assert os.read(fd, 100) == second.content[:100]
    assert splice(fd, 100) == second.content[100:200]
    assert second.read_rest(fd) == second.content[200:]


def test_executed_stream(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    program = Path("/bin/true").resolve().read_bytes()
    for name, content in (("elf", program), ("script", b"#!/bin/true\n" + bytes(5000))):
        peer.open(mount.jid, name, name=name, size=len(content), block_size=4096)
        peer.data(mount.jid, name, 0, content[:4096])
        path = mount.incoming(bare(peer), name)
        path.chmod(0o700)
        fd = os.open(path, os.O_RDONLY)
        assert os.read(fd, 8) == content[:8]
        # Its header has gone to the reader: the kernel must not read the rest as if it were at 0.
        with pytest.raises(OSError):
            subprocess.run([f"/proc/self/fd/{fd}"], pass_fds=[fd], timeout=30)
        os.close(fd)


def test_both_ways(lab: Lab) -> None:
    """A stream in both directions has the bytes that were written as its size."""
    mount, peer = lab.with_raw()
    fd = os.open(mount.contact(bare(peer)) / "talk", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"x" * PAGE)
    sid = peer.wait_open()[0].get("sid")
    peer.data(mount.jid, sid, 0, b"y" * 100)
    assert os.fstat(fd).st_size == PAGE
    assert cause(os.pread, fd, 10, 0) == "ESPIPE"
    assert cause(os.pwrite, fd, b"z", 0) == "ESPIPE"
    taken = splice_stream(fd, 50)
    assert taken + os.read(fd, 200) == b"y" * 100
    peer.close(mount.jid, sid)
    os.close(fd)


def test_in_the_inbox(lab: Lab) -> None:
    """A file in the inbox is on disk: all calls give the right bytes, even while the file grows."""
    mount, peer = lab.with_raw(f"inbox={lab.folder}/inbox")
    peer.open(mount.jid, "f", name="f", size=SIZE, block_size=4000)
    path = mount.incoming(bare(peer), "f")
    content = os.urandom(SIZE)
    for seq in range(5):
        peer.data(mount.jid, "f", seq, content[4000 * seq : 4000 * (seq + 1)])
    have = path.stat().st_size
    assert have == 20_000
    growing = os.open(path, os.O_RDONLY)
    done = read_mapped(path, have)
    assert (done.returncode, done.stdout) == (0, content[:have])
    kept = map_beyond_end(growing, SIZE)
    assert kept[:have] == content[:have]
    for seq in range(5, SIZE // 4000):
        peer.data(mount.jid, "f", seq, content[4000 * seq : 4000 * (seq + 1)])
    peer.close(mount.jid, "f")
    poll_until((lab.folder / "inbox" / bare(peer) / "f").exists, what="the file has its name")
    assert os.fstat(growing).st_size == SIZE
    assert kept[:] == content  # the page that was half full, too
    os.close(growing)

    target = mount.contact(bare(peer)) / "x"
    target.write_bytes(b"")
    fd = os.open(path, os.O_RDONLY)
    for reading in (os.pread, preadv2, uring_read, splice, sendfile):
        for offset in (0, 5, SIZE - 7):
            want = content[offset : offset + 3000]
            assert reading(fd, 3000, offset) == want, (reading, offset)
    assert map_shared(fd, SIZE) == content
    assert read_mapped(path, SIZE).stdout == content
    os.close(fd)
    direct = os.open(path, os.O_RDONLY | os.O_DIRECT)
    assert os.pread(direct, PAGE, PAGE) == content[PAGE : 2 * PAGE]
    os.close(direct)


def test_executed_from_the_inbox(lab: Lab) -> None:
    mount, peer = lab.with_raw(f"inbox={lab.folder}/inbox")
    program = Path("/bin/true").resolve().read_bytes()
    peer.send_file(mount.jid, "true", program, name="true")
    poll_until((lab.folder / "inbox" / bare(peer) / "true").exists, what="the file has its name")
    path = mount.incoming(bare(peer), "true")
    path.chmod(0o700)
    assert subprocess.run([path], timeout=30).returncode == 0


def test_of_a_file_to_offer(lab: Lab) -> None:
    """A file that will be offered is on disk: it can be read, mapped and spliced at any offset."""
    inbox = lab.folder / "inbox"
    alice, bob = lab.pair(f"spool={lab.folder}/spool", f"inbox={inbox}")
    directory = alice.contact(bob)
    os.setxattr(directory, "user.ibb.format", b"jingle")
    content = os.urandom(20_000)
    for name, flag in (("waits", 0), ("nonblock", os.O_NONBLOCK)):
        fd = os.open(directory / name, os.O_RDWR | os.O_CREAT | flag)
        for start in range(0, len(content), 7000):
            os.write(fd, content[start : start + 7000])
        if name == "waits":
            mapped = mmap.mmap(fd, len(content), flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
            assert mapped[:] == content
            os.pwrite(fd, b"changed", 5000)
            content = content[:5000] + b"changed" + content[5007:]
            assert mapped[:] == content
            for reading in (os.pread, preadv2, splice, sendfile):
                assert reading(fd, 3000, 4500) == content[4500:7500], reading
            mapped.close()
        else:
            assert cause(os.read, fd, 10) == "EACCES"
        os.close(fd)
        kept = inbox / bare(alice) / name
        poll_until(kept.exists, what="the file has its name")
        assert kept.read_bytes() == content
