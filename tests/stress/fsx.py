#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Files written in pieces, as by fsx, to a peer with an inbox, and compared there.

    fsx.py CONTACT IN INBOX SEED

CONTACT: the peer's directory in the sender's mount; IN: that of the sender in the peer's mount;
INBOX: the same on disk. For each line that it reads, it sends and checks one file, and prints how
many bytes it had. If anything differs, it prints what was done, and ends with status 1.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import random
import sys
import time
from pathlib import Path

CALLS = 30
LARGEST = 30_000
STORED_SECONDS = 20


OFFERS = (b"auto", b"si", b"jingle")  # formats whose files are offered at their last close


class Different(Exception):
    pass


def sync(file: int) -> None:
    """Another program may have set the format."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL or os.getxattr(file, "user.ibb.format") not in OFFERS:
            raise


def send(path: Path, rng: random.Random, log: list[str]) -> bytes:
    """Writes it, and returns what it should be."""
    content = bytearray()
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(rng.randrange(CALLS)):
            size, gap = rng.randrange(LARGEST), rng.choice((0, 1, 4096, rng.randrange(LARGEST)))
            piece, at = rng.randbytes(size), len(content)
            call = rng.choice(("write", "pwrite", "seek", "truncate", "fsync"))
            log.append(f"{call} at {at}, size {size}, gap {gap}")
            if call == "write":
                gap = 0
                written = os.pwrite(file, piece, at)
            elif call == "pwrite":
                written = os.pwrite(file, piece, at + gap)
            elif call == "seek":
                os.lseek(file, at + gap, os.SEEK_SET)
                written = os.write(file, piece)
            elif call == "truncate":
                os.ftruncate(file, at + gap)
                written = 0
            else:
                sync(file)
                continue
            content += bytes(gap) + piece[:written]
    finally:
        os.close(file)
    return bytes(content)


def check(path: Path, content: bytes, rng: random.Random) -> None:
    """At random offsets, and mapped."""
    with open(path, "rb") as file:
        for _ in range(5):
            at, size = rng.randrange(len(content) + 1), rng.randrange(LARGEST)
            if os.pread(file.fileno(), size, at) != content[at : at + size]:
                raise Different(f"{path}: {size} bytes at {at}")
        if not content:
            return
        with mmap.mmap(file.fileno(), len(content), mmap.MAP_SHARED, mmap.PROT_READ) as mapping:
            if mapping[:] != content:
                raise Different(f"{path}, mapped")


def wait_stored(sent: Path, received: Path) -> None:
    """Another program may have set a format that has no word for the end."""
    end = time.monotonic() + STORED_SECONDS
    while os.getxattr(sent, "user.ibb.state") == b"unconfirmed" and time.monotonic() < end:
        with contextlib.suppress(OSError):
            if os.getxattr(received, "user.ibb.state") == b"finished":
                return
        time.sleep(0.01)


def attributes(path: Path) -> str:
    try:
        found = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    except OSError as error:
        return f"{path}: {error}"
    return f"{path}: {found}"


def main() -> None:
    contact, incoming, inbox = (Path(word) for word in sys.argv[1:4])
    rng = random.Random(int(sys.argv[4]))
    for number, _ in enumerate(sys.stdin):
        name, log = f"fsx-{sys.argv[4]}-{number}", []
        try:
            content = send(contact / name, rng, log)
            wait_stored(contact / name, incoming / name)
            if (inbox / name).read_bytes() != content:
                raise Different(f"{inbox / name}")
            check(incoming / name, content, rng)
            os.unlink(incoming / name)
        except (Different, OSError) as error:
            log += [attributes(path) for path in (contact / name, incoming / name)]
            sys.exit("\n".join([*log, f"seed {sys.argv[4]}, file {number}: {error}"]))
        print(len(content), flush=True)


if __name__ == "__main__":
    main()
