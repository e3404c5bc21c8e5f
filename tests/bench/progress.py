# SPDX-License-Identifier: MIT
"""A copy through two mounts, watched from outside while it runs: how many bytes are on the way."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    seconds: float  # since cp was started
    written: int  # by cp
    acknowledged: int  # as the sender knows
    received: int
    read: int  # by cat

    @property
    def in_flight(self) -> int:
        """With those that the sender has accepted and not sent yet."""
        return self.written - self.acknowledged

    @property
    def unread(self) -> int:
        return max(0, self.received - self.read)


def transferred(process: subprocess.Popen, what: str) -> int:
    """The bytes of all read ("rchar") or write calls ("wchar") so far. OSError: it has ended."""
    lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what + ":"))


def attribute(path: Path, name: str) -> int:
    try:
        return int(os.getxattr(path, f"user.ibb.{name}"))
    except OSError:
        return 0  # the file does not exist yet


@dataclass
class Progress:
    """A copy from one mount to the other, from watch() to stop()."""

    sent: Path
    received: Path
    interval: float = 0.05
    samples: list[Sample] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def watch(self, cp: subprocess.Popen, cat: subprocess.Popen) -> None:
        started = time.monotonic()

        def run() -> None:
            with contextlib.suppress(OSError):  # until one of them ends
                while not self._ended.wait(self.interval):
                    read, acknowledged = transferred(cat, "rchar"), attribute(self.sent, "sent")
                    received = attribute(self.received, "received")
                    written, now = transferred(cp, "wchar"), time.monotonic()
                    # Until cp has opened the file, the attributes are those of an older one.
                    both = min(acknowledged, written), min(received, written)
                    self.samples.append(Sample(now - started, written, *both, read))

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    @property
    def most_in_flight(self) -> int:
        return max((sample.in_flight for sample in self.samples), default=0)

    @property
    def most_unread(self) -> int:
        return max((sample.unread for sample in self.samples), default=0)

    def rate(self, size: int) -> float:
        """Bytes a second from the first acknowledgement to the last one."""
        first = next(s for s in self.samples if s.acknowledged > 0)
        last = next((s for s in self.samples if s.acknowledged == size), self.samples[-1])
        return (last.acknowledged - first.acknowledged) / (last.seconds - first.seconds)

    def seconds_until(self, in_flight: float) -> float:
        for sample in self.samples:
            if sample.in_flight >= in_flight:
                return sample.seconds
        raise RuntimeError(f"never {in_flight:.0f} bytes in flight")
