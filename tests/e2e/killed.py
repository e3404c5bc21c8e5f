# SPDX-License-Identifier: MIT
"""Processes that write a file each, and are killed at a random moment, or end by themselves.

    killed.py FOLDER COUNT SEED [AT_ONCE]

Prints for each its file's name and how it ended:

    cut       killed before it had called close or exit
    ending    killed in one of these calls
    closed    close has succeeded
    failed    close, or a call before it, has failed
    left      it has called exit, and the file was still open
"""

import mmap
import os
import random
import signal
import sys
import time

WRITING, ENDING, CLOSED, FAILED = range(4)
LONGEST_SECONDS = 0.02  # until a process is killed: writes and fsyncs take a few ms


def write_file(path: str, choice: random.Random, state: mmap.mmap, at: int) -> None:
    """What a child does. A child that idles has delivered everything when it is killed."""
    parts, idles, closes = choice.randrange(4), choice.random() < 0.5, choice.random() < 0.5
    syncs = [choice.random() < 0.5 for _ in range(parts)]
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        for sync in syncs:
            os.write(fd, b"x" * 1000)
            if sync:
                os.fsync(fd)
        if idles:
            time.sleep(choice.uniform(0, LONGEST_SECONDS))
        state[at] = ENDING
        if closes:
            os.close(fd)
            state[at] = CLOSED
    except OSError:
        state[at] = FAILED
    os._exit(0)


def fate(status: int, state: int) -> str:
    if state in (CLOSED, FAILED):
        return "closed" if state == CLOSED else "failed"
    if os.WIFSIGNALED(status):
        return "cut" if state == WRITING else "ending"
    return "left"


def main() -> None:
    folder, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    at_once = int(sys.argv[4]) if len(sys.argv) > 4 else 4
    choice = random.Random(seed)
    state = mmap.mmap(-1, count)
    running: dict[int, tuple[int, float]] = {}  # by pid: number, and when it is killed
    number = 0
    while number < count or running:
        while number < count and len(running) < at_once:
            own = random.Random(choice.random())
            kills = choice.random() < 0.7
            pid = os.fork()
            if pid == 0:
                write_file(f"{folder}/f{number}", own, state, number)
            after = choice.uniform(0, LONGEST_SECONDS) if kills else 1000
            running[pid] = (number, time.monotonic() + after)
            number += 1
        for pid, (which, when) in list(running.items()):
            if time.monotonic() >= when:
                os.kill(pid, signal.SIGKILL)
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                print(f"f{which}", fate(status, state[which]), flush=True)
                del running[pid]
        time.sleep(0.0002)


if __name__ == "__main__":
    main()
