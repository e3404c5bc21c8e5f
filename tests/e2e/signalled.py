# SPDX-License-Identifier: MIT
"""System calls that wait, one after another, in a process that gets signals meanwhile.

    signalled.py open|read|write|close|fsync|write_sync|read_all|write_all  PATH
        caught|restarted|default

"caught" and "restarted": SIGNALS and ENDING have handlers, without and with SA_RESTART. For each
line that it reads, it makes the call once (of open, close and write_sync, which is a write with
O_DSYNC, on PATH and the line) and prints the result and errno; writes until a signal comes.
"read_all" and "write_all" are a tool that goes on after each signal: the result is the length of
ALL if that is what came, or could be written. The calls go straight through libc. Prints "ready"
first.
"""

import contextlib
import ctypes
import errno
import os
import signal
import sys

# All that end a process by default, or stop it, or do nothing; those that tools have handlers for.
SIGNALS = (
    signal.SIGALRM, signal.SIGCHLD, signal.SIGCONT, signal.SIGIO, signal.SIGPIPE, signal.SIGPROF,
    signal.SIGTSTP, signal.SIGURG, signal.SIGUSR1, signal.SIGUSR2, signal.SIGVTALRM,
    signal.SIGWINCH, signal.SIGRTMIN,
)  # fmt: skip
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
CHUNK = b"x" * 1024
LARGE = b"x" * 65536
ALL = b"".join(number.to_bytes(4, "big") for number in range(100_000))
WRITE = os.O_WRONLY | os.O_CREAT


interrupted: list[int] = []


def write_until_interrupted(libc: ctypes.CDLL, fd: int) -> int:
    """The result of the write during which a signal came."""
    interrupted.clear()
    while True:
        count = libc.write(fd, LARGE, len(LARGE))
        repeats = count < 0 and ctypes.get_errno() == errno.EINTR
        if interrupted or (count != len(LARGE) and not repeats):
            return count


def read_all(libc: ctypes.CDLL, fd: int) -> int:
    buffer, content = ctypes.create_string_buffer(10_000), b""
    while True:
        count = libc.read(fd, buffer, len(buffer))
        if count > 0:
            content += buffer.raw[:count]
        elif count == 0 or ctypes.get_errno() != errno.EINTR:
            return count if count else len(content) if content == ALL else -2


def write_all(libc: ctypes.CDLL, fd: int) -> int:
    written = 0
    while written < len(ALL):
        chunk = ALL[written : written + 10_000]
        count = libc.write(fd, chunk, len(chunk))
        if count >= 0:
            written += count
        elif ctypes.get_errno() != errno.EINTR:
            return count
    return written


def main() -> None:
    call, path, how = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    for number in SIGNALS + ENDING if how != "default" else ():
        signal.signal(number, lambda number, _: interrupted.append(number))
        signal.siginterrupt(number, how == "caught")
    if call in ("write", "fsync", "write_all"):
        fd = os.open(path, WRITE)
    elif call in ("read", "read_all"):
        fd = os.open(path, os.O_RDONLY)
    buffer = ctypes.create_string_buffer(4096)
    print("ready", flush=True)
    for line in sys.stdin:
        name = f"{path}{line.strip()}"
        if call == "open":
            function, *values = libc.open, name.encode(), WRITE, 0o600
        elif call == "read":
            function, *values = libc.read, fd, buffer, len(buffer)
        elif call == "write":
            function, *values = write_until_interrupted, libc, fd
        elif call == "write_sync":
            fd = os.open(name, WRITE | os.O_DSYNC)
            function, *values = libc.write, fd, CHUNK, len(CHUNK)
        elif call in ("read_all", "write_all"):
            function, *values = globals()[call], libc, fd
        else:
            if call == "close":
                fd = os.open(name, WRITE)
            os.write(fd, CHUNK)
            function, *values = getattr(libc, call), fd
        result = function(*values)
        print(result, ctypes.get_errno() if result < 0 else 0, flush=True)
        if call == "open" and result >= 0:
            os.close(result)
        elif call == "write_sync":
            with contextlib.suppress(ConnectionResetError):  # after a signal
                os.close(fd)


if __name__ == "__main__":
    main()
