# SPDX-License-Identifier: MIT
"""A machine that sleeps: the clocks of one mount say so (tests/clock/asleep.c)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from daemon import Mount, poll_until
from lab import Lab
from rawpeer import NS_PING

ASLEEP = Path(__file__).resolve().parents[2] / "build" / "check" / "tests" / "clock" / "libasleep.so"

# What is preloaded has to be a sanitizer's own.
pytestmark = pytest.mark.large

# The server is given up after so many seconds, if the machine has not slept (src/xmpp/keepalive.c).
SILENCE_S = 20


class Sleeper:
    """What the environment of one mount says about its machine's sleep."""

    def __init__(self, folder: Path) -> None:
        assert ASLEEP.exists(), f"{ASLEEP} was not built"
        folder.mkdir()
        self.environment = {"IBBFS_ASLEEP": str(folder), "LD_PRELOAD": str(ASLEEP)}
        self.slept = folder / "slept"
        self.slept.write_text("0")
        self.passed = folder / "passed"
        self.pass_time(0)
        os.mkfifo(folder / "woken")
        self.woken = os.open(folder / "woken", os.O_RDWR)

    def wake(self, slept_s: int) -> None:
        self.slept.write_text(str(slept_s))
        os.write(self.woken, b"12345678")


    def pass_time(self, total_s: int) -> None:
        """So much more time has passed for this mount than for others, awake. One write, so that
        no reader sees half of it; the number only gets more digits."""
        with open(self.passed, "r+" if self.passed.exists() else "w") as file:
            file.write(str(total_s))


@pytest.fixture
def sleeper(lab: Lab) -> Iterator[Sleeper]:
    """The first mount's machine."""
    sleeper = Sleeper(lab.folder / "asleep")
    yield sleeper
    os.close(sleeper.woken)


@pytest.fixture
def other(lab: Lab) -> Iterator[Sleeper]:
    """The second one's."""
    other = Sleeper(lab.folder / "awake")
    yield other
    os.close(other.woken)


@contextlib.contextmanager
def environment_of(sleeper: Sleeper) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in sleeper.environment.items():
            environment.setenv(name, value)
        yield


def pair(
    lab: Lab, sleeper: Sleeper, other: Sleeper, sleeper_options: str = ""
) -> tuple[Mount, Mount]:
    """The machine of the first one sleeps."""
    first, second = lab.accounts("alice", "bob")
    with environment_of(other):
        bob = lab.mount(second)
    with environment_of(sleeper):
        alice = lab.mount(first, sleeper_options, via=lab.proxy(first))
    alice.wait_online(bob.jid)
    bob.wait_online(alice.jid)
    return alice, bob


def test_the_connection_is_checked_at_once(lab: Lab, sleeper: Sleeper, other: Sleeper) -> None:
    """A router has forgotten the connection meanwhile. Written bytes wait for the next one."""
    alice, bob = pair(lab, sleeper, other)
    alice.via.strand()
    before, started = alice.via.connections, time.monotonic()
    sleeper.wake(600)
    (alice.contact(bob) / "a").write_bytes(b"after ten minutes")
    assert alice.via.connections > before
    assert time.monotonic() - started < SILENCE_S
    assert bob.incoming(alice, "a").read_bytes() == b"after ten minutes"


def test_a_clock_that_is_set_is_no_sleep(lab: Lab, sleeper: Sleeper, other: Sleeper) -> None:
    alice, bob = pair(lab, sleeper, other)
    before = alice.via.connections
    sleeper.wake(0)
    (alice.contact(bob) / "a").write_bytes(b"bytes")
    assert bob.incoming(alice, "a").read_bytes() == b"bytes"
    assert alice.via.connections == before


def open_stream(lab: Lab, sender: Mount, receiver: Mount, name: str) -> tuple[BinaryIO, BinaryIO]:
    """Its ends; some bytes have gone through."""
    opening = lab.background(lambda: open(sender.contact(receiver) / name, "wb", buffering=0))
    there = receiver.incoming(sender, name)
    poll_until(there.exists, what="the stream")
    reader = open(there, "rb", buffering=0)
    writer = opening.result(60)
    writer.write(b"before")
    os.fsync(writer.fileno())
    return writer, reader


STEPS, STEP_S = 42, 15


@pytest.mark.parametrize("server", ["notices", "does not notice"])
def test_open_streams_outlive_ten_minutes(
    lab: Lab, sleeper: Sleeper, other: Sleeper, server: str
) -> None:
    """For the machine that is awake, these ten minutes pass: its peer does not answer, or has gone
    offline. They pass in steps, after each of which its threads have something to do. The one that
    sleeps does not count them: its limit is shorter."""
    alice, bob = pair(lab, sleeper, other, "reconnect=300")
    carol = lab.raw(lab.accounts("carol")[0])
    streams = [open_stream(lab, alice, bob, "a"), open_stream(lab, bob, alice, "b")]
    os.kill(alice.pid, signal.SIGSTOP)
    try:
        alice.via.cut() if server == "notices" else alice.via.strand()
        streams[1][0].write(b", asleep")
        for step in range(1, STEPS + 1):
            other.pass_time(step * STEP_S)
            bob.status()
            carol.request(bob.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
        sleeper.wake(STEPS * STEP_S)
    finally:
        os.kill(alice.pid, signal.SIGCONT)
    for (writer, reader), asleep in zip(streams, (b"", b", asleep")):
        writer.write(b", after")
        closing = lab.background(writer.close)
        assert reader.read(6) == b"before"
        content = b""
        while piece := reader.read(100):
            content += piece
        assert content == asleep + b", after"
        closing.result(60)
        reader.close()
