# SPDX-License-Identifier: MIT
"""One system call that waits, and what it returned when SIGINT came.

    blocked.py open|open_to_read|read|write|fsync|close PATH

Straight through libc: Python's own calls would start again after EINTR. Prints "ready" before the
call, then result, errno, and when it returned (CLOCK_MONOTONIC).
"""

import ctypes
import os
import signal
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CHUNK = b"x" * 65536


def write_until_interrupted(fd: int) -> int:
    while True:
        count = libc.write(fd, CHUNK, len(CHUNK))
        if interrupted or count != len(CHUNK):
            return count


def open_and_write(path: str) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, CHUNK[1:])  # a part of a page is not cached: an upload reads the disk
    return fd


interrupted = []
signal.signal(signal.SIGINT, lambda *_: interrupted.append(True))
call, path = sys.argv[1:]
if call == "open":
    arguments = (libc.open, path.encode(), os.O_WRONLY | os.O_CREAT, 0o600)
elif call == "open_to_read":
    arguments = (libc.open, path.encode(), os.O_RDONLY)
elif call == "read":
    arguments = (libc.read, os.open(path, os.O_RDONLY), ctypes.create_string_buffer(4096), 4096)
elif call == "write":
    arguments = (write_until_interrupted, os.open(path, os.O_WRONLY | os.O_CREAT))
else:
    arguments = (getattr(libc, call), open_and_write(path))
print("ready", flush=True)
function, *values = arguments
result = function(*values)
print(result, ctypes.get_errno(), time.monotonic(), flush=True)
os._exit(0)
