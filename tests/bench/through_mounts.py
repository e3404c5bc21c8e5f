#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Programs that use streams of a mount in both directions, or many at once, unlike file tools.

    through_mounts.py ping PATH COUNT SECONDS   opens PATH, prints "open", waits for a line; then a
                                                byte to and fro, COUNT times or as long as that;
                                                prints the times in µs, as JSON
    through_mounts.py echo PATH                 sends back what comes, until its end
    through_mounts.py flood PATH                writes until it is killed, as cp would
    through_mounts.py hold DIRECTORY COUNT SIZE opens COUNT files, writes SIZE bytes to each, and
                                                prints "held" when all are delivered; until its
                                                input ends
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time


def round_trip(fd: int) -> float:
    """In µs."""
    started = time.perf_counter()
    os.write(fd, b"*")
    if os.read(fd, 1) != b"*":
        sys.exit("the byte that came back is another")
    return 1e6 * (time.perf_counter() - started)


def ping(path: str, count: str, seconds: str) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    print("open", flush=True)
    sys.stdin.readline()
    round_trip(fd)  # the other side may be offline until then
    times: list[float] = []
    end = time.monotonic() + float(seconds)
    while len(times) < int(count) and time.monotonic() < end:
        times.append(round_trip(fd))
    print(json.dumps(times), flush=True)
    os.close(fd)


def echo(path: str) -> None:
    fd = os.open(path, os.O_RDWR)
    while data := os.read(fd, 4096):
        os.write(fd, data)
    os.close(fd)


def flood(path: str) -> None:
    data = os.urandom(128 * 1024)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    while True:
        os.write(fd, data)


def hold(directory: str, count: str, size: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    data = os.urandom(int(size))
    fds = []
    for number in range(int(count)):
        fds.append(os.open(f"{directory}/held{number:04}", os.O_WRONLY | os.O_CREAT))
        os.write(fds[-1], data)
    for fd in fds:
        os.fsync(fd)
    print("held", flush=True)
    sys.stdin.readline()


{"ping": ping, "echo": echo, "flood": flood, "hold": hold}[sys.argv[1]](*sys.argv[2:])
