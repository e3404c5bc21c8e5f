# SPDX-License-Identifier: MIT
"""One read by io_uring (io_uring_setup(2), io_uring_enter(2)), for which Python has no function."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct

SETUP, ENTER = 425, 426
OFFSET_SQ_RING, OFFSET_CQ_RING, OFFSET_SQES = 0, 0x8000000, 0x10000000
OP_READ = 22
GETEVENTS = 1
CURRENT_POSITION = 2**64 - 1

libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: object) -> int:
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "io_uring")
    return result


def uring_read(fd: int, size: int, offset: int = CURRENT_POSITION) -> bytes:
    """As os.pread; raises the OSError that the ring reports."""
    parameters = ctypes.create_string_buffer(120)
    ring = call(SETUP, 1, parameters)
    try:
        sq_entries, cq_entries = struct.unpack_from("2I", parameters.raw)
        # struct io_sqring_offsets, then io_cqring_offsets
        sq_tail, sq_array = (struct.unpack_from("I", parameters.raw, 40 + n)[0] for n in (4, 24))
        (cqes,) = struct.unpack_from("I", parameters.raw, 80 + 20)
        submissions = mmap.mmap(ring, sq_array + 4 * sq_entries, offset=OFFSET_SQ_RING)
        completions = mmap.mmap(ring, cqes + 16 * cq_entries, offset=OFFSET_CQ_RING)
        entry = mmap.mmap(ring, 64 * sq_entries, offset=OFFSET_SQES)
        buffer = ctypes.create_string_buffer(size)
        struct.pack_into(
            "<BBHiQQI", entry, 0, OP_READ, 0, 0, fd, offset, ctypes.addressof(buffer), size
        )
        struct.pack_into("I", submissions, sq_array, 0)
        struct.pack_into("I", submissions, sq_tail, 1)
        call(ENTER, ring, 1, 1, GETEVENTS, None, 0)
        (result,) = struct.unpack_from("i", completions, cqes + 8)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return buffer.raw[:result]
    finally:
        os.close(ring)
