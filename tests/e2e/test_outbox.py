# SPDX-License-Identifier: MIT
"""A loop is an outbox: `until cp FILE DIRECTORY; do sleep; done`, whatever happens meanwhile.

What the sender says to its server is counted, and compared with what it says for each byte of a cp
that nothing disturbs: base64, elements and TLS are in both, and what is more was sent again. The
server is one at which nothing is padded.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from daemon import MEBIBYTE, poll_until
from lab import Lab
from prosody import SAYS_SO
from test_limits import LimitedLab
from test_pieces import SLACK, Outbox

README = (Path(__file__).parents[2] / "README.md").read_text()
# The line of the README, with other paths and a shorter pause.
(LINE,) = [line.strip() for line in README.splitlines() if "until cp" in line]
LOOP = (
    LINE.replace("big.iso", '"$1"')
    .replace("/mnt/xmpp/alice@example.org/", '"$2"')
    .replace("sleep 60", "sleep 0.3")
)
MOST = 1.1  # what is sent, by what a cp without any event sends


class Weather:
    """What happens to a loop, at random."""

    def __init__(self, lab: Lab, size: int, rate: int, seed: int):
        print(f"seed {seed}")
        self.random = random.Random(seed)
        self.lab = lab
        self.outbox = Outbox(lab)
        self.source = lab.random_file(size, "big.iso")
        self.outbox.start()
        for mount in (self.outbox.alice, self.outbox.bob):
            mount.via.rate = rate
        self.damaged = 0
        self.price = self.measure()  # bytes that are sent for a byte of a file
        self.before = self.outbox.sent

    def measure(self) -> float:
        calm = self.lab.random_file(2 * MEBIBYTE, "calm")
        before = self.outbox.sent
        assert self.lab.run("cp", calm, self.outbox.target, timeout=60).returncode == 0
        self.outbox.expect("calm", calm.read_bytes())
        return (self.outbox.sent - before) / (2 * MEBIBYTE)

    def arrived(self) -> int:
        """The bytes of the file that the receiver has; after damage, as many as before."""
        part = self.outbox.part("big.iso")
        return part.stat().st_size if part.exists() else 0

    def crash_of_sender(self) -> None:
        self.outbox.alice.kill()
        self.outbox.restart(self.outbox.alice)

    def crash_of_receiver(self) -> None:
        self.outbox.bob.kill()
        self.outbox.restart(self.outbox.bob)

    def cut(self) -> None:
        self.random.choice((self.outbox.alice, self.outbox.bob)).via.cut()

    def restart_of_server(self) -> None:
        self.lab.stop_servers()
        self.lab.start_servers()

    def stop(self) -> None:
        """Interrupts cp. The loop starts it again."""
        for pid in Path(f"/proc/{self.loop.pid}/task/{self.loop.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGINT)

    def damage(self) -> None:
        with open(self.outbox.part("big.iso"), "r+b") as part:
            part.seek(self.random.randrange(self.arrived()))
            part.write(os.urandom(10))
        self.damaged += 1

    def run(self, events: int, seconds: float) -> None:
        size = self.source.stat().st_size
        kinds = [self.crash_of_sender, self.crash_of_receiver, self.cut, self.stop, self.damage]
        if events > len(kinds):
            kinds.append(self.restart_of_server)
        order = kinds[:]
        self.random.shuffle(order)
        order += self.random.choices(kinds, k=max(0, events - len(kinds)))
        self.loop = self.lab.spawn("bash", "-c", LOOP, "loop", self.source, f"{self.outbox.target}/")
        deadline = time.monotonic() + seconds
        for number, event in enumerate(order[:events]):
            goal = size * 8 // 10 * (number + 1) // (events + 1)
            poll_until(
                lambda: self.arrived() >= goal, deadline - time.monotonic(), f"{goal} bytes"
            )
            assert self.loop.poll() is None, "success, and not everything has arrived"
            print(f"{self.arrived()} bytes, {self.outbox.sent}: {event.__name__}")
            event()
        assert self.loop.wait(deadline - time.monotonic()) == 0
        self.outbox.expect("big.iso", self.source.read_bytes())

    def sent(self) -> float:
        """How often the file was sent."""
        sent = (self.outbox.sent - self.before) / (self.source.stat().st_size * self.price)
        print(f"sent {sent:.3f} times, at {self.price:.3f} bytes a byte")
        return sent


@pytest.mark.timeout(170)
def test_loop(limited_lab: LimitedLab) -> None:
    weather = Weather(limited_lab(**SAYS_SO), 6 * MEBIBYTE, 2 * MEBIBYTE, 1)
    weather.run(4, 150)
    size = weather.source.stat().st_size
    # A damaged piece comes once more, and what was in flight at each event.
    assert weather.sent() <= MOST + (weather.damaged * MEBIBYTE + 8 * SLACK + 4 * MEBIBYTE) / size


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2])
def test_loop_of_30_events(limited_lab: LimitedLab, seed: int) -> None:
    weather = Weather(limited_lab(**SAYS_SO), 64 * MEBIBYTE, MEBIBYTE, seed)
    weather.run(30, 1700)
    assert weather.sent() <= MOST
